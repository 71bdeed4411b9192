# SPDX-License-Identifier: Apache-2.0
"""A connection to PostgreSQL that gives up on a server that has stopped to answer.

The server's own statement_timeout does nothing while the server is frozen, and TCP sees nothing as long as its kernel
lives: psycopg would wait for ever. It is imported only where such a database is used.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from typing import Any

import psycopg

__all__ = ["PatientConnection"]

_EVENTS = {1: select.POLLIN, 2: select.POLLOUT, 3: select.POLLIN | select.POLLOUT}


class PatientConnection(psycopg.Connection[Any]):
    """Waits for each answer as long as `patience_seconds` says; ``None`` is for ever."""

    patience_seconds: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *_args: Any, **_options: Any) -> Any:
        """Run one of psycopg's generators to its end: it yields 1 to read, 2 to write, 3 for either.

        Raises:
            psycopg.OperationalError: no answer in time; the connection is closed.
        """
        end = None if self.patience_seconds is None else time.monotonic() + self.patience_seconds
        poll = select.poll()
        try:
            wanted = next(gen)
            while True:
                poll.register(self.pgconn.socket, _EVENTS[wanted])
                wanted = gen.send(self._ready(poll, wanted, end))
        except StopIteration as stop:
            return stop.value
        except KeyboardInterrupt:
            self.pgconn.finish()  # in the midst of an answer: of no use any more
            raise

    def _ready(self, poll: select.poll, wanted: int, end: float | None) -> int:
        events = poll.poll(None if end is None else max(0.0, end - time.monotonic()) * 1000)
        if not events:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer from the server within {self.patience_seconds:g} s")
        happened = events[0][1]
        ready = (1 if happened & select.POLLIN else 0) | (2 if happened & select.POLLOUT else 0)
        # A connection that broke is neither: libpq sees that when it reads.
        return ready & wanted or wanted
