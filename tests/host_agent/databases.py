# SPDX-License-Identifier: Apache-2.0
"""Databases of a test's own: an SQLite file always, PostgreSQL and MySQL or MariaDB where a server answers."""

from __future__ import annotations

import functools
import os
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy.engine import URL, make_url

from host_agent.store import migrate, open_engine
from host_agent.store.schema import METADATA

__all__ = ["BACKENDS", "PreparedDatabases", "own_database", "raw_connection"]

BACKENDS = ("sqlite", "postgresql", "mysql")

_SERVERS = {
    "postgresql": os.environ.get(
        "OS_CAPABILITY_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1/postgres"
    ),
    "mysql": os.environ.get("OS_CAPABILITY_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1/mysql"),
}
_TABLES = tuple(METADATA.tables)
_COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
    "WHERE table_schema IN (%s, 'public') ORDER BY table_name, column_name"
)
_FILLED = " UNION ALL ".join(f"(SELECT '{table}' FROM {table} LIMIT 1)" for table in _TABLES)


def own_database(backend: str, folder: Path) -> Iterator[str]:
    """Give the url of a new and empty database, which is gone afterwards."""
    if backend == "sqlite":
        yield f"sqlite:///{folder}/state.sqlite"
        return
    url = _create(backend)
    try:
        yield _text(url)
    finally:
        _drop(url)


class PreparedDatabases:
    """Databases with the newest schema and no row in them.

    Those of the servers are emptied and used again: to make one takes ten times as long. One whose tables a test has
    changed is given up.
    """

    def __init__(self) -> None:
        self._free: defaultdict[str, list[URL]] = defaultdict(list)
        self._columns: dict[str, list[object]] = {}

    def one(self, backend: str, folder: Path) -> Iterator[str]:
        """Give the url of one that is nobody else's meanwhile."""
        if backend == "sqlite":
            for url in own_database(backend, folder):
                _make_tables(url)
                yield url
            return
        database = self._free[backend].pop() if self._free[backend] else self._prepare(backend)
        yield _text(database)
        if self._empty(database):
            self._free[backend].append(database)
        else:
            _drop(database)

    def drop(self) -> None:
        """Leave nothing on the servers."""
        for free in self._free.values():
            while free:
                _drop(free.pop())

    def _prepare(self, backend: str) -> URL:
        database = _create(backend)
        _make_tables(_text(database))
        with closing(raw_connection(database)) as connection, connection.cursor() as cursor:
            self._columns[backend] = _columns(cursor, database)
        return database

    def _empty(self, database: URL) -> bool:
        backend = database.get_backend_name()
        with closing(raw_connection(database)) as connection, connection.cursor() as cursor:
            if _columns(cursor, database) != self._columns[backend]:
                return False
            cursor.execute(_FILLED)
            filled = [str(table) for (table,) in cursor.fetchall()]
            if backend == "postgresql":
                # A session that a test left behind must not hold the others up.
                cursor.execute("SET lock_timeout = '5s'")
                if filled:
                    cursor.execute(f"TRUNCATE {', '.join(_TABLES)} RESTART IDENTITY")
                return True
            cursor.execute("SET foreign_key_checks = 0, lock_wait_timeout = 5")
            for table in filled:
                cursor.execute(f"TRUNCATE {table}")
        return True


def raw_connection(url: URL) -> psycopg.Connection[tuple[object, ...]] | pymysql.connections.Connection:
    """Connect with the bare driver, in autocommit: what another program would do."""
    if url.get_backend_name() == "postgresql":
        return psycopg.connect(
            host=url.host,
            port=url.port,
            user=url.username,
            password=url.password,
            dbname=url.database,
            autocommit=True,
            connect_timeout=5,
        )
    return pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        autocommit=True,
        connect_timeout=5,
        ssl_disabled=True,  # or it loads every certificate of the system at each connection
    )


def _create(backend: str) -> URL:
    trouble = _trouble(backend)
    if trouble is not None:
        # A suite that skips what it cannot see would be green in CI for ever.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {backend} server: {trouble}")
    name = f"os_capability_test_{uuid.uuid4().hex}"
    _administer(backend, f"CREATE DATABASE {name}")
    return make_url(_SERVERS[backend]).set(database=name)


def _drop(database: URL) -> None:
    backend = database.get_backend_name()
    _administer(backend, f"DROP DATABASE {database.database}" + (" WITH (FORCE)" if backend == "postgresql" else ""))


def _make_tables(url: str) -> None:
    engine = open_engine(url)
    # The steps would take several times as long; test_migrate holds the two together.
    migrate.create(engine)
    engine.dispose()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@functools.cache
def _trouble(backend: str) -> str | None:
    try:
        _administer(backend, "SELECT 1")
    except (psycopg.OperationalError, pymysql.err.OperationalError) as error:
        return str(error)
    return None


def _administer(backend: str, statement: str) -> None:
    with closing(raw_connection(make_url(_SERVERS[backend]))) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _columns(cursor: psycopg.Cursor[tuple[object, ...]] | pymysql.cursors.Cursor, database: URL) -> list[object]:
    cursor.execute(_COLUMNS, (database.database,))
    return list(cursor.fetchall())
