# SPDX-License-Identifier: Apache-2.0
"""Files that others read while we write them: whole at every moment, and their directory's owner's."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["give_to_owner", "replace_file", "sync_directory"]


def replace_file(path: Path, text: str, *, mode: int, sync: bool = False) -> None:
    """Put `text` in the place of what the file holds.

    Args:
        path: the file; it will belong to the owner of its directory.
        text: all of it.
        mode: its permissions.
        sync: wait for the disk; without that a power cut may bring the old text back.

    Raises:
        OSError: nothing was changed.
    """
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
    ) as draft:
        try:
            draft.write(text)
            draft.flush()
            os.fchmod(draft.fileno(), mode)
            give_to_owner(draft.fileno(), path.parent)
            if sync:
                os.fsync(draft.fileno())
            Path(draft.name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(draft.name).unlink()
            raise
    if sync:
        sync_directory(path.parent)


def give_to_owner(descriptor: int, directory: Path) -> None:
    """Give an open file to the owner of its directory: what root writes there, the service must be able to read.

    Raises:
        OSError: it cannot be given away.
    """
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk: a file may be there after a power cut and its name not.

    Raises:
        OSError: the directory cannot be synced.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
