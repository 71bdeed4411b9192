# SPDX-License-Identifier: Apache-2.0
"""Real databases: an SQLite file always, PostgreSQL and MySQL or MariaDB where a server answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from host_agent.store import open_engine
from host_agent.store.engine import Engine
from tests.host_agent.databases import BACKENDS, PreparedDatabases, own_database
from tests.host_agent.servers import any_server, make_server, mariadb_server, postgresql_server, server_templates

# Fixtures of another module: pytest finds them here.
__all__ = ["any_server", "make_server", "mariadb_server", "postgresql_server", "server_templates"]


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the url of an empty database of this test's own, on each backend in turn."""
    yield from own_database(request.param, tmp_path)


@pytest.fixture(params=BACKENDS[1:])
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


@pytest.fixture(scope="session")
def prepared_databases() -> Iterator[PreparedDatabases]:
    databases = PreparedDatabases()
    yield databases
    databases.drop()


@pytest.fixture(params=BACKENDS)
def prepared_url(
    request: pytest.FixtureRequest, prepared_databases: PreparedDatabases, tmp_path: Path
) -> Iterator[str]:
    """Give the url of a database with the newest schema and no row, on each backend in turn."""
    yield from prepared_databases.one(request.param, tmp_path)


@pytest.fixture(params=BACKENDS[1:])
def prepared_server_url(
    request: pytest.FixtureRequest, prepared_databases: PreparedDatabases, tmp_path: Path
) -> Iterator[str]:
    """Give the same on the backends that are servers."""
    yield from prepared_databases.one(request.param, tmp_path)


@pytest.fixture
def engine(prepared_url: str, opened: Callable[..., Engine]) -> Engine:
    """Give an engine on such a database."""
    return opened(prepared_url)
