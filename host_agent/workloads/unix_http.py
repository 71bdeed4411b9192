# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over a unix socket: requests that only ask, answers in JSON, and a limit on time and size for each."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from host_agent.workloads.http_stream import (
    AnswerLate,
    AnswerUnreadable,
    HttpStream,
    NobodyListens,
    UnixHttpError,
)

__all__ = [
    "AnswerLate",
    "AnswerUnreadable",
    "NobodyListens",
    "RequestRefused",
    "SocketAbsent",
    "SocketForbidden",
    "UnixHttp",
    "UnixHttpError",
]

# Requests that are under way at once. All of them fit into the smallest buffer of a unix socket, so that sending never
# waits for a server that waits for us.
_PIPELINED = 32


class SocketAbsent(UnixHttpError):
    """There is no such socket."""


class SocketForbidden(UnixHttpError):
    """The socket, or a folder on the way to it, is closed to this process."""


class RequestRefused(UnixHttpError):
    """The server answered with an error.

    Attributes:
        status: HTTP's, 300 and above.
    """

    def __init__(self, path: str, status: int, message: str) -> None:
        super().__init__(path, f"HTTP status {status}: {message}" if message else f"HTTP status {status}")
        self.status = status


class UnixHttp:
    """One connection, opened when it is needed and kept; a context manager that closes it.

    One caller at a time. After an error the next request opens a new connection.

    Attributes:
        path: the socket.
    """

    def __init__(self, path: str, *, time_limit_seconds: float = 10.0, most_bytes: int = 64 << 20) -> None:
        """Prepare; nothing is opened yet.

        Args:
            path: the socket.
            time_limit_seconds: for each answer, from the request to its last byte.
            most_bytes: that an answer may have.
        """
        self.path = path
        self._time_limit = time_limit_seconds
        self._most_bytes = most_bytes
        self._stream: HttpStream | None = None

    def __enter__(self) -> UnixHttp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def get(self, target: str) -> Any:
        """Ask for one thing.

        Raises:
            UnixHttpError: the subclass says what went wrong.
        """
        (answer,) = self.get_each([target])
        if isinstance(answer, RequestRefused):
            raise answer
        return answer

    def get_each(self, targets: Sequence[str]) -> Iterator[Any]:
        """Ask for many things at once and yield their answers in order; one that is refused is a `RequestRefused`.

        Requests are pipelined: a server that is asked one by one is idle while we read.

        Raises:
            UnixHttpError: the subclass says what went wrong; what was yielded before is good.
        """
        done = 0
        while done < len(targets):
            for status, body in self._answers(targets[done:]):
                done += 1
                yield self._read(status, body)

    def _answers(self, targets: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        """Yield status and body of the answers that come on one connection: at least one, and maybe not all."""
        is_new = self._stream is None
        stream = self._stream = self._stream or self._connected()
        sent = 0
        try:
            for number in range(len(targets)):
                if sent - number <= _PIPELINED // 2:
                    batch = targets[sent : number + _PIPELINED]
                    stream.send(b"".join(map(_request, batch)))
                    sent += len(batch)
                answer = stream.answer(may_be_closed=number > 0 or not is_new)
                # A server may close a connection whenever nothing is under way, and after any answer.
                is_over = answer is None or stream.is_last
                if is_over:
                    self.close()
                if answer is not None:
                    yield answer
                if is_over:
                    return
        except BaseException:  # a caller that stops asking as well: answers that nobody read are on their way
            self.close()
            raise

    def _connected(self) -> HttpStream:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._time_limit)
            connection.connect(self.path)
        except OSError as error:
            connection.close()
            raise _connection_error(self.path, error) from None
        return HttpStream(connection, self.path, self._time_limit, self._most_bytes)

    def _read(self, status: int, body: bytes) -> Any:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            if status < 300:
                raise AnswerUnreadable(self.path, f"answered with what is no JSON: {body[:60]!r}") from None
            answer = None
        if status < 300:
            return answer
        message = answer.get("message") if isinstance(answer, dict) else None
        return RequestRefused(self.path, status, str(message or "")[:200])


def _request(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: host-agent\r\n\r\n".encode("ascii")


def _connection_error(path: str, error: OSError) -> UnixHttpError:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return SocketAbsent(path, "there is no such socket")
        case PermissionError():
            return SocketForbidden(path, "permission denied")
        case ConnectionRefusedError():
            return NobodyListens(path, "connection refused")
        # A unix socket says so at once where the queue of connections is full: nobody has taken any for long.
        case TimeoutError() | BlockingIOError():
            return AnswerLate(path, "no connection is taken")
    return NobodyListens(path, error.strerror or str(error))
