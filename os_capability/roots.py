# SPDX-License-Identifier: Apache-2.0
"""Machines that a person names: a folder, a tar archive of one, or a document."""

from __future__ import annotations

import os
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


def read_host(path: str) -> Host:
    """Give the machine that a person names: a folder or archive that is collected, or a JSON document.

    Raises:
        InvalidRoot: it is none of these.
        OsCapabilityError: as for `os_capability.collect` and `Host.from_dict`.
    """
    if os.path.isfile(path):
        document = _read_document(path)
        if document is not None:
            return Host.from_dict(document)
    with opened_root(path) as root:
        return collect(root)


def _read_document(path: str) -> dict[str, object] | None:
    """Give a file's JSON object, ``None`` where the file does not begin like one."""
    import json

    try:
        with open(path, "rb") as file:
            if file.read(64).lstrip()[:1] != b"{":
                return None
            file.seek(0)
            content = file.read(_MOST_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise InvalidRoot(path, error.strerror or str(error)) from None
    if len(content) > _MOST_DOCUMENT_BYTES:
        raise InvalidRoot(path, f"longer than {_MOST_DOCUMENT_BYTES >> 20} MiB, so it is no document of a machine")
    try:
        document: dict[str, object] = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidRoot(path, f"begins like JSON and is none: {error}") from None
    return document


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
            # An unknown compression is told in a line for each that was tried.
            reason = str(error).partition("\n")[0].rstrip(": ")
            raise InvalidRoot(path, f"neither a directory nor a tar archive that can be unpacked: {reason}") from None
        inside = os.listdir(folder)
        # Many archives hold one folder that holds the machine.
        yield os.path.join(folder, inside[0]) if len(inside) == 1 and inside[0] not in ("proc", "sys") else folder


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
