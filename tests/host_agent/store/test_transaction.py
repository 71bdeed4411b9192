# SPDX-License-Identifier: Apache-2.0
"""Retries: real deadlocks, serialization failures, busy files and lost connections."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from host_agent import store
from host_agent.errors import StoreBusy, StoreConnectionLost, StoreError
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.transaction import retry_temporary, transaction
from tests.host_agent.databases import raw_connection
from tests.host_agent.facts import record, uuid


@pytest.fixture
def server(prepared_server_url: str, opened: Callable[..., Engine]) -> Engine:
    engine = opened(prepared_server_url)
    store.upsert_many(engine, [record(1), record(2)])
    return engine


def rename(connection: Connection, number: int, name: str) -> None:
    connection.execute(text("UPDATE compute_host SET host = :n WHERE uuid = :u"), {"n": name, "u": uuid(number)})


def test_a_deadlock_is_tried_again(server: Engine) -> None:
    both_hold_one = threading.Barrier(2)
    calls: list[str] = []

    @retry_temporary
    def work(name: str, first: int, second: int) -> None:
        calls.append(name)
        with transaction(server) as connection:
            rename(connection, first, name)
            if calls.count(name) == 1:
                both_hold_one.wait(timeout=10)
            rename(connection, second, name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, ["a", "b"], [1, 2], [2, 1]))
    assert len(calls) == 3
    assert len({row["host"] for row in store.list_hosts(server)}) == 1


def test_a_serialization_failure_is_tried_again(postgresql_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(postgresql_url)
    migrate.create(engine)
    store.upsert(engine, record())
    calls: list[int] = []

    @retry_temporary
    def work() -> None:
        calls.append(1)
        with transaction(engine) as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            connection.execute(text("SELECT host FROM compute_host")).all()
            if len(calls) == 1:
                with transaction(engine) as other:
                    rename(other, 1, "theirs")
            rename(connection, 1, "ours")

    work()
    assert len(calls) == 2
    assert [row["host"] for row in store.list_hosts(engine)] == ["ours"]


RAISE_TEMPORARY = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'again and again' USING ERRCODE = '40001'; END $$",
    "mysql": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'again and again'",
}


def test_retries_end(server: Engine) -> None:
    calls: list[int] = []

    @retry_temporary
    def work() -> None:
        calls.append(1)
        with transaction(server) as connection:
            connection.exec_driver_sql(RAISE_TEMPORARY[server.dialect.name])

    started = time.monotonic()
    with pytest.raises(StoreBusy, match="again and again"):
        work()
    assert len(calls) == 5
    assert time.monotonic() - started < 5


def test_other_errors_are_raised_at_once(server: Engine) -> None:
    calls: list[int] = []

    @retry_temporary
    def work() -> None:
        calls.append(1)
        with transaction(server) as connection:
            connection.exec_driver_sql("SELECT no sense")

    with pytest.raises(StoreError):
        work()
    assert len(calls) == 1


def test_nobody_waits_for_a_row_for_long(server: Engine) -> None:
    started = time.monotonic()
    with transaction(server) as connection:
        rename(connection, 1, "held")
        with pytest.raises(StoreBusy, match=r"[Ll]ock"), transaction(server) as other:
            rename(other, 1, "waiting")
    assert 2 < time.monotonic() - started < 5


@pytest.fixture
def sqlite_file(sqlite_url: str, opened: Callable[..., Engine]) -> Path:
    engine = opened(sqlite_url)
    migrate.create(engine)
    return Path(str(engine.url.database))


def test_a_busy_file_is_tried_again(sqlite_file: Path, opened: Callable[..., Engine]) -> None:
    engine = opened(f"sqlite:///{sqlite_file}", connect_timeout_seconds=0.01)
    calls: list[int] = []

    with closing(sqlite3.connect(sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        @retry_temporary
        def work() -> None:
            calls.append(1)
            if len(calls) == 3:
                other.execute("COMMIT")
            with transaction(engine) as connection:
                rename(connection, 1, "written")

        work()
    assert len(calls) == 3


def test_a_file_busy_for_ever_is_given_up(sqlite_file: Path, opened: Callable[..., Engine]) -> None:
    engine = opened(f"sqlite:///{sqlite_file}", connect_timeout_seconds=0.05)
    started = time.monotonic()
    with closing(sqlite3.connect(sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match=r"state\.sqlite: database is locked"):
            store.upsert(engine, record())
        # Readers never wait for writers.
        assert store.list_hosts(engine) == []
    assert time.monotonic() - started < 5


def kill_connections_of(engine: Engine) -> None:
    """End all other connections to the database, as an administrator or a failover does."""
    name = engine.url.database
    with closing(raw_connection(make_url(engine.url))) as administrator, administrator.cursor() as cursor:
        if engine.dialect.name == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        cursor.execute(f"SELECT id FROM information_schema.processlist WHERE db = '{name}' AND id <> CONNECTION_ID()")
        for (connection_id,) in cursor.fetchall():
            cursor.execute(f"KILL {connection_id}")


def test_an_idle_connection_that_died_is_replaced(server: Engine) -> None:
    store.upsert(server, record(1, running_containers=1))
    kill_connections_of(server)
    store.upsert(server, record(1, running_containers=2))
    row = store.get(server, uuid(1))
    assert row is not None
    assert row["running_containers"] == 2
    kill_connections_of(server)
    assert len(store.list_hosts(server)) == 2


def test_a_statement_may_take_longer_than_connecting(mysql_url: str, opened: Callable[..., Engine]) -> None:
    with transaction(opened(mysql_url, connect_timeout_seconds=0.5)) as connection:
        assert connection.execute(text("SELECT SLEEP(1)")).scalar() == 0


def test_a_connection_lost_in_a_transaction_is_its_own_error(server: Engine) -> None:
    def work() -> None:
        with transaction(server) as connection:
            rename(connection, 1, "half")
            kill_connections_of(server)
            rename(connection, 2, "half")

    with pytest.raises(StoreConnectionLost):
        work()
    assert [row["host"] for row in store.list_hosts(server)] == ["node-1", "node-2"]
