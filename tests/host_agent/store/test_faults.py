# SPDX-License-Identifier: Apache-2.0
"""A database that is not there, not ours, or not writable: one line that says what, and no password in it."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from host_agent import store
from host_agent.errors import SchemaOutdated, StoreError, StoreReadOnly, StoreUnreachable
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.transaction import transaction
from tests.host_agent.conftest import raw_connection
from tests.host_agent.facts import record

NOBODY = 65534


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Give a port where nobody listens, and keep others from taking it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def line(error: pytest.ExceptionInfo[StoreError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "secret" not in text
    return text


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_server_that_is_not_there_is_unreachable_at_once(
    scheme: str, closed_port: int, opened: Callable[..., Engine]
) -> None:
    engine = opened(f"{scheme}://agent:secret@127.0.0.1:{closed_port}/fleet")
    started = time.monotonic()
    with pytest.raises(StoreUnreachable) as raised:
        store.upsert(engine, record())
    assert line(raised).startswith(f"{scheme}://agent:***@127.0.0.1:{closed_port}/fleet: ")
    assert "refused" in line(raised)
    assert time.monotonic() - started < 2


def test_a_server_that_never_answers_is_given_up(server_url: str, opened: Callable[..., Engine]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        scheme = make_url(server_url).drivername
        engine = opened(f"{scheme}://agent:secret@127.0.0.1:{silent.getsockname()[1]}/fleet", connect_timeout_seconds=2)
        started = time.monotonic()
        with pytest.raises(StoreUnreachable) as raised:
            store.list_hosts(engine)
    line(raised)
    assert time.monotonic() - started < 6


def test_wrong_credentials_are_named_without_the_password(server_url: str, opened: Callable[..., Engine]) -> None:
    url = make_url(server_url).set(username="intruder", password="secret", query={"application_name": "secret"})
    if url.get_backend_name() == "mysql":
        url = url.set(query={})
    with pytest.raises(StoreUnreachable) as raised:
        store.upsert(opened(url.render_as_string(hide_password=False)), record())
    assert "intruder" in line(raised)


def test_a_text_too_long_is_refused_and_the_row_kept(mysql_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(mysql_url)
    migrate.upgrade(engine)
    store.upsert(engine, record())
    with pytest.raises(StoreError, match="Data too long for column 'os'"):
        store.upsert(engine, record(os="x" * 256))
    assert store.list_hosts(engine)[0]["os"] == record().os


def test_tables_that_vanished_ask_for_the_upgrade(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE compute_host"))
    with pytest.raises(SchemaOutdated, match="run `host-agent db upgrade`"):
        store.upsert(engine, record())


def test_columns_that_vanished_ask_for_the_upgrade(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE compute_host DROP COLUMN runtimes"))
    with pytest.raises(SchemaOutdated, match="runtimes"):
        store.upsert(engine, record())
    with pytest.raises(SchemaOutdated, match="runtimes"):
        store.list_hosts(engine)


def test_a_read_only_postgresql_says_so(postgresql_url: str, opened: Callable[..., Engine]) -> None:
    """What a hot standby answers, too."""
    first = opened(postgresql_url)
    migrate.upgrade(first)
    store.upsert(first, record())
    url = make_url(postgresql_url)
    with closing(raw_connection(url)) as administrator, administrator.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {url.database} SET default_transaction_read_only = on")
    engine = opened(postgresql_url)
    with pytest.raises(StoreReadOnly, match=r"the database is read-only .*read-only transaction"):
        store.upsert(engine, record())
    with pytest.raises(StoreReadOnly):
        store.heartbeat(engine, uuid="u", host="h", binary="b", topic="t")
    assert len(store.list_hosts(engine)) == 1


def test_a_read_only_transaction_of_mysql_says_so(mysql_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(mysql_url)
    migrate.upgrade(engine)

    def work() -> None:
        with transaction(engine) as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
            connection.exec_driver_sql("DELETE FROM compute_host")

    with pytest.raises(StoreReadOnly, match="READ ONLY transaction"):
        work()


def test_a_file_that_is_no_database_is_left_as_it_is(sqlite_url: str, opened: Callable[..., Engine]) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.write_text("[DEFAULT]\n# a configuration file, given by mistake\n" * 100)
    before = path.read_bytes()
    for call in (store.list_hosts, migrate.upgrade, migrate.current):
        with pytest.raises(StoreUnreachable, match=r"state\.sqlite: file is not a database"):
            call(opened(sqlite_url))
    assert path.read_bytes() == before


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, opened: Callable[..., Engine]) -> None:
    with pytest.raises(StoreUnreachable, match=r"absent/state\.sqlite: unable to open database file"):
        store.list_hosts(opened(f"sqlite:///{tmp_path}/absent/state.sqlite"))


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Give a folder that everybody may look into; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="os-capability-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], None]]:
    """Give a function that drops root's rights, which no file mode would bind, until the test ends."""
    user = os.geteuid()
    yield lambda: os.seteuid(NOBODY) if user == 0 else None
    os.seteuid(user)


def test_a_read_only_file_says_so_and_can_still_be_read(
    public_folder: Path, unprivileged: Callable[[], None], opened: Callable[..., Engine]
) -> None:
    path = public_folder / "state.sqlite"
    first = opened(f"sqlite:///{path}")
    migrate.upgrade(first)
    store.upsert(first, record())
    path.chmod(0o444)
    unprivileged()
    engine = opened(f"sqlite:///{path}")
    assert len(store.list_hosts(engine)) == 1
    with pytest.raises(StoreReadOnly, match=r"state\.sqlite: the database is read-only"):
        store.upsert(engine, record())


def test_a_read_only_folder_says_so(
    public_folder: Path, unprivileged: Callable[[], None], opened: Callable[..., Engine]
) -> None:
    public_folder.chmod(0o555)
    unprivileged()
    with pytest.raises(StoreUnreachable, match="unable to open database file: does its folder exist, and may this"):
        migrate.upgrade(opened(f"sqlite:///{public_folder}/state.sqlite"))
