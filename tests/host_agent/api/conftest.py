# SPDX-License-Identifier: Apache-2.0
"""The whole application over a real database; what needs a socket, a process or another backend says so itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from falcon import testing

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.wsgi import build
from host_agent.settings import Settings, load
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.databases import own_database


@pytest.fixture
def settings() -> Settings:
    """Give the defaults: no file and no variable of this machine counts."""
    return load(environ={"OS_CAPABILITY_CONFIG_FILE": "/dev/null", "STATE_DIRECTORY": "/nonexistent"}).settings


@pytest.fixture
def fleet(tmp_path: Any, opened: Callable[..., Engine]) -> Iterator[Engine]:
    """Give an SQLite database with the newest schema: what is written into it the application serves."""
    for url in own_database("sqlite", tmp_path):
        engine = opened(url)
        migrate.create(engine)
        yield engine


@pytest.fixture
def api(fleet: Engine, settings: Settings) -> testing.TestClient:
    """Give a client of the application over `fleet`, without authentication."""
    return client(fleet, settings)


@pytest.fixture
def api_everywhere(engine: Engine, settings: Settings) -> testing.TestClient:
    """Give the same over each kind of database in turn."""
    return client(engine, settings)


def client(engine: Engine, settings: Settings) -> testing.TestClient:
    return testing.TestClient(build(settings, engine, NoAuthentication()))
