# SPDX-License-Identifier: Apache-2.0
"""A url -> an engine whose connections behave alike on SQLite, PostgreSQL, MySQL and MariaDB.

Whatever the server: READ COMMITTED or stricter, UTC, an end to every wait, and no idle connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from host_agent.errors import InvalidDatabaseUrl, StoreError
from host_agent.store.addresses import Address, Failover, addresses_of, parse_url

__all__ = ["DEFERRED_BEGIN", "SUPPORTED_URLS", "Engine", "open_engine", "shown_url", "without_statement_limit"]

SUPPORTED_URLS = "sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME or mysql+pymysql://USER@HOST/NAME"

# The execution option that asks for a transaction which only reads; on SQLite it takes no write lock.
DEFERRED_BEGIN = "deferred_begin"

# Nothing here takes a second on a healthy server; what takes longer is stuck, and must not stop the heartbeat.
_STATEMENT_SECONDS = 20.0
_LOCK_SECONDS = 3

_DRIVERS = {
    "sqlite+pysqlite": "sqlite",
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "postgresql", "pymysql": "mysql"}


def open_engine(
    url: str,
    *,
    connect_timeout_seconds: float = 5,
    statement_timeout_seconds: float = _STATEMENT_SECONDS,
    connections: int | None = None,
) -> Engine:
    """Make an engine for `url`; it connects at the first use.

    Args:
        url: one of `SUPPORTED_URLS`; HOST may be several, HOST:PORT,HOST:PORT.
        connect_timeout_seconds: for each of them; for SQLite how long to wait for another process's lock.
        statement_timeout_seconds: after it the server ends a statement. A server that is too frozen for that is given
            up after `connect_timeout_seconds` more.
        connections: leave so many open between transactions, and never have more: for whoever has many transactions in
            a row, in so many threads.

    Raises:
        StoreError: `url` is no url, names a database we do not know, or needs a driver that is not installed.
    """
    parsed, addresses = _parse(url)
    options = _OPTIONS[parsed.get_backend_name()](connect_timeout_seconds)
    # Every node of the fleet runs a daemon: idle connections of them all would be most of what a server can have. On a
    # file one is kept: SQLite removes the WAL with the last connection, and whoever may only read needs it to be there.
    is_kept = connections is not None or parsed.get_backend_name() == "sqlite"
    # Nothing is reset before one is closed: where a commit failed, SQLAlchemy would log that the rollback does too.
    closed_at_once = {"poolclass": NullPool, "pool_reset_on_return": None}
    kept = {"pool_size": connections or 1, "max_overflow": 4 if connections is None else 0}
    options |= kept if is_kept else closed_at_once
    engine = _make_engine(parsed, options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_prepare_sqlite, busy_seconds=connect_timeout_seconds))
        event.listen(engine, "checkout", _require_same_file)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    connect, prepare, takes_writes = _SERVERS[engine.dialect.name]()
    patience = statement_timeout_seconds + connect_timeout_seconds
    event.listen(engine, "connect", partial(prepare, seconds=statement_timeout_seconds, patience=patience))
    if addresses:
        errors = engine.dialect.loaded_dbapi.Error
        connect = Failover(addresses, connect=connect, takes_writes=takes_writes, driver_error=errors)
    event.listen(engine, "do_connect", partial(_connect, connect, sorted(parsed.query)))
    return engine


def _make_engine(url: URL, options: dict[str, Any]) -> Engine:
    try:
        # No pool_pre_ping: it costs a round trip each time, and a connection found dead is retried anyway.
        return create_engine(url, hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        driver = error.name or url.get_driver_name()
        extra = _EXTRAS.get(driver, url.get_backend_name())
        reason = f"this database needs {driver}: pip install 'os-capability[{extra}]'"
        raise StoreError(shown_url(url), reason) from error
    except (ArgumentError, ValueError) as error:
        # Not quoted: the value of an option may be a password in the wrong place.
        reason = "an option in the url's query has a value that it cannot have"
        raise InvalidDatabaseUrl(shown_url(url), reason) from error


def shown_url(url: URL) -> str:
    """Give a url as people may see it: without password, and without the query, which may hold one too."""
    text = url.set(query={}).render_as_string(hide_password=True)
    try:
        addresses = ",".join(map(str, addresses_of(url)))
    except ValueError:
        addresses = ""
    if not addresses or url.host:
        return text
    scheme, _, rest = text.partition("://")
    user, at, path = rest.partition("@") if url.username is not None else ("", "", rest)
    return f"{scheme}://{user}{at}{addresses}{path}"


def without_statement_limit(connection: Connection, *, lock_seconds: int) -> None:
    """Let the statements of this transaction run as long as they take, as DDL on a big table does.

    Args:
        connection: in a transaction of an engine that does not keep connections open.
        lock_seconds: how long a statement may wait for the lock of a table.
    """
    driver_connection: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        driver_connection.patience_seconds = None
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{lock_seconds}s'")
    elif connection.dialect.name in ("mysql", "mariadb"):
        driver_connection.patience_seconds = None
        connection.exec_driver_sql(f"SET lock_wait_timeout = {lock_seconds}{_mysql_limit(driver_connection, 0)}")


def _parse(url: str) -> tuple[URL, list[Address]]:
    try:
        parsed = parse_url(url)
        if parsed.drivername in _DRIVERS:
            parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
        addresses = addresses_of(parsed)
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
    return parsed, addresses if parsed.get_backend_name() != "sqlite" else []


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
            # A peer that is gone without a word is noticed within 25 s: idle, and with data on the way (milliseconds).
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,
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
        },
    }


_OPTIONS: dict[str, Callable[[float], dict[str, Any]]] = {
    "sqlite": _sqlite_options,
    "postgresql": _postgresql_options,
    "mysql": _mysql_options,
    "mariadb": _mysql_options,
}


def _connect(
    connect: Callable[..., Any], options: list[str], _dialect: Any, _entry: Any, args: Any, parameters: dict[str, Any]
) -> Any:
    place = f"the options after the ? of the database url ({', '.join(options)})" if options else "the database url"
    try:
        return connect(*args, **parameters)
    except OSError as error:
        # Whatever comes of the network is the driver's own error: this is a file, such as PyMySQL's ssl_ca.
        raise StoreError("", f"a file of {place} cannot be used: {error.strerror or error}") from error
    except (TypeError, ValueError) as error:
        # Not quoted: it may hold the value.
        reason = f"the driver does not take {place} as it stands"
        raise InvalidDatabaseUrl("", reason) from error


def _prepare_sqlite(connection: sqlite3.Connection, entry: ConnectionPoolEntry, *, busy_seconds: float) -> None:
    # The module's own BEGIN comes late and is always deferred: two writers that both read first then fail with
    # "database is locked" at once, whatever the busy timeout. So it gets out of the way and we begin ourselves.
    connection.isolation_level = None
    (journal_mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if journal_mode != "wal":
        # A network file system, where WAL's shared memory cannot work.
        raise StoreError(
            "", f"SQLite keeps journal_mode {journal_mode} on this file system: move the file to a local disk"
        )
    (_number, _name, entry.info["path"]) = connection.execute("PRAGMA database_list").fetchone()
    entry.info["file"] = _file_of(entry.info["path"])
    # With WAL this may lose the last commits at a power cut, never the database; facts are collected again anyway.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    (foreign_keys,) = connection.execute("PRAGMA foreign_keys").fetchone()
    if foreign_keys != 1:
        raise StoreError("", "this SQLite library is built without foreign keys")
    (busy_milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
    if busy_milliseconds != round(busy_seconds * 1000):
        raise StoreError("", f"SQLite keeps busy_timeout {busy_milliseconds} ms, and would not wait for other writers")


def _file_of(path: str) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def _require_same_file(_connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
    """Connect anew where the file was removed or replaced: nobody else sees the one we have open."""
    try:
        is_same = _file_of(entry.info["path"]) == entry.info["file"]
    except OSError:
        is_same = False
    if not is_same:
        raise DisconnectionError("another file")


def _begin_sqlite(connection: Connection) -> None:
    deferred = connection.get_execution_options().get(DEFERRED_BEGIN)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


def _prepare_postgresql(connection: Any, _entry: ConnectionPoolEntry, *, seconds: float, patience: float) -> None:
    connection.patience_seconds = patience
    # Not the start-up parameter `options`, which pgbouncer before 1.20 refuses.
    connection.autocommit = True
    connection.execute(
        f"SELECT set_config('statement_timeout', '{seconds * 1000:.0f}', false),"
        f" set_config('lock_timeout', '{_LOCK_SECONDS}s', false)"
    )
    connection.autocommit = False


def _prepare_mysql(connection: Any, _entry: ConnectionPoolEntry, *, seconds: float, patience: float) -> None:
    connection.patience_seconds = patience
    with connection.cursor() as cursor:
        # TRADITIONAL: a text too long or a number too big is an error, not silently something else.
        cursor.execute(
            "SET time_zone = '+00:00', sql_mode = 'TRADITIONAL',"
            f" innodb_lock_wait_timeout = {_LOCK_SECONDS}, lock_wait_timeout = {_LOCK_SECONDS}"
            f"{_mysql_limit(connection, seconds)}"
        )


def _mysql_limit(connection: Any, seconds: float) -> str:
    # The one of MySQL ends nothing but SELECT; for the rest there is the time limit of the connection.
    if "MariaDB" in connection.get_server_info():
        return f", max_statement_time = {seconds:g}"
    return f", max_execution_time = {seconds * 1000:.0f}"


def _is_writable_postgresql(connection: Any) -> bool:
    connection.autocommit = True
    (is_read_only,) = connection.execute("SHOW transaction_read_only").fetchone()
    return bool(is_read_only == "off")


def _is_writable_mysql(connection: Any) -> bool:
    with connection.cursor() as cursor:
        try:
            # With a table: a Galera node that is cut off answers everything else, and has error 1047 only for that.
            cursor.execute("SELECT @@global.read_only, EXISTS (SELECT * FROM alembic_version)")
        except connection.ProgrammingError:
            cursor.execute("SELECT @@global.read_only")  # no such table yet
        (is_read_only, *_) = cursor.fetchone()
    return not is_read_only


def _postgresql_server() -> tuple[Any, Any, Any]:
    from host_agent.store.psycopg_connection import PatientConnection

    return PatientConnection.connect, _prepare_postgresql, _is_writable_postgresql


def _mysql_server() -> tuple[Any, Any, Any]:
    from host_agent.store.pymysql_connection import PatientConnection

    return PatientConnection, _prepare_mysql, _is_writable_mysql


_SERVERS = {"postgresql": _postgresql_server, "mysql": _mysql_server, "mariadb": _mysql_server}
