# SPDX-License-Identifier: Apache-2.0
"""How many requests were answered, how, and how long that took: the sum of what all processes of a service counted."""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import falcon

__all__ = ["BOUNDS", "CLASSES", "Counted", "RequestCounter", "RequestCounts"]

# Upper bounds in seconds; what takes longer than the last is counted after them.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")

# A path or a method that nobody serves is not told by its name: clients could make up any number of them.
_NO_ROUTE = ("unmatched", "any")

_COUNT_BYTES = 8
_BLOCK = len(CLASSES) + len(BOUNDS) + 2  # the last two: longer than every bound; the sum of all seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The requests of one method of one route.

    Attributes:
        by_class: by `CLASSES`, in their order.
        by_bound: by `BOUNDS`, each with its own alone, and what took longer.
        seconds: of all together.
    """

    route: str
    method: str
    by_class: tuple[int, ...]
    by_bound: tuple[int, ...]
    seconds: float


class RequestCounts:
    """Counts in memory that is a file, one for each process, so that any of them can add up all.

    The routes are known, and so is every place where something is counted: no process waits for another.
    """

    def __init__(self, operations: Iterable[tuple[str, str]], folder: Path | None = None) -> None:
        """Prepare.

        Args:
            operations: the routes and methods that are served.
            folder: of one run of the service, where its processes keep their files; ``None`` where it is one process.
        """
        self._operations: Sequence[tuple[str, str]] = (*operations, _NO_ROUTE)
        self._at = {operation: number * _BLOCK for number, operation in enumerate(self._operations)}
        self._folder = folder
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._own = _mapped(0, None)

    def add(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count one request.

        Args:
            route: the template of its path; ``None`` where there is no such path.
            method: as it came.
            status: of the answer.
            seconds: what it took.
        """
        at = self._at.get((route or "", method), self._at[_NO_ROUTE])
        with self._lock:
            own = self._counts()
            own[at + min(max(status // 100, 1), len(CLASSES)) - 1] += 1
            own[at + len(CLASSES) + bisect_left(BOUNDS, seconds)] += 1
            own[at + _BLOCK - 1] += seconds

    def __iter__(self) -> Iterator[Counted]:
        """Give what was counted, by all processes together; nothing of what was never asked for."""
        with self._lock:
            counts = [sum(one) for one in zip(*self._everybodys(), strict=True)]
        for (route, method), at in self._at.items():
            seconds_at = at + _BLOCK - 1
            if any(counts[at:seconds_at]):
                yield Counted(
                    route=route,
                    method=method,
                    by_class=tuple(map(int, counts[at : at + len(CLASSES)])),
                    by_bound=tuple(map(int, counts[at + len(CLASSES) : seconds_at])),
                    seconds=counts[seconds_at],
                )

    def _counts(self) -> memoryview[float]:
        # A process that was forked must not go on in the file of its parent.
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._own = _mapped(self._size(), None if self._folder is None else self._file(str(self._pid)))
        return self._own

    def _everybodys(self) -> Iterator[Sequence[float]]:
        own = self._counts()
        if self._folder is None:
            yield own
            return
        for path in sorted(self._folder.glob(self._file("*").name)):
            yield memoryview(path.read_bytes()).cast("d")

    def _file(self, pid: str) -> Path:
        assert self._folder is not None
        # Another release in the same folder has other routes.
        layout = hashlib.sha256(repr((self._operations, BOUNDS, CLASSES)).encode()).hexdigest()[:16]
        return self._folder / f"requests-{layout}-{pid}"

    def _size(self) -> int:
        return len(self._operations) * _BLOCK * _COUNT_BYTES


class RequestCounter:
    """Counts each request when it is answered."""

    def __init__(self, counts: RequestCounts) -> None:
        self._counts = counts

    def process_request(self, request: falcon.Request, _response: falcon.Response) -> None:
        """Begin."""
        request.context.began = time.perf_counter()

    def process_response(
        self, request: falcon.Request, response: falcon.Response, _resource: object, _succeeded: bool
    ) -> None:
        """Count it."""
        seconds = time.perf_counter() - request.context.began
        self._counts.add(request.uri_template, request.method, response.status_code, seconds)


def _mapped(size: int, path: Path | None) -> memoryview[float]:
    """Give doubles that are 0, or what a process of the same id left behind."""
    if path is None:
        return memoryview(bytearray(size)).cast("d")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Not a hole: a full disk would end the process at the first count that does not fit.
        os.posix_fallocate(descriptor, 0, size)
        return memoryview(mmap.mmap(descriptor, size)).cast("d")
    finally:
        os.close(descriptor)
