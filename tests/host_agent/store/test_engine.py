# SPDX-License-Identifier: Apache-2.0
"""Urls and what every connection is set to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host_agent import store
from host_agent.errors import StoreError
from host_agent.store.engine import Engine


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "postgresql//agent:secret@db/x",
        "postgresql://agent:secret@db:port/x",
        "oracle://agent:secret@db/x",
        "postgresql+psycopg2://agent:secret@db/x",
        "postgresql://agent:secret@db",
        "sqlite://",
        "sqlite:///:memory:",
        "",
    ],
)
def test_an_unusable_url_is_one_line_that_says_what_is_expected(url: str) -> None:
    with pytest.raises(StoreError) as raised:
        store.open_engine(url)
    message = str(raised.value)
    assert "expected sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME or mysql+pymysql://USER@HOST/NAME" in message
    assert "secret" not in message
    assert "\n" not in message


@pytest.mark.parametrize(("short", "long"), [("postgresql", "postgresql+psycopg"), ("mysql", "mysql+pymysql")])
def test_a_url_without_driver_means_the_one_we_ship(short: str, long: str, opened: Callable[..., Engine]) -> None:
    assert opened(f"{short}://db/x").url.drivername == long


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql+psycopg://a:secret@db/x", "psycopg", "postgresql"),
        ("mysql+pymysql://a:secret@db/x", "pymysql", "mysql"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an import meets where the module is absent.
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StoreError) as raised:
        store.open_engine(url)
    expected = f"this database needs {module}: pip install 'os-capability[{extra}]'"
    assert str(raised.value) == f"{url.replace('secret', '***')}: {expected}"


def scalar(engine: Engine, sql: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(sql).scalar()


def test_sqlite_connections_are_durable_and_patient(sqlite_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(sqlite_url, connect_timeout_seconds=2)
    pragmas = ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
    assert [scalar(engine, f"PRAGMA {name}") for name in pragmas] == ["wal", 2000, 1, 1]


def test_a_file_system_without_shared_memory_is_refused(tmp_path: Path, opened: Callable[..., Engine]) -> None:
    """The `unix-excl`-less answer of a network file system: SQLite stays in another journal mode and says so."""
    engine = opened(f"sqlite:///file:{tmp_path}/state.sqlite?vfs=unix-none&uri=true")
    with pytest.raises(StoreError, match="SQLite keeps journal_mode delete on this file system: move the file"):
        store.list_hosts(engine)


def test_postgresql_connections_are_named_and_end_every_wait(
    postgresql_url: str, opened: Callable[..., Engine]
) -> None:
    engine = opened(postgresql_url)
    names = ("application_name", "statement_timeout", "lock_timeout", "transaction_isolation")
    assert [scalar(engine, f"SHOW {name}") for name in names] == ["os-capability", "30s", "3s", "read committed"]


def test_postgresql_never_gets_prepared_statements(postgresql_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(postgresql_url)
    with engine.connect() as connection:
        for _ in range(20):
            connection.exec_driver_sql("SELECT 1")
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM pg_prepared_statements").scalar() == 0


def test_mysql_connections_are_strict_in_utc_and_read_committed(mysql_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(mysql_url)
    assert scalar(engine, "SELECT @@session.time_zone") == "+00:00"
    assert scalar(engine, "SELECT @@session.character_set_client") == "utf8mb4"
    assert scalar(engine, "SELECT @@session.innodb_lock_wait_timeout") == 3
    assert "STRICT_TRANS_TABLES" in str(scalar(engine, "SELECT @@session.sql_mode"))
    assert engine.dialect.default_isolation_level is not None
    with engine.connect() as connection:
        assert connection.get_isolation_level() == "READ COMMITTED"


def test_at_most_one_connection_stays_open(server_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(server_url)
    connections = [engine.connect() for _ in range(3)]
    for connection in connections:
        connection.close()
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
