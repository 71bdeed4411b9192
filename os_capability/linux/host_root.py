# SPDX-License-Identifier: Apache-2.0
"""HostRoot: the only opener of the observed machine's files."""

from __future__ import annotations

import errno
import os

from os_capability.errors import InvalidRoot, SourceMissing, SourceUnreadable

__all__ = ["HostRoot"]

# /proc/cpuinfo of 4,096 CPUs is 6 MB. Something far larger in a captured tree is no kernel's answer.
_MOST_BYTES = 32 << 20
_CHUNK = 1 << 16

# An attribute that exists but does not apply answers EINVAL, ENODEV or ENXIO on many drivers and kernels; an empty
# slot of a bus answers EOPNOTSUPP. All of them mean that this machine does not have it.
_NOT_HERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP})


class HostRoot:
    """The files of one machine: ``/`` is the machine we run on, any other folder one that was captured or mounted.

    Paths are relative to the root, without a leading slash. Links that lead out of a foreign root are not followed.

    Raises:
        InvalidRoot: the folder is not there, or holds neither ``proc`` nor ``sys``.
    """

    __slots__ = ("_prefix", "_real", "is_live", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._real = os.path.realpath(path)
        self.is_live = self._real == "/"
        self._prefix = "/" if self.is_live else self._real + "/"
        if not os.path.isdir(path):
            raise InvalidRoot(path, "no such directory; give the folder that holds the machine's proc and sys")
        if not any(os.path.isdir(self._prefix + folder) for folder in ("proc", "sys")):
            raise InvalidRoot(path, "holds neither proc nor sys, so it is no machine's root")

    def name(self, path: str) -> str:
        """Give the file's name for a person."""
        return f"/{path}" if self.is_live else f"{self.path.rstrip('/')}/{path}"

    def read(self, path: str) -> str:
        """Give a file's text; bytes that are not UTF-8 are replaced.

        Raises:
            SourceMissing: there is no such file, or the kernel says that it does not apply.
            SourceUnreadable: it exists and could not be read.
        """
        try:
            # O_NONBLOCK: a FIFO in a captured tree must not keep us waiting for a writer.
            descriptor = os.open(self._prefix + path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                if not self.is_live and not self._is_inside(descriptor, path):
                    raise SourceMissing(self.name(path), "a link that leads out of the root")
                return self._read_all(descriptor, path).decode("utf-8", "replace")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._error(path, error) from None

    def names(self, path: str) -> list[str]:
        """Give the names in a folder, unsorted.

        Raises:
            SourceMissing: there is no such folder.
            SourceUnreadable: it exists and could not be read.
        """
        try:
            return os.listdir(self._prefix + path)
        except OSError as error:
            raise self._error(path, error) from None

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file or folder."""
        return os.path.exists(self._prefix + path)

    def link(self, path: str) -> str | None:
        """Give what a symbolic link holds, ``None`` where there is no such link or it may not be read."""
        try:
            return os.readlink(self._prefix + path)
        except OSError:
            return None

    def _is_inside(self, descriptor: int, path: str) -> bool:
        try:
            opened = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:  # no /proc here: another system, or a tree in memory
            opened = os.path.realpath(self._prefix + path)
        return opened.startswith(self._prefix)

    def _read_all(self, descriptor: int, path: str) -> bytes:
        # Sizes in /proc and /sys are wrong (0 or 4,096), so read to the end. Most files end in the first chunk.
        data = os.read(descriptor, _CHUNK)
        if not data:
            return data
        chunks, size = [data], len(data)
        while chunk := os.read(descriptor, _CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > _MOST_BYTES:
                raise SourceUnreadable(self.name(path), f"longer than {_MOST_BYTES >> 20} MiB")
        return b"".join(chunks)

    def _error(self, path: str, error: OSError) -> SourceUnreadable:
        reason = os.strerror(error.errno) if error.errno else str(error)
        kind = SourceMissing if error.errno in _NOT_HERE else SourceUnreadable
        return kind(self.name(path), reason)
