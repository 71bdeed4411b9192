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
from host_agent.errors import (
    SchemaOutdated,
    StoreBusy,
    StoreConnectionLost,
    StoreError,
    StoreReadOnly,
    StoreUnreachable,
)
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.transaction import transaction
from tests.host_agent.databases import raw_connection
from tests.host_agent.facts import record
from tests.host_agent.store.fleet import claim

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
    migrate.create(engine)
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
        store.register(engine, claim())
    assert len(store.list_hosts(engine)) == 1


def test_a_read_only_transaction_of_mysql_says_so(mysql_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(mysql_url)
    migrate.create(engine)

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
    with pytest.raises(StoreUnreachable, match="unable to open database file: its folder has to exist, and this user"):
        migrate.upgrade(opened(f"sqlite:///{public_folder}/state.sqlite"))


# Raised by the servers themselves, with the code of the real thing.
RAISED = {
    "postgresql": [
        (StoreBusy, "", "40001 40P01 55P03 57014 57P03 23505"),
        (StoreConnectionLost, "", "08000 08006 57P01 57P02 57P05 25P03"),
        (StoreReadOnly, "name the primary, or make it writable", "25006"),
        (SchemaOutdated, "run `host-agent db upgrade`", "42P01 42703"),
        (StoreError, "correct the user and the password", "28P01 28000"),
        (StoreError, "create this database", "3D000"),
        (StoreError, "grant it to the user", "42501"),
        (StoreError, "raise the server's limit of connections", "53300 53400"),
        (StoreError, "make room on the disk", "53100"),
        (StoreError, "give the server of the database more memory", "53200"),
        (StoreError, "look at the disk", "58030"),
        (StoreError, "restore it from a backup", "XX001 XX002"),
    ],
    "mysql": [
        (StoreBusy, "", "1213 1205 1969 3024 1317 1062 1047 1180 1020"),
        (StoreConnectionLost, "", "1053 1927 2003 2006 2013 2055 4031"),
        (StoreReadOnly, "name the primary, or make it writable", "1290 1792 1836"),
        (SchemaOutdated, "run `host-agent db upgrade`", "1146 1054"),
        (StoreError, "correct the user and the password", "1045 1698"),
        (StoreError, "create this database", "1049"),
        (StoreError, "grant it to the user", "1044 1142 1143 1227"),
        (StoreError, "raise the server's limit of connections", "1040 1203 1226"),
        (StoreError, "make room on the disk", "1021 1114"),
        (StoreError, "give the server of the database more memory", "1037 1038 1041"),
        (StoreError, "look at the disk", "1030"),
        (StoreError, "restore it from a backup", "1034 1194"),
    ],
}
RAISE = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'it went wrong' USING ERRCODE = '{}'; END $$",
    "mysql": "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {}, MESSAGE_TEXT = 'it went wrong'",
}


def test_every_code_has_its_error_and_says_what_to_do(server_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(server_url)

    def work(code: str) -> None:
        with transaction(engine) as connection:
            connection.exec_driver_sql(RAISE[engine.dialect.name].format(code))

    for kind, advice, codes in RAISED[engine.dialect.name]:
        for code in codes.split():
            with pytest.raises(StoreError, match="it went wrong") as raised:
                work(code)
            assert type(raised.value) is kind, code
            assert advice in line(raised), code


def test_an_unknown_code_is_told_as_the_server_tells_it(server_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(server_url)

    def work() -> None:
        with transaction(engine) as connection:
            connection.exec_driver_sql(
                RAISE[engine.dialect.name].format({"mysql": 30001}.get(engine.dialect.name, "ZZ999"))
            )

    with pytest.raises(StoreError, match=r"fleet|os_capability_test") as raised:
        work()
    assert line(raised).endswith("it went wrong") or line(raised).endswith("it went wrong (30001)")


def test_a_name_with_several_addresses_is_still_one_line(closed_port: int, opened: Callable[..., Engine]) -> None:
    """The name localhost is ::1 and 127.0.0.1: psycopg tells of each on a line of its own."""
    with pytest.raises(StoreUnreachable, match=r"refused|No route|unreachable|assign") as raised:
        store.list_hosts(opened(f"postgresql+psycopg://agent:secret@localhost:{closed_port}/fleet"))
    line(raised)
