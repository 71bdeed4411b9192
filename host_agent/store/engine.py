# SPDX-License-Identifier: Apache-2.0
"""A url -> an engine whose connections behave alike on SQLite, PostgreSQL, MySQL and MariaDB.

Whatever the server: READ COMMITTED or stricter, UTC, an end to every wait, and at most one idle connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from host_agent.errors import InvalidDatabaseUrl, StoreError

__all__ = ["DEFERRED_BEGIN", "SUPPORTED_URLS", "Engine", "open_engine", "shown_url"]

SUPPORTED_URLS = "sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME or mysql+pymysql://USER@HOST/NAME"

# The execution option that asks for a transaction which only reads; on SQLite it takes no write lock.
DEFERRED_BEGIN = "deferred_begin"

# Nothing here takes a second on a healthy server; what takes longer is stuck, and must not stop the heartbeat.
_STATEMENT_SECONDS = 30
_LOCK_SECONDS = 3

_DRIVERS = {
    "sqlite+pysqlite": "sqlite",
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "postgresql", "pymysql": "mysql"}


def open_engine(url: str, *, connect_timeout_seconds: float = 5) -> Engine:
    """Make an engine for `url`; it connects at the first use.

    Raises:
        StoreError: `url` is no url, names a database we do not know, or needs a driver that is not installed.
    """
    parsed = _parse(url)
    options = _OPTIONS[parsed.get_backend_name()](connect_timeout_seconds)
    try:
        engine = create_engine(
            parsed,
            # Every node of the fleet runs a daemon: each holds one connection, and more only while it uses them.
            pool_size=1,
            max_overflow=4,
            # No pool_pre_ping: it costs a round trip each time, and a connection found dead is retried anyway.
            hide_parameters=True,
            **options,
        )
    except ModuleNotFoundError as error:
        driver = error.name or parsed.get_driver_name()
        extra = _EXTRAS.get(driver, parsed.get_backend_name())
        reason = f"this database needs {driver}: pip install 'os-capability[{extra}]'"
        raise StoreError(shown_url(parsed), reason) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _prepare_postgresql)
    else:
        event.listen(engine, "connect", _prepare_mysql)
    return engine


def shown_url(url: URL) -> str:
    """Give a url as people may see it: without password, and without the query, which may hold one too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        if parsed.drivername in _DRIVERS:
            parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    except (ArgumentError, ValueError) as error:
        # Not quoted: what stands there may hold a password in a place we would not look for it.
        raise InvalidDatabaseUrl("", f"the database url is not understood: expected {SUPPORTED_URLS}") from error
    if "@" in (parsed.host or ""):
        # An "@" of the password that is not percent-encoded: what stands behind it must not be shown as a host.
        raise InvalidDatabaseUrl("", "the database url has more than one @: write those of the password as %40")
    if parsed.drivername not in _DRIVERS.values():
        raise InvalidDatabaseUrl(
            "", f"no support for databases of the kind {parsed.drivername!r}: expected {SUPPORTED_URLS}"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise InvalidDatabaseUrl(shown_url(parsed), f"the url names no database: expected {SUPPORTED_URLS}")
    return parsed


def _sqlite_options(connect_timeout_seconds: float) -> dict[str, Any]:
    # sqlite3's timeout is the busy timeout: how long a statement waits for another process's lock.
    return {"connect_args": {"timeout": connect_timeout_seconds}}


def _postgresql_options(connect_timeout_seconds: float) -> dict[str, Any]:
    return {
        "isolation_level": "READ COMMITTED",
        "connect_args": {
            "application_name": "os-capability",
            # libpq takes whole seconds, and reads 1 as 2.
            "connect_timeout": max(2, round(connect_timeout_seconds)),
            # pgbouncer before 1.21 in transaction mode hands the next transaction another server connection, where
            # the prepared statement of the same name is somebody else's.
            "prepare_threshold": None,
        },
    }


def _mysql_options(connect_timeout_seconds: float) -> dict[str, Any]:
    return {
        # Under REPEATABLE READ an UPDATE that matches nothing locks the gap, and hosts that register at the same
        # time deadlock on each other's gaps.
        "isolation_level": "READ COMMITTED",
        "connect_args": {
            "charset": "utf8mb4",
            "connect_timeout": connect_timeout_seconds,
            # Until `_prepare_mysql`, this limits the server's greeting, which connect_timeout does not: the kernel
            # of a server that hangs goes on taking connections.
            "read_timeout": connect_timeout_seconds,
            "write_timeout": _STATEMENT_SECONDS,
            # TRADITIONAL: a text too long or a number too big is an error, not silently something else.
            "init_command": "SET time_zone = '+00:00', sql_mode = 'TRADITIONAL', "
            f"innodb_lock_wait_timeout = {_LOCK_SECONDS}",
        },
    }


_OPTIONS: dict[str, Callable[[float], dict[str, Any]]] = {
    "sqlite": _sqlite_options,
    "postgresql": _postgresql_options,
    "mysql": _mysql_options,
    "mariadb": _mysql_options,
}


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The module's own BEGIN comes late and is always deferred: two writers that both read first then fail with
    # "database is locked" at once, whatever the busy timeout. So it gets out of the way and we begin ourselves.
    connection.isolation_level = None
    (journal_mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if journal_mode != "wal":
        # A network file system, where WAL's shared memory cannot work.
        raise StoreError(
            "", f"SQLite keeps journal_mode {journal_mode} on this file system: move the file to a local disk"
        )
    # With WAL this may lose the last commits at a power cut, never the database; facts are collected again anyway.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    (foreign_keys,) = connection.execute("PRAGMA foreign_keys").fetchone()
    if foreign_keys != 1:
        raise StoreError("", "this SQLite library is built without foreign keys")


def _begin_sqlite(connection: Connection) -> None:
    deferred = connection.get_execution_options().get(DEFERRED_BEGIN)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


def _prepare_postgresql(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # Not the start-up parameter `options`, which pgbouncer before 1.20 refuses.
    connection.autocommit = True
    connection.execute(f"SET statement_timeout = '{_STATEMENT_SECONDS}s'")
    connection.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
    connection.autocommit = False


def _prepare_mysql(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # PyMySQL has no public way to change it (1.1 and 1.2 read it before each packet).
    connection._read_timeout = _STATEMENT_SECONDS
