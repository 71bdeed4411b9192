# SPDX-License-Identifier: Apache-2.0
"""The bytes that come through a unix socket, cut into the answers of HTTP/1.1."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator

from host_agent.errors import HostAgentError

__all__ = ["AnswerLate", "AnswerUnreadable", "HttpStream", "NobodyListens", "UnixHttpError"]

_LONGEST_HEAD = 1 << 16
_CHUNK = 1 << 18

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r)")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*\bchunked[ \t]*\r", re.IGNORECASE)
_CLOSES = re.compile(rb"HTTP/1\.0 |\r\nconnection:[^\r]*\bclose\b", re.IGNORECASE)
_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{1,12}")


class UnixHttpError(HostAgentError):
    """The other side of a socket did not answer as it should: names the socket and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class NobodyListens(UnixHttpError):
    """The socket is there and nobody answers at it: connections are refused or closed."""


class AnswerLate(UnixHttpError):
    """The time limit is over."""


class AnswerUnreadable(UnixHttpError):
    """What came is no HTTP, no JSON, or larger than allowed."""


class HttpStream:
    """A connection: requests go in, answers come out, each within a limit of time and size.

    Attributes:
        is_last: whether the other side sends nothing after the answer that was given last.
    """

    def __init__(self, connection: socket.socket, path: str, time_limit_seconds: float, most_bytes: int) -> None:
        """Take over a connection.

        Args:
            connection: to the server, already made.
            path: the socket, for errors.
            time_limit_seconds: for each answer, up to its last byte.
            most_bytes: that an answer may have.
        """
        self._connection = connection
        self._path = path
        self._time_limit = time_limit_seconds
        self._most_bytes = most_bytes
        self._buffer = bytearray()
        self._deadline = 0.0
        self.is_last = False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, data: bytes) -> None:
        """Send requests.

        Raises:
            AnswerLate: the other side takes nothing.
        """
        if not data:
            return
        try:
            self._connection.settimeout(self._time_limit)
            self._connection.sendall(data)
        except TimeoutError:
            raise self._late() from None
        except OSError:
            # Closed by the other side: what it said before that, if anything, is still to be read.
            pass

    def answer(self, *, may_be_closed: bool) -> tuple[int, bytes] | None:
        """Give status and body; ``None`` where the connection was closed before the first byte, and that may be.

        Raises:
            UnixHttpError: the subclass says what went wrong.
        """
        self._deadline = time.monotonic() + self._time_limit
        if not self._buffer and not self._more():
            if may_be_closed:
                return None
            raise NobodyListens(self._path, "the connection is closed without an answer")
        head = self._until(b"\r\n\r\n", _LONGEST_HEAD)
        status = _STATUS.match(head)
        if status is None:
            raise self._unreadable(f"answered with what is no HTTP: {head[:60]!r}")
        self.is_last = _CLOSES.search(head) is not None
        return int(status[1]), self._body(int(status[1]), head)

    def _body(self, status: int, head: bytes) -> bytes:
        if status in (204, 304):
            return b"null"
        if _CHUNKED.search(head):
            return b"".join(self._chunks())
        length = _LENGTH.search(head)
        if length is not None:
            return self._exactly(int(length[1]))
        self.is_last = True
        while self._more():
            self._check_size(len(self._buffer))
        return self._exactly(len(self._buffer))

    def _chunks(self) -> Iterator[bytes]:
        whole = 0
        while True:
            size = _HEXADECIMAL.match(self._until(b"\r\n", _LONGEST_HEAD))
            if size is None:
                raise self._unreadable("sent a chunk without its size")
            if not int(size[0], 16):
                break
            whole += int(size[0], 16)
            self._check_size(whole)
            yield self._exactly(int(size[0], 16))
            self._until(b"\r\n", 2)
        while self._until(b"\r\n", _LONGEST_HEAD) != b"\r\n":
            pass  # a trailer

    def _until(self, mark: bytes, most: int) -> bytes:
        """Give the bytes up to the mark, and with it."""
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > most:
                raise self._unreadable(f"answered with what is no HTTP: {bytes(self._buffer[:60])!r}")
            self._need_more()
        return self._exactly(end + len(mark))

    def _exactly(self, count: int) -> bytes:
        self._check_size(count)
        while len(self._buffer) < count:
            self._need_more()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _need_more(self) -> None:
        if not self._more():
            raise NobodyListens(self._path, "the connection is closed in the middle of an answer")

    def _more(self) -> bool:
        """Receive something; tell whether there was anything."""
        remaining = self._deadline - time.monotonic()
        try:
            if remaining <= 0:
                raise self._late()
            self._connection.settimeout(remaining)
            data = self._connection.recv(_CHUNK)
        except TimeoutError:
            raise self._late() from None
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes:
            raise self._unreadable(f"the answer is larger than {self._most_bytes} bytes")

    def _late(self) -> AnswerLate:
        return AnswerLate(self._path, f"no answer within {self._time_limit:g} s")

    def _unreadable(self, reason: str) -> AnswerUnreadable:
        return AnswerUnreadable(self._path, reason)
