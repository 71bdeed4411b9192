# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a machine's files: each mutation does it to one path, and `undone` takes it back."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["MUTATIONS", "Mutation", "mutated"]

Mutation = Callable[[Path, bytes, random.Random], None]

_MIB = 1 << 20
_HUGE = b"123456789012345678901234567890"


def _put(content: Callable[[bytes, random.Random], bytes]) -> Mutation:
    """Make a mutation of a change of a file's text; what was a folder becomes a file."""

    def mutation(path: Path, text: bytes, chance: random.Random) -> None:
        path.write_bytes(content(text, chance))

    return mutation


def _lines(change: Callable[[list[bytes], random.Random], object]) -> Mutation:
    def content(text: bytes, chance: random.Random) -> bytes:
        lines = text.split(b"\n")
        change(lines, chance)
        return b"\n".join(lines)

    return _put(content)


def _one_number(text: bytes, chance: random.Random) -> bytes:
    numbers = list(re.finditer(rb"\d+", text))
    if not numbers:
        return b"7"
    found = chance.choice(numbers)
    other = chance.choice((b"0", b"1", b"65535", b"4294967296", b"-1", _HUGE, b"%d" % chance.randrange(1 << 20)))
    return text[: found.start()] + other + text[found.end() :]


def _no_permission(path: Path, text: bytes, chance: random.Random) -> None:
    path.write_bytes(text)
    path.chmod(0)


def _closed_folder(path: Path, text: bytes, chance: random.Random) -> None:
    path.mkdir()
    path.chmod(0)


def _socket(path: Path, text: bytes, chance: random.Random) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made, suppress(OSError):
            made.bind(path.name)
    finally:
        os.chdir(here)


def _strange_names(path: Path, text: bytes, chance: random.Random) -> None:
    """Put names beside the file that no kernel writes."""
    path.write_bytes(text)
    stem = re.sub(r"\d+$", "", path.name)
    names = (f"{stem}99999999", f"{stem}-1", f"{stem}07", f"{stem}\n", f"{stem}٣", "hugepages-0kB", "index", "node")
    for name in (*names, os.fsdecode(b"\xff\xfe" + os.fsencode(stem))):
        with suppress(OSError):
            (path.parent / name).mkdir()


MUTATIONS: dict[str, Mutation] = {
    "removed": lambda path, text, chance: None,
    "empty": _put(lambda text, chance: b""),
    "truncated": _put(lambda text, chance: text[: chance.randrange(len(text) + 1)]),
    "a folder": lambda path, text, chance: path.mkdir(),
    "a closed folder": _closed_folder,
    "no permission": _no_permission,
    "a link to itself": lambda path, text, chance: path.symlink_to(path.name),
    "a link to its folder": lambda path, text, chance: path.symlink_to("."),
    "a link to nothing": lambda path, text, chance: path.symlink_to("nothing/at/all"),
    "a link out": lambda path, text, chance: path.symlink_to("/dev/zero"),
    "a FIFO": lambda path, text, chance: os.mkfifo(path),
    "a socket": _socket,
    "10 MB of garbage": _put(lambda text, chance: chance.randbytes(10 * _MIB)),
    "10 MB of digits": _put(lambda text, chance: b"1234567890" * _MIB),
    "10 MB of commas": _put(lambda text, chance: b"0," * (5 * _MIB)),
    "10 MB of itself": _put(lambda text, chance: (text or b"x") * (10 * _MIB // max(len(text), 1))),
    "40 MB": _put(lambda text, chance: bytes(40 * _MIB)),
    "30 digits": _put(lambda text, chance: re.sub(rb"\d+", _HUGE, text) or _HUGE),
    "negative": _put(lambda text, chance: re.sub(rb"\d+", rb"-\g<0>", text) or b"-1"),
    "zeros": _put(lambda text, chance: re.sub(rb"\d", b"0", text)),
    "another number": _put(_one_number),
    "NULs": _put(lambda text, chance: bytes(len(text) or 4096)),
    "a NUL inside": _put(lambda text, chance: b"\0".join((text[: len(text) // 2], text[len(text) // 2 :]))),
    "no UTF-8": _put(lambda text, chance: b"\xff\xfe" + text + b"\xed\xa0\x80\xc3"),
    "other digits": _put(lambda text, chance: re.sub(rb"\d", "٣".encode(), text) or "²".encode()),
    "a huge list": _put(lambda text, chance: chance.choice((b"0-99999999\n", b"0-65535\n", b"0-8191\n", b"5-0\n"))),
    "a huge mask": _put(lambda text, chance: b"ffffffff," * chance.choice((8, 256, 100_000)) + b"ffffffff\n"),
    "no spaces": _put(lambda text, chance: re.sub(rb"\s", b"", text)),
    "spaces alone": _put(lambda text, chance: b" \t\n\r\x0b\x0c" * 50),
    "odd line ends": _put(lambda text, chance: text.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\x0b", b"\x85")))),
    "a line twice": _lines(lambda lines, chance: lines.insert(0, chance.choice(lines))),
    "a line less": _lines(lambda lines, chance: lines.pop(chance.randrange(len(lines)))),
    "shuffled": _lines(lambda lines, chance: chance.shuffle(lines)),
    "strange names": _strange_names,
}


@contextmanager
def mutated(path: Path, mutation: Mutation, chance: random.Random) -> Iterator[None]:
    """Do something to a file or folder of a tree, and put it back as it was."""
    stash = path.parent / f".stash-{path.name}"
    text = path.read_bytes() if path.is_file() else b""
    beside = set(path.parent.iterdir())
    path.rename(stash)
    try:
        mutation(path, text, chance)
        yield
    finally:
        for new in (set(path.parent.iterdir()) - beside - {stash}) | {path}:
            _remove(new)
        stash.rename(path)


def _remove(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink()
