# SPDX-License-Identifier: Apache-2.0
"""One public store function = one transaction; the retry stands outside it.

Inside, a second try would repeat in a transaction that the server has already given up.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from host_agent.errors import InvalidDatabaseUrl, StoreBusy, StoreConnectionLost, StoreError
from host_agent.store.addresses import NoAddressAnswers
from host_agent.store.engine import DEFERRED_BEGIN, shown_url
from host_agent.store.faults import address_error, connect_error, statement_error

__all__ = ["reading", "retry_temporary", "transaction"]

# A call takes a few seconds at most: whoever reports comes again in the next cycle, with newer facts.
_MOST_TRIES = 5
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_MOST_SECONDS = 5.0

_P = ParamSpec("_P")
_R = TypeVar("_R")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes; it commits at the end of the block and rolls back on any exception.

    Raises:
        StoreError: one of its children, for whatever the driver raised.
    """
    with _connection(engine) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads: on SQLite it waits for no writer and works on a read-only file.

    Raises:
        StoreError: one of its children, for whatever the driver raised.
    """
    with _connection(engine) as connection:
        connection.execution_options(**{DEFERRED_BEGIN: True})
        with connection.begin():
            yield connection


@contextmanager
def _connection(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise connect_error(engine.url, error.orig) from error
    except NoAddressAnswers as error:
        raise address_error(engine.url, error) from error
    except PoolTimeout as error:
        raise StoreBusy(shown_url(engine.url), "all connections of this process are in use") from error
    except TypeError as error:
        # PyMySQL takes what stands in the query as keyword arguments, and names the one it does not know.
        raise InvalidDatabaseUrl(shown_url(engine.url), f"the url's query has an unknown option: {error}") from error
    except StoreError as error:
        raise StoreError(shown_url(engine.url), error.reason) from error
    try:
        with connection:
            yield connection
    except DBAPIError as error:
        raise statement_error(engine.url, error.orig, is_lost=error.connection_invalidated) from error


def retry_temporary(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Call again, after a pause of random length, while the error is one that another try may not meet.

    Those are deadlocks, serialization failures, lock timeouts, a busy SQLite file, a Galera node that is not ready,
    and a connection lost in use. A refused connection or wrong credentials will be the same in a second: raised at
    once. At most 5 tries, none begun later than 5 seconds after the first.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        started = time.monotonic()
        for tried in range(1, _MOST_TRIES):
            try:
                return function(*args, **kwargs)
            except (StoreBusy, StoreConnectionLost):
                # Full jitter: writers that collided once would collide again after equal pauses.
                longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tried)
                pause = random.uniform(0, longest)  # noqa: S311 - spreads load, keeps no secret
                if time.monotonic() + pause > started + _MOST_SECONDS:
                    raise
                time.sleep(pause)
        return function(*args, **kwargs)

    return call
