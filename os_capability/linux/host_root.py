# SPDX-License-Identifier: Apache-2.0
"""HostRoot: the only opener of the observed machine's files."""

from __future__ import annotations

import errno
import os
import stat

from os_capability.errors import InvalidRoot, SourceMissing, SourceUnreadable

__all__ = ["HostRoot"]

# /proc/cpuinfo of 4,096 CPUs is 6 MB. Something far larger in a captured tree is no kernel's answer.
_MOST_BYTES = 32 << 20
_CHUNK = 1 << 16
# sysfs answers a whole attribute at the first read, its binary ones (CPU masks since 5.16) at most a page at a time.
_SMALLEST_PAGE = 4096
# O_NONBLOCK: a FIFO must not keep us waiting for a writer.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK

# An attribute that exists but does not apply answers EINVAL, ENODEV or ENXIO on many drivers and kernels; an empty
# slot of a bus answers EOPNOTSUPP. All of them mean that this machine does not have it.
_NOT_HERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP})
_NO_FILE = "is no regular file"


class HostRoot:
    """The files of one machine: ``/`` is the machine we run on, any other folder one that was captured or mounted.

    Paths are relative to the root, without a leading slash. Links that lead out of a foreign root are not followed:
    behind them is another machine.

    Args:
        path: the folder.
        shown_as: what messages call it instead, as for the folder that an archive was unpacked to.

    Raises:
        InvalidRoot: the folder is not there, may not be entered, or holds neither ``proc`` nor ``sys``.
    """

    __slots__ = ("_folders", "_prefix", "_shown_as", "is_live", "path")

    def __init__(self, path: str, shown_as: str | None = None) -> None:
        self.path = path
        self._shown_as = path if shown_as is None else shown_as
        try:
            if not path or not _is_folder(path):
                reason = "no such directory; give the folder that holds the machine's proc and sys"
                raise InvalidRoot(self._shown_as, reason)
        except OSError as error:
            raise InvalidRoot(self._shown_as, _reason(error)) from None
        real = os.path.realpath(path)
        self.is_live = real == "/"
        self._prefix = "/" if self.is_live else real + "/"
        self._folders = {"": self._prefix}
        self._check_folders()

    def _check_folders(self) -> None:
        reason = "holds neither proc nor sys, so it is no machine's root"
        for folder in ("proc", "sys"):
            try:
                if _is_folder(self._prefix + folder):
                    return
            except OSError as error:
                reason = f"{folder} cannot be entered: {_reason(error)}"
        raise InvalidRoot(self._shown_as, reason)

    def shown(self, path: str) -> str:
        """Give the file's name for a person."""
        return f"/{path}" if self.is_live else f"{self._shown_as.rstrip('/')}/{path}"

    def read(self, path: str) -> str:
        """Give a file's text; bytes that are not UTF-8 are replaced.

        Raises:
            SourceMissing: there is no such file, or the kernel says that it does not apply.
            SourceUnreadable: it exists and could not be read.
        """
        try:
            descriptor = self._open(path)
            try:
                # A FIFO, a socket or a device in a captured tree answers late, never or without end.
                if not self.is_live and not _is_readable(os.fstat(descriptor).st_mode):
                    raise SourceUnreadable(self.shown(path), _NO_FILE)
                data = os.read(descriptor, _CHUNK)
                if len(data) >= _SMALLEST_PAGE or not path.startswith("sys/"):
                    data = self._read_on(descriptor, path, data)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            raise self._error(path, error) from None
        return data.decode("utf-8", "replace")

    def entries(self, path: str) -> list[str]:
        """Give the names in a folder, unsorted.

        Raises:
            SourceMissing: there is no such folder.
            SourceUnreadable: it exists and could not be read.
        """
        try:
            # A captured tree may hold any names; those with line ends or without text are no kernel's.
            return [name for name in os.listdir(self._folder(path)) if name.isprintable()]
        except (OSError, ValueError) as error:
            raise self._error(path, error) from None

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file or folder."""
        try:
            return os.path.exists(self._folder(path))
        except SourceMissing:
            return False

    def link(self, path: str) -> str | None:
        """Give what a symbolic link holds, ``None`` where there is no such link or it may not be read."""
        folder, _, name = path.rpartition("/")
        try:
            return os.readlink(f"{self._folder(folder)}/{name}")
        except (OSError, ValueError, SourceMissing):
            return None

    def _open(self, path: str) -> int:
        if self.is_live:
            return os.open(self._prefix + path, _FLAGS)
        folder, _, name = path.rpartition("/")
        try:
            return os.open(f"{self._folder(folder)}/{name}", _FLAGS | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        return os.open(self._inside(path), _FLAGS | os.O_NOFOLLOW)

    def _folder(self, path: str) -> str:
        """Give where a folder really is, following links inside the root; remembered, one look for each folder."""
        if self.is_live:
            return self._prefix + path
        known = self._folders.get(path)
        if known is None:
            parent, _, name = path.rpartition("/")
            known = f"{self._folder(parent)}/{name}"
            if os.path.islink(known):
                known = self._inside(path)
            self._folders[path] = known
        return known

    def _inside(self, path: str) -> str:
        real = os.path.realpath(self._prefix + path)
        if not real.startswith(self._prefix):
            raise SourceMissing(self.shown(path), "a link that leads out of the root")
        return real

    def _read_on(self, descriptor: int, path: str, data: bytes) -> bytes:
        # Sizes in /proc and /sys are wrong (0 or 4,096), and /proc may answer less than there is: read to the end.
        chunks, size = [data], len(data)
        while chunk := os.read(descriptor, _CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > _MOST_BYTES:
                raise SourceUnreadable(self.shown(path), f"longer than {_MOST_BYTES >> 20} MiB")
        return b"".join(chunks)

    def _error(self, path: str, error: OSError | ValueError) -> SourceUnreadable:
        if isinstance(error, ValueError):  # the cgroup of a broken capture may have a NUL in its name
            return SourceMissing(self.shown(path), "no file has such a name")
        if error.errno == errno.ENXIO and not self.is_live:
            return SourceUnreadable(self.shown(path), _NO_FILE)  # how opening a socket fails
        kind = SourceMissing if error.errno in _NOT_HERE else SourceUnreadable
        return kind(self.shown(path), _reason(error))


def _is_folder(path: str) -> bool:
    """Tell whether there is such a folder.

    Raises:
        OSError: there is something that may not be entered, or not be looked at.
    """
    try:
        os.stat(f"{path}/.")  # the dot can be seen from inside alone
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL is in no name
        return False
    return True


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _is_readable(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # reading a folder says itself what it is
