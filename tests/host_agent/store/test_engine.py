# SPDX-License-Identifier: Apache-2.0
"""Urls and what every connection is set to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy.engine import make_url

from host_agent import store
from host_agent.errors import StoreError
from host_agent.store import migrate
from host_agent.store.addresses import addresses_of, parse_url
from host_agent.store.engine import Engine, shown_url
from host_agent.store.transaction import reading
from tests.host_agent.databases import raw_connection
from tests.host_agent.facts import record
from tests.host_agent.servers import wait_until


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


@pytest.mark.parametrize(
    ("url", "addresses", "shown"),
    [
        ("postgresql+psycopg://u@h/db", [], "postgresql+psycopg://u@h/db"),
        (
            "postgresql+psycopg://u:secret@h1:5432,h2:5433/db",
            ["h1:5432", "h2:5433"],
            "postgresql+psycopg://u:***@h1:5432,h2:5433/db",
        ),
        (
            "mysql+pymysql://u:secret@h1,h2:3307,h3/db",
            ["h1", "h2:3307", "h3"],
            "mysql+pymysql://u:***@h1,h2:3307,h3/db",
        ),
        ("mysql://[::1]:3306,[fe80::1]/db", ["[::1]:3306", "[fe80::1]"], "mysql://[::1]:3306,[fe80::1]/db"),
        ("mysql://u:s,e:c/ret@h1,h2/db?ssl=secret", ["h1", "h2"], "mysql://u:***@h1,h2/db"),
        ("mysql://u:%40%2C%2Fsecret@h1,h2/db", ["h1", "h2"], "mysql://u:***@h1,h2/db"),
        ("postgresql://u:secret@/db?host=h1:1&host=h2:2", ["h1:1", "h2:2"], "postgresql://u:***@h1:1,h2:2/db"),
        ("postgresql://u:secret@/db?host=h1,h2&port=1,2", ["h1:1", "h2:2"], "postgresql://u:***@h1:1,h2:2/db"),
        ("postgresql://u:secret@/db?host=h1,h2&port=7", ["h1:7", "h2:7"], "postgresql://u:***@h1:7,h2:7/db"),
        ("postgresql://u:secret@/db?host=/run/postgresql", [], "postgresql://u:***@/db"),
    ],
)
def test_a_url_may_name_several_servers(url: str, addresses: list[str], shown: str) -> None:
    parsed = parse_url(url)
    assert [str(address) for address in addresses_of(parsed)] == addresses
    assert shown_url(parsed) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h1:x,h2:5432/db",
        "postgresql://u:secret@h1,,h2/db",
        "postgresql://u:secret@h1,h2:1:2/db",
        "postgresql://u:secret@/db?host=h1,h2&port=1,2,3",
        "postgresql://u:sec@ret,ret@h1/db",
        "postgresql://u:sec@ret@h1,h2/db",
        "postgresql://u:secret@h1,h2",
    ],
)
def test_a_list_of_servers_that_is_wrong_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(StoreError, match=r"the database url has more than one @|expected sqlite:///FILE") as raised:
        store.open_engine(url)
    assert not any(part in str(raised.value) for part in ("secret", "sec@", "ret", "\n"))


@pytest.mark.parametrize("password", ["p@ss", "a:b", "a/b", "a,b", "a?b#c", "100%", "a b", "ä\U0001f600", "%40"])
def test_any_password_is_handed_over_as_it_is(password: str) -> None:
    for places in ("h", "h1:1,h2:2"):
        parsed = parse_url(f"mysql+pymysql://u:{quote(password, safe='')}@{places}/db")
        assert parsed.password == password
        assert shown_url(parsed) == f"mysql+pymysql://u:***@{places}/db"


@pytest.mark.parametrize("places", ["h1", "h1,h2"])
def test_a_file_of_the_url_that_is_not_there_is_one_line(places: str, opened: Callable[..., Engine]) -> None:
    engine = opened(f"mysql://u:secret@{places}/db?ssl_ca=/nonexistent/ca.pem")
    with (
        pytest.raises(StoreError, match=r"ssl_ca\) cannot be used: No such file or directory$") as raised,
        reading(engine),
    ):
        pass
    assert "secret" not in str(raised.value)


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
    assert [scalar(engine, f"SHOW {name}") for name in names] == ["os-capability", "20s", "3s", "read committed"]


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


def connections_of(url: str) -> int:
    """Give how many connections the server sees on our database."""
    parsed = make_url(url)
    query = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    if parsed.get_backend_name() == "postgresql":
        query = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with closing(raw_connection(parsed)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        (count,) = cursor.fetchone() or (None,)
    assert isinstance(count, int)
    return count


def test_no_connection_stays_open(server_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(server_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        assert connections_of(server_url) == 1
    wait_until(lambda: connections_of(server_url) == 0, "the server has closed it")


def test_connections_stay_open_for_whoever_asks(server_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(server_url, connections=1)
    for _ in range(3):
        scalar(engine, "SELECT 1")
        assert connections_of(server_url) == 1


def test_as_many_stay_open_as_there_are_threads(database_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(database_url, connections=4)
    together = threading.Barrier(4)

    def ask(_number: int) -> object:
        with reading(engine) as connection:
            together.wait(30)
            return connection.connection.dbapi_connection

    with ThreadPoolExecutor(4) as pool:
        first = set(map(id, pool.map(ask, range(4))))
        assert first == set(map(id, pool.map(ask, range(4))))
    assert len(first) == 4


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.rename(path.with_suffix(".old"))])
def test_an_sqlite_file_that_was_removed_is_not_written_on(
    sqlite_url: str, opened: Callable[..., Engine], change: Callable[[Path], object]
) -> None:
    engine = opened(sqlite_url)
    migrate.make_ready(engine)
    store.upsert(engine, record())
    change(Path(str(engine.url.database)))
    assert migrate.is_empty(engine)
    migrate.make_ready(engine)
    store.upsert(engine, record())
    assert len(store.list_hosts(opened(sqlite_url))) == 1


def test_an_option_that_the_driver_does_not_know_is_named(server_url: str, opened: Callable[..., Engine]) -> None:
    url = make_url(server_url).update_query_dict({"colour": "secret"})
    with pytest.raises(StoreError, match="colour") as raised:
        store.list_hosts(opened(url.render_as_string(hide_password=False)))
    assert "secret" not in str(raised.value)
