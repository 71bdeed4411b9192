# SPDX-License-Identifier: Apache-2.0
"""What a driver's exception means: one table of codes per server, read into our own errors."""

from __future__ import annotations

from sqlalchemy.engine import URL

from host_agent.errors import (
    SchemaOutdated,
    StoreBusy,
    StoreConnectionLost,
    StoreError,
    StoreReadOnly,
    StoreUnreachable,
)
from host_agent.store.addresses import NoAddressAnswers
from host_agent.store.engine import shown_url

__all__ = ["address_error", "connect_error", "statement_error"]

# A code of MySQL; an SQLSTATE of PostgreSQL or its first two letters; a part of the message, where there is no code:
# of SQLite (Python 3.10 gives none; the text of sqlite3_errmsg is never translated), and of a connection that
# PostgreSQL refused (libpq keeps the SQLSTATE to itself; in another lc_messages the general advice has to do).
_Codes = frozenset[int | str]

# A duplicate key is among them: our upserts meet one only where two writers register the same key at the same
# moment, and the second try finds the row.
_BUSY: _Codes = frozenset(
    {
        "40001",  # PostgreSQL: serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available, after lock_timeout
        "57014",  # query_canceled, after statement_timeout
        "57P03",  # cannot_connect_now
        "the database system is",  # starting up, shutting down, in recovery mode, not yet accepting connections
        "23505",  # unique_violation
        1213,  # MySQL: deadlock, and a write conflict at COMMIT on Galera
        1205,  # lock wait timeout
        1969,  # MariaDB: after max_statement_time
        3024,  # MySQL: after max_execution_time
        1317,  # query execution was interrupted, by KILL QUERY
        1062,  # duplicate entry
        1050,  # a table is there already: another upgrade at the same time, on another node of a Galera cluster
        1060,  # a column
        1061,  # an index
        1412,  # table definition has changed
        1684,  # its definition is being modified by concurrent DDL
        1047,  # Galera: "WSREP has not yet prepared node for application use", while it joins
        1180,  # Galera: error during COMMIT of a node that was cut off
        1020,  # MariaDB 11 and newer: record has changed since last read
        "database is locked",  # SQLITE_BUSY, after the busy timeout
        "database table is locked",  # SQLITE_LOCKED
        "database schema is locked",
        "locking protocol",  # SQLITE_PROTOCOL: lost a race for the WAL's shared memory
        "UNIQUE constraint failed",
    }
)
_LOST: _Codes = frozenset(
    {
        "08",  # PostgreSQL: connection_exception and its kin
        "57P01",  # admin_shutdown, pg_terminate_backend
        "57P02",  # crash_shutdown
        "57P05",  # idle_session_timeout
        "25P03",  # idle_in_transaction_session_timeout
        1053,  # MySQL: server shutdown in progress
        1927,  # MariaDB: connection was killed
        2003,  # cannot connect
        2006,  # server has gone away
        2013,  # lost connection during query
        2055,  # lost connection at a system call
        4031,  # MySQL: disconnected because of inactivity
    }
)
_READ_ONLY: _Codes = frozenset(
    {
        "25006",  # PostgreSQL: read_only_sql_transaction; a replica too
        1290,  # MySQL: the server runs with --read-only
        1792,  # read-only transaction
        1836,  # read-only mode
        "attempt to write a readonly database",
    }
)
_NO_SUCH_TABLE: _Codes = frozenset(
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

# What a person can do about the rest of what has a code.
_ADVICE: tuple[tuple[_Codes, str], ...] = (
    (
        # invalid_authorization_specification, invalid_password; MySQL: access denied, 1698 by its plugin
        frozenset({"28", "password authentication failed", "no pg_hba.conf entry", 1045, 1698}),
        "correct the user and the password in the database url",
    ),
    (frozenset({"3D000", 'FATAL:  database "', 1049}), "create this database, or correct its name in the database url"),
    (
        frozenset({"42501", 1044, 1142, 1143, 1227}),  # insufficient_privilege, command or column denied
        "grant it to the user in the database url",
    ),
    (
        # too_many_connections, configuration_limit_exceeded; MySQL: of the server, of one user, of one user an hour
        frozenset({"53300", "53400", "too many c", "connection slots are reserved", 1040, 1203, 1226}),
        "raise the server's limit of connections, or put a connection pooler before it",
    ),
    (
        # disk_full; MySQL: ER_DISK_FULL, ER_RECORD_FILE_FULL; SQLITE_FULL
        frozenset({"53100", 1021, 1114, "database or disk is full"}),
        "make room on the disk of the database",
    ),
    (frozenset({"53200", 1037, 1038, 1041, "out of memory"}), "give the server of the database more memory"),
    (
        frozenset({"58030", 1030, "disk I/O error"}),  # io_error, SQLITE_IOERR
        "look at the disk of the database",
    ),
    (
        frozenset({"XX001", "XX002", 1034, 1194, "database disk image is malformed"}),  # SQLITE_CORRUPT
        "the database is damaged: restore it from a backup",
    ),
    (frozenset({"file is not a database"}), "give the file of a database, or the name of a new one"),
    (
        frozenset({"unable to open database file"}),  # all that SQLite ever says
        "its folder has to exist, and this user has to be able to write there",
    ),
)


def connect_error(url: URL, error: BaseException | None) -> StoreError:
    """Give our error for what the driver raised instead of a connection."""
    return _connect_error(shown_url(url), error)


def address_error(url: URL, failed: NoAddressAnswers) -> StoreError:
    """Give our error where none of several servers took the connection: each with its own reason."""
    errors = [_connect_error("", error) for _address, error in failed.errors]
    reasons = "; ".join(f"{address}: {_reason(error)}" for address, error in failed.errors)
    # One that only has to finish something is worth another try soon.
    if any(isinstance(error, StoreBusy) for error in errors):
        return StoreBusy(shown_url(url), reasons)
    advices = {_advice(error) for _address, error in failed.errors}
    return StoreUnreachable(shown_url(url), reasons, advices.pop() if len(advices) == 1 else None)


def statement_error(url: URL, error: BaseException | None, *, is_lost: bool) -> StoreError:
    """Give our error for a statement or a commit that failed on an open connection.

    Args:
        url: of the database.
        error: what the driver raised.
        is_lost: whether the connection cannot be used any more.
    """
    shown, reason, advice = shown_url(url), _reason(error), _advice(error)
    if _matches(error, _BUSY):
        return StoreBusy(shown, reason)
    if is_lost or _matches(error, _LOST):
        return StoreConnectionLost(shown, reason)
    if _matches(error, _READ_ONLY):
        return StoreReadOnly(shown, reason)
    if _matches(error, _NO_SUCH_TABLE):
        return SchemaOutdated(shown, f"the schema lacks what this program uses ({reason})")
    return StoreError(shown, f"{reason}: {advice}" if advice else reason)


def _connect_error(shown: str, error: BaseException | None) -> StoreError:
    if _matches(error, _READ_ONLY):
        return StoreReadOnly(shown, _reason(error))
    if _matches(error, _BUSY):
        return StoreBusy(shown, _reason(error))
    return StoreUnreachable(shown, _reason(error), _advice(error))


def _advice(error: BaseException | None) -> str | None:
    return next((advice for codes, advice in _ADVICE if _matches(error, codes)), None)


def _matches(error: BaseException | None, codes: _Codes) -> bool:
    first = error.args[0] if error is not None and error.args else None
    if isinstance(first, int):
        return first in codes
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate in codes or sqlstate[:2] in codes
    return any(isinstance(text, str) and " " in text and text in str(first) for text in codes)


def _reason(error: BaseException | None) -> str:
    args = error.args if error is not None else ()
    # PyMySQL: (code, text). Servers append hints and contexts on further lines.
    text = f"{args[1]} ({args[0]})" if len(args) == 2 and isinstance(args[0], int) else str(error)
    lines = text.strip().splitlines()
    return lines[0] if lines else type(error).__name__
