# SPDX-License-Identifier: Apache-2.0
"""The command `os-capability`: what is this machine?"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import os_capability
from os_capability.detect import SOURCES
from os_capability.errors import InvalidRoot, OsCapabilityError
from os_capability.model import Host

if TYPE_CHECKING:
    import tarfile

__all__ = ["main"]

EXIT_DONE, EXIT_USAGE, EXIT_UNREADABLE, EXIT_UNWRITTEN, EXIT_INTERRUPTED = 0, 2, 3, 74, 130


class UsageError(Exception):
    """The command was asked for something that cannot be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        print(_show(asked), flush=True)
    except (InvalidRoot, UsageError) as error:
        return _complain(str(error), EXIT_USAGE)
    except OsCapabilityError as error:
        return _complain(str(error), EXIT_UNREADABLE)
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough. The interpreter must not try to flush again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        return _complain(f"the answer could not be written: {error.strerror}", EXIT_UNWRITTEN)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_DONE


def _complain(message: str, exit_code: int) -> int:
    print(f"os-capability: {message}", file=sys.stderr)
    return exit_code


class _Parser(argparse.ArgumentParser):
    """Answers wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"os-capability: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="os-capability",
        description="What this machine can give: CPUs, NUMA nodes and memory.",
        epilog="exit codes: 0 done, 2 wrong usage, 3 the machine could not be read, 74 the answer could not be written",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {os_capability.__version__}")
    # A given prog spares argparse formatting one, for which it loads shutil and three compressors.
    commands = parser.add_subparsers(metavar="COMMAND", required=True, prog=parser.prog)
    show = commands.add_parser("show", help="this machine, or one captured in a folder", description=_SHOW)
    show.add_argument("-f", dest="format", choices=("table", "json", "yaml"), default="table", help="default: table")
    show.add_argument(
        "-c",
        dest="fields",
        metavar="FIELD",
        action="append",
        default=[],
        help="only this field of the document, by its dotted name (cpu.threads, numa.nodes.cpus); may be repeated",
    )
    show.add_argument(
        "--root",
        metavar="DIR",
        default="/",
        help="a folder with the proc and sys of a machine, or a tar archive of one",
    )
    show.add_argument(
        "--source",
        choices=SOURCES,
        default="auto",
        help="who tells the topology: both and sysfs decides (auto), or one alone, which then never falls back",
    )
    return parser


_SHOW = "Shows the machine: CPUs, memory and NUMA nodes."


def _show(asked: argparse.Namespace) -> str:
    with _opened(asked.root) as root:
        host = os_capability.collect(root, asked.source)
    if asked.format == "table":
        return _table(host, asked.fields)
    document = host.to_dict()
    if asked.fields:
        document = {field: _select(document, field) for field in asked.fields}
    if asked.format == "yaml":
        return _yaml(document)
    import json

    return json.dumps(document, indent=2, ensure_ascii=False)


def _table(host: Host, fields: Sequence[str]) -> str:
    from os_capability.render import table

    if fields:
        document = host.to_dict()
        return table.render_fields({field: _select(document, field) for field in fields})
    colour = (
        sys.stdout is not None
        and sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM") != "dumb"
    )
    return table.render_host(host, colour=colour)


def _yaml(document: Mapping[str, object]) -> str:
    try:
        import yaml
    except ImportError:
        raise UsageError("-f yaml needs PyYAML: pip install 'os-capability[yaml]', or use -f json") from None
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text.rstrip("\n")


def _select(document: object, field: str) -> object:
    """Give the part of a document that a dotted name means; inside a list it means that part of every item."""
    return _below(document, field.split("."), 0)


def _below(part: object, names: Sequence[str], at: int) -> object:
    if at == len(names):
        return part
    if isinstance(part, list):
        return [_below(item, names, at) for item in part]
    if not isinstance(part, dict) or names[at] not in part:
        where = ".".join(names[:at]) or "the document"
        known = ", ".join(part) if isinstance(part, dict) else "nothing below it"
        raise UsageError(f"no field {'.'.join(names)!r}: {where} has {known}")
    return _below(part[names[at]], names, at + 1)


@contextmanager
def _opened(root: str) -> Iterator[str]:
    """Give a folder for the root: itself, or what a tar archive holds, unpacked while the context lasts."""
    if not os.path.isfile(root):
        yield root
        return
    import tarfile
    import tempfile

    with tempfile.TemporaryDirectory(prefix="os-capability-") as folder:
        try:
            with tarfile.open(root) as archive:
                _unpack(archive, folder, root)
        except (tarfile.TarError, EOFError, OSError) as error:
            # An unknown compression is told in a line for each that was tried.
            reason = str(error).partition("\n")[0].rstrip(": ")
            raise UsageError(f"{root}: neither a directory nor a tar archive that can be unpacked: {reason}") from None
        inside = os.listdir(folder)
        # Many archives hold one folder that holds the machine.
        yield os.path.join(folder, inside[0]) if len(inside) == 1 and inside[0] not in ("proc", "sys") else folder


_MOST_UNPACKED_BYTES = 1 << 30


def _unpack(archive: tarfile.TarFile, folder: str, root: str) -> None:
    """Write the files and links of an archive into a folder, and nothing anywhere else.

    Not `extractall`: its safe filters came with Python 3.10.12 and 3.11.4, later than what Debian 12 has.
    """
    links, size = [], 0
    for member in archive:
        size += member.size
        if size > _MOST_UNPACKED_BYTES:
            raise UsageError(f"{root}: unpacks to more than {_MOST_UNPACKED_BYTES >> 30} GiB, so it is no machine")
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise UsageError(f"{root}: holds {member.name!r}, which leads out of it, so it is not unpacked")
        path = os.path.join(folder, member.name)
        if member.isdir():
            os.makedirs(path, exist_ok=True)
        elif member.issym():
            links.append((member.linkname, path))
        elif content := archive.extractfile(member):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with content, open(path, "wb") as file:
                file.write(content.read())
    # Links come last, so that no file is written through one. Whether they lead out matters when they are read.
    for target, path in links:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
