# SPDX-License-Identifier: Apache-2.0
"""Machines that a person names: a folder, a tar archive of one, or a document."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from os_capability.detect import collect
from os_capability.errors import InvalidRoot
from os_capability.model import Host

if TYPE_CHECKING:
    import tarfile

__all__ = ["opened_root", "read_host"]

_MOST_UNPACKED_BYTES = 1 << 30
_MOST_DOCUMENT_BYTES = 64 << 20


def read_host(path: str, source: str = "auto") -> Host:
    """Give the machine that a person names.

    Args:
        path: a folder or a tar archive of a machine, which is collected; or a document, as a file, a pipe or ``-`` for
            standard input.
        source: as for `os_capability.collect`; a document is not asked.

    Raises:
        InvalidRoot: it is none of these.
        OsCapabilityError: as for `os_capability.collect`.
    """
    content = _read_document(path)
    if content is None:
        with opened_root(path) as root:
            return collect(root, source) if root == path else _collect_unpacked(root, path, source)
    import json  # collecting and drawing a machine does without

    if not content.strip():
        raise InvalidRoot(path, "is empty, so it is no document of a machine")
    if source != "auto":
        raise InvalidRoot(path, f"a document is no machine that {source} could be asked about")
    try:
        return Host.from_dict(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise InvalidRoot(path, f"no document of a machine: {error}") from None


def _collect_unpacked(folder: str, archive: str, source: str) -> Host:
    from os_capability.linux.driver import LinuxDriver
    from os_capability.linux.host_root import HostRoot

    # What is said of a file names the archive: the folder is gone when a person reads it, and another each time.
    return LinuxDriver(HostRoot(folder, shown_as=archive), source).collect()


def _read_document(path: str) -> bytes | None:
    """Give what may be a document: all that a pipe gives, and a file that begins with a brace; otherwise ``None``."""
    if path != "-" and (not os.path.exists(path) or os.path.isdir(path)):
        return None
    try:
        with open(sys.stdin.fileno() if path == "-" else path, "rb", closefd=path != "-") as file:
            if os.path.isfile(path) and file.peek(64)[:64].lstrip()[:1] != b"{":
                return None
            content = file.read(_MOST_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise InvalidRoot(path, error.strerror or str(error)) from None
    if len(content) > _MOST_DOCUMENT_BYTES:
        raise InvalidRoot(path, f"longer than {_MOST_DOCUMENT_BYTES >> 20} MiB, so it is no document of a machine")
    return content


@contextmanager
def opened_root(path: str) -> Iterator[str]:
    """Give a folder for a root: itself, or what a tar archive holds, unpacked while the context lasts.

    Raises:
        InvalidRoot: it is a file and no archive, or one that may not be unpacked.
    """
    if not os.path.isfile(path):
        yield path
        return
    import tarfile
    import tempfile

    with tempfile.TemporaryDirectory(prefix="os-capability-") as folder:
        try:
            with tarfile.open(path) as archive:
                _unpack(archive, folder, path)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InvalidRoot(path, f"no machine's folder, document or tar archive{_why(error)}") from None
        inside = os.listdir(folder)
        # Many archives hold one folder that holds the machine.
        yield os.path.join(folder, inside[0]) if len(inside) == 1 and inside[0] not in ("proc", "sys") else folder


def _why(error: Exception) -> str:
    # What no compression can open is told in a line for each that was tried, none of which helps.
    reason = str(error).partition("\n")[0]
    return "" if reason.startswith("file could not be opened") else f": {reason}"


def _unpack(archive: tarfile.TarFile, folder: str, path: str) -> None:
    """Write the files and links of an archive into a folder, and nothing anywhere else.

    Not `extractall`: its safe filters came with Python 3.10.12 and 3.11.4, later than what Debian 12 has.
    """
    links, size = [], 0
    for member in archive:
        size += member.size
        if size > _MOST_UNPACKED_BYTES:
            raise InvalidRoot(path, f"unpacks to more than {_MOST_UNPACKED_BYTES >> 30} GiB, so it is no machine")
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise InvalidRoot(path, f"holds {member.name!r}, which leads out of it, so it is not unpacked")
        target = os.path.join(folder, member.name)
        if member.isdir():
            os.makedirs(target, exist_ok=True)
        elif member.issym():
            links.append((member.linkname, target))
        elif content := archive.extractfile(member):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with content, open(target, "wb") as file:
                file.write(content.read())
    # Links come last, so that no file is written through one. Whether they lead out matters when they are read.
    for link, target in links:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(link, target)
