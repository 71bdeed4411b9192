# SPDX-License-Identifier: Apache-2.0
"""What a driver's exception means: one table of codes per server, read into our own errors."""

from __future__ import annotations

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from host_agent.errors import (
    SchemaOutdated,
    StoreBusy,
    StoreConnectionLost,
    StoreError,
    StoreReadOnly,
    StoreUnreachable,
)
from host_agent.store.engine import shown_url

__all__ = ["connect_error", "statement_error"]

# A duplicate key is among them: our upserts meet one only where two writers register the same key at the same
# moment, and the second try finds the row.
_BUSY: frozenset[int | str] = frozenset(
    {
        "40001",  # PostgreSQL: serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available, after lock_timeout
        "23505",  # unique_violation
        1213,  # MySQL: deadlock, and a write conflict at COMMIT on Galera
        1205,  # lock wait timeout
        1062,  # duplicate entry
        1047,  # Galera: "WSREP has not yet prepared node for application use", while it joins
        1180,  # Galera: error during COMMIT of a node that was cut off
        1020,  # MariaDB 11 and newer: record has changed since last read
        "database is locked",  # SQLITE_BUSY, after the busy timeout
        "database table is locked",
        "UNIQUE constraint failed",
    }
)
_LOST: frozenset[int | str] = frozenset(
    {
        "57P01",  # PostgreSQL: admin_shutdown, pg_terminate_backend
        "57P02",  # crash_shutdown
        2006,  # MySQL: server has gone away
        2013,  # lost connection during query
        2055,  # lost connection at a system call
    }
)
_READ_ONLY: frozenset[int | str] = frozenset(
    {
        "25006",  # PostgreSQL: read_only_sql_transaction; a replica too
        1290,  # MySQL: the server runs with --read-only
        1792,  # read-only transaction
        1836,  # read-only mode
        "attempt to write a readonly database",
    }
)
_NO_SUCH_TABLE: frozenset[int | str] = frozenset(
    {
        "42P01",  # PostgreSQL: undefined_table
        "42703",  # undefined_column
        1146,  # MySQL: no such table
        1054,  # unknown column
        "no such table",
        "no such column",
        "has no column named",
    }
)


def connect_error(url: URL, error: DBAPIError) -> StoreError:
    """Give our error for a connection that could not be made."""
    if _matches(error, _READ_ONLY):
        return StoreReadOnly(shown_url(url), _reason(error))
    if _matches(error, _BUSY):
        return StoreBusy(shown_url(url), _reason(error))
    reason = _reason(error)
    if reason == "unable to open database file":  # all that SQLite ever says
        reason += ": does its folder exist, and may this user write there?"
    return StoreUnreachable(shown_url(url), reason)


def statement_error(url: URL, error: DBAPIError) -> StoreError:
    """Give our error for a statement or a commit that failed on an open connection."""
    shown, reason = shown_url(url), _reason(error)
    if error.connection_invalidated or _matches(error, _LOST):
        return StoreConnectionLost(shown, reason)
    if _matches(error, _BUSY):
        return StoreBusy(shown, reason)
    if _matches(error, _READ_ONLY):
        return StoreReadOnly(shown, reason)
    if _matches(error, _NO_SUCH_TABLE):
        return SchemaOutdated(shown, f"the schema is older than this program ({reason})")
    return StoreError(shown, reason)


def _matches(error: DBAPIError, codes: frozenset[int | str]) -> bool:
    first = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(first, int):
        return first in codes
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate in codes
    # SQLite: Python 3.10 gives no code, only the text of sqlite3_errmsg, which is never translated.
    return any(isinstance(text, str) and text in str(first) for text in codes)


def _reason(error: DBAPIError) -> str:
    args = error.orig.args if error.orig is not None else ()
    # PyMySQL: (code, text). Servers append hints and contexts on further lines.
    text = f"{args[1]} ({args[0]})" if len(args) == 2 and isinstance(args[0], int) else str(error.orig)
    lines = text.strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
