# SPDX-License-Identifier: Apache-2.0
"""The health checks: a process that lives says so, and is ready only with a database that answers in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from falcon import testing
from sqlalchemy import text

from host_agent.settings import Settings
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.api.conftest import client
from tests.host_agent.servers import PASSWORD, free_port

READY = ("/healthcheck", "/healthcheck/ready")
JSON = {"Accept": "application/json"}


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Give a port where connections are taken and nobody ever says anything, as with a server that hangs."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        yield deaf.getsockname()[1]


@pytest.mark.parametrize("path", READY)
def test_it_is_ready_where_the_database_answers(api_everywhere: testing.TestClient, path: str) -> None:
    answer = api_everywhere.simulate_get(path)

    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert api_everywhere.simulate_get(path, headers=JSON).json == {"status": "ok"}


@pytest.mark.parametrize("path", [*READY, "/healthcheck/live"])
def test_a_load_balancer_may_ask_for_the_head_alone(api: testing.TestClient, path: str) -> None:
    answer = api.simulate_head(path)

    assert (answer.status_code, answer.content) == (200, b"")


def test_it_is_not_ready_on_an_older_schema(fleet: Engine, settings: Settings) -> None:
    with fleet.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    told = client(fleet, settings).simulate_get("/healthcheck", headers=JSON)

    assert told.status_code == 503
    assert told.headers["retry-after"] == "5"
    assert told.json == {
        "status": "unavailable",
        "reason": "the database has an older schema than this program: `host-agent db upgrade` brings it up",
    }


def test_it_becomes_ready_when_the_database_does(
    sqlite_url: str, opened: Callable[..., Engine], settings: Settings
) -> None:
    engine = opened(sqlite_url)
    api = client(engine, settings)

    assert api.simulate_get("/healthcheck/ready").status_code == 503
    assert api.simulate_get("/healthcheck/live").status_code == 200
    migrate.create(engine)
    assert api.simulate_get("/healthcheck/ready").status_code == 200


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_database_that_is_gone_is_told_without_its_name(
    scheme: str, opened: Callable[..., Engine], settings: Settings
) -> None:
    engine = opened(f"{scheme}://agent:{PASSWORD}@127.0.0.1:{free_port()}/fleet")

    told = client(engine, settings).simulate_get("/healthcheck")

    assert (told.status_code, told.text) == (503, "unavailable: the database does not answer\n")


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_database_that_hangs_is_told_within_two_seconds(
    scheme: str, deaf_port: int, opened: Callable[..., Engine], settings: Settings
) -> None:
    engine = opened(f"{scheme}://agent:{PASSWORD}@127.0.0.1:{deaf_port}/fleet", connect_timeout_seconds=4)
    api = client(engine, settings)
    answers: list[testing.Result] = []

    began = time.monotonic()
    asking = [threading.Thread(target=lambda: answers.append(api.simulate_get("/healthcheck/ready"))) for _ in range(4)]
    for thread in asking:
        thread.start()
    assert api.simulate_get("/healthcheck/live").status_code == 200
    for thread in asking:
        thread.join()

    assert time.monotonic() - began < 2
    assert {(one.status_code, one.text) for one in answers} == {
        (503, "unavailable: the database does not answer in time\n")
    }
    probes = [thread for thread in threading.enumerate() if thread.name == "healthcheck"]
    assert len(probes) <= 1, "whoever asks meanwhile waits for the same answer"
