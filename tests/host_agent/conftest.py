# SPDX-License-Identifier: Apache-2.0
"""Real databases: an SQLite file always, PostgreSQL and MySQL or MariaDB where a server answers."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

from host_agent.store import migrate, open_engine
from host_agent.store.engine import Engine
from tests.host_agent.servers import any_server, make_server, mariadb_server, postgresql_server, server_templates

# Fixtures of another module: pytest finds them here.
__all__ = ["any_server", "make_server", "mariadb_server", "postgresql_server", "server_templates"]

SERVERS = {
    "postgresql": os.environ.get(
        "OS_CAPABILITY_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1/postgres"
    ),
    "mysql": os.environ.get("OS_CAPABILITY_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1/mysql"),
}


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the url of an empty database of this test's own, on each backend in turn."""
    yield from own_database(request.param, tmp_path)


@pytest.fixture(params=["postgresql", "mysql"])
def server_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the same on the backends that are servers."""
    yield from own_database(request.param, tmp_path)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    yield from own_database("sqlite", tmp_path)


@pytest.fixture
def postgresql_url(tmp_path: Path) -> Iterator[str]:
    yield from own_database("postgresql", tmp_path)


@pytest.fixture
def mysql_url(tmp_path: Path) -> Iterator[str]:
    yield from own_database("mysql", tmp_path)


@pytest.fixture
def opened() -> Iterator[Callable[..., Engine]]:
    """Open engines as `open_engine` does; at the end no connection of any may still be in use."""
    engines: list[Engine] = []
    in_use: set[object] = set()

    def open_one(url: str, **options: Any) -> Engine:
        engines.append(engine := open_engine(url, **options))
        event.listen(engine, "checkout", lambda _connection, entry, _proxy: in_use.add(entry))
        event.listen(engine, "checkin", lambda _connection, entry: in_use.discard(entry))
        return engine

    yield open_one
    for engine in engines:
        engine.dispose()
    assert not in_use


@pytest.fixture
def engine(database_url: str, opened: Callable[..., Engine]) -> Engine:
    """Give an engine on a database with the newest schema, on each backend in turn."""
    engine = opened(database_url)
    # The steps would take several times as long; test_migrate holds the two together.
    migrate.create(engine)
    return engine


def own_database(backend: str, folder: Path) -> Iterator[str]:
    if backend == "sqlite":
        yield f"sqlite:///{folder}/state.sqlite"
        return
    trouble = _trouble(backend)
    if trouble is not None:
        # A suite that skips what it cannot see would be green in CI for ever.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {backend} server: {trouble}")
    name = f"os_capability_test_{uuid.uuid4().hex}"
    _administer(backend, f"CREATE DATABASE {name}")
    try:
        yield make_url(SERVERS[backend]).set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(backend, f"DROP DATABASE {name}" + (" WITH (FORCE)" if backend == "postgresql" else ""))


@functools.cache
def _trouble(backend: str) -> str | None:
    try:
        _administer(backend, "SELECT 1")
    except (psycopg.OperationalError, pymysql.err.OperationalError) as error:
        return str(error)
    return None


def _administer(backend: str, statement: str) -> None:
    with closing(raw_connection(make_url(SERVERS[backend]))) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


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
