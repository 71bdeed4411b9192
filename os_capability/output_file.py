# SPDX-License-Identifier: Apache-2.0
"""Writes a file that a person asked for: whole, or not at all."""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["write_file"]


def write_file(path: str, content: bytes) -> None:
    """Write a file in the place of whatever file was there, which stays as it is until the new one is complete.

    Raises:
        OSError: it could not be written; the message begins with the path.
    """
    # A link is followed: what it names is what is written.
    target = os.path.realpath(path)
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            raise OSError(0, "exists and is no regular file")
        _write_new(temporary, content)
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        raise OSError(error.errno, f"{path}: {error.strerror}") from None
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _write_new(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
