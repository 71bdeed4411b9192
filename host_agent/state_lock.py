# SPDX-License-Identifier: Apache-2.0
"""The lock of a state directory: one daemon lives there, and nobody changes its identity meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host_agent.atomic_file import give_to_owner
from host_agent.errors import IdentityError

__all__ = ["state_lock"]

_MODE = 0o640


@contextmanager
def state_lock(state_path: Path) -> Iterator[None]:
    """Hold the directory; the kernel lets go of it when this process ends, however it ends.

    Raises:
        IdentityError: another process holds it, or the file cannot be opened.
    """
    path = state_path / "lock"
    try:
        # Not inherited by programs that we start: one that hangs would keep the next daemon out.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    except OSError as error:
        raise IdentityError(f"{path}: {error.strerror}; run as the owner of its directory") from None
    try:
        give_to_owner(descriptor, state_path)
        _lock(descriptor, path)
        with contextlib.suppress(OSError):  # a full disk: the number is only for whoever is kept out
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
        raise IdentityError(
            f"{path}: host-agent runs here already, as process {holder}: stop it first, or set another state_path"
        ) from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot be locked: {error.strerror}; state_path must be a local disk") from None
