# SPDX-License-Identifier: Apache-2.0
"""Trouble with the database, made with real servers: the daemon stays, goes on collecting, and catches up."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from host_agent.store import migrate, open_engine
from tests.host_agent.databases import raw_connection
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.fleet import Eventually, Fleet, ended_in, reports_to
from tests.host_agent.servers import PASSWORD, PostgreSql, Server, joined_url

CAUGHT_UP = "reports are stored again"


@pytest.fixture
def server(any_server: Server) -> Server:
    """Give a server of each kind in turn, with the tables."""
    migrate.create(open_engine(any_server.url))
    return any_server


@pytest.fixture
def running(agent: HostAgent, captured: Path, server: Server, eventually: Eventually) -> Iterator[HostAgent]:
    """Give an agent whose daemon has reported to the server; at the end it still runs, and ends in order."""
    reports_to(agent, server.url, full_interval=1)
    process = agent.start("run")
    eventually(lambda: Fleet(server.url).hosts("service_id") not in ([], [None]))
    yield agent
    assert process.poll() is None, agent.said()
    assert ended_in(process) < 2
    assert "Traceback" not in agent.said()
    assert PASSWORD not in agent.said()


def changes_meanwhile(agent: HostAgent, kernel: str, eventually: Eventually) -> None:
    """Wait until the agent has seen a new kernel, which it cannot report."""
    agent.machine.has_kernel(kernel)
    spool = agent.state / "events.jsonl"
    eventually(lambda: spool.exists() and f"-> {kernel}" in spool.read_text())


def has_caught_up(agent: HostAgent, server: Server, kernel: str, eventually: Eventually) -> None:
    """Wait until the newest facts are stored, and each event once."""
    fleet = Fleet(server.url)
    eventually(lambda: fleet.kernels() == [kernel])
    eventually(lambda: any(kernel in message for message in fleet.told("kernel-changed")))
    eventually(lambda: (agent.state / "events.jsonl").read_text() == "")
    told = fleet.told("kernel-changed")
    assert len(told) == len(set(told)) == 1


def test_a_server_that_is_not_there_at_the_start(
    agent: HostAgent, captured: Path, server: Server, eventually: Eventually
) -> None:
    server.stop()
    reports_to(agent, server.url)
    process = agent.start("run")
    eventually(lambda: "not stored: " in agent.said())
    eventually((agent.state / "facts.json").exists)

    server.start()

    eventually(lambda: Fleet(server.url).hosts("service_id") not in ([], [None]))
    eventually(lambda: CAUGHT_UP in agent.said())
    assert agent.said().count("not stored: ") <= 2, "a trouble is told once, not by each try"
    assert ended_in(process) < 2


def test_a_server_that_is_gone_for_a_while(running: HostAgent, server: Server, eventually: Eventually) -> None:
    server.stop()
    eventually(lambda: "not stored: " in running.said())
    changes_meanwhile(running, "6.7.1", eventually)
    server.start()
    has_caught_up(running, server, "6.7.1", eventually)
    assert CAUGHT_UP in running.said()


def test_a_server_that_is_killed_again_and_again(running: HostAgent, server: Server, eventually: Eventually) -> None:
    fleet = Fleet(server.url)
    for kernel in ("6.6.1", "6.6.2", "6.6.3"):
        running.machine.has_kernel(kernel)
        server.kill()
        server.start()
        has_beaten = more_than(fleet, fleet.beats())
        eventually(has_beaten)
    eventually(lambda: fleet.kernels() == ["6.6.3"])
    eventually(lambda: fleet.codes().count("host-registered") == 1)


def more_than(fleet: Fleet, beaten: int) -> Callable[[], bool]:
    return lambda: fleet.beats() > beaten


def test_a_server_that_hangs(running: HostAgent, server: Server, eventually: Eventually) -> None:
    server.freeze()
    changes_meanwhile(running, "6.7.3", eventually)
    server.thaw()
    has_caught_up(running, server, "6.7.3", eventually)


def test_a_server_that_may_not_be_written_to(running: HostAgent, server: Server, eventually: Eventually) -> None:
    server.set_read_only(True)
    eventually(lambda: "read-only" in running.said())
    changes_meanwhile(running, "6.7.4", eventually)
    server.set_read_only(False)
    has_caught_up(running, server, "6.7.4", eventually)


def test_a_password_that_is_wrong(running: HostAgent, server: Server, eventually: Eventually) -> None:
    set_password(server, "another")
    eventually(lambda: "not stored: " in running.said())
    changes_meanwhile(running, "6.7.5", eventually)
    set_password(server, PASSWORD)
    has_caught_up(running, server, "6.7.5", eventually)


def set_password(server: Server, password: str) -> None:
    user = "agent" if isinstance(server, PostgreSql) else "agent@'127.0.0.1'"
    verb = "PASSWORD" if isinstance(server, PostgreSql) else "IDENTIFIED BY"
    server.administer(f"ALTER USER {user} {verb} '{password}'")


def test_a_server_without_a_free_connection(running: HostAgent, server: Server, eventually: Eventually) -> None:
    with ExitStack() as stack:
        while "not stored: " not in running.said():  # until there is none for the agent
            try:
                stack.enter_context(closing(raw_connection(make_url(server.url))))
            except Exception as error:  # of either driver
                assert "onnections" in str(error), error
        changes_meanwhile(running, "6.7.6", eventually)
    has_caught_up(running, server, "6.7.6", eventually)


def test_a_row_that_somebody_else_keeps_locked(running: HostAgent, server: Server, eventually: Eventually) -> None:
    with closing(raw_connection(make_url(server.url))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM services FOR UPDATE")
        eventually(lambda: "not stored: " in running.said())
        changes_meanwhile(running, "6.7.7", eventually)
        cursor.execute("ROLLBACK")
    has_caught_up(running, server, "6.7.7", eventually)


def test_tables_that_are_gone(running: HostAgent, server: Server, eventually: Eventually) -> None:
    engine = open_engine(server.url)
    with engine.begin() as connection:
        for table in ("compute_host", "services", "events", "alembic_version"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    eventually(lambda: "host-agent db upgrade" in running.said())

    migrate.upgrade(engine)

    eventually(lambda: Fleet(server.url).hosts("service_id") not in ([], [None]))


def test_another_server_takes_over(
    agent: HostAgent, captured: Path, make_server: Callable[[str], Server], eventually: Eventually
) -> None:
    """The first address of the url dies, and the second has become the primary."""
    first, second = make_server("postgresql"), make_server("postgresql")
    for server in (first, second):
        migrate.create(open_engine(server.url))
    second.set_read_only(True)
    reports_to(agent, joined_url(first, second), full_interval=1)
    process = agent.start("run")
    eventually(lambda: Fleet(first.url).hosts("service_id") not in ([], [None]))

    first.kill()
    second.set_read_only(False)

    eventually(lambda: Fleet(second.url).hosts("service_id") not in ([], [None]))
    assert process.poll() is None
    assert ended_in(process) < 2


def test_an_old_schema_is_waited_for(agent: HostAgent, eventually: Eventually) -> None:
    agent.state.mkdir()
    with closing(sqlite3.connect(agent.database)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    process = agent.start("run")
    eventually(lambda: "host-agent db upgrade" in agent.said())
    assert process.poll() is None

    assert agent("db", "upgrade").code == 0

    eventually(Fleet(f"sqlite:///{agent.database}").hosts)
    assert ended_in(process) < 2


def test_a_folder_that_comes_late_is_used_when_it_comes(agent: HostAgent, eventually: Eventually) -> None:
    folder = agent.folder / "late"
    agent.database = folder / "db.sqlite"
    process = agent.start("run", "--database-url", f"sqlite:///{agent.database}")
    eventually(lambda: "not stored" in agent.said())

    folder.mkdir()
    eventually(Fleet(f"sqlite:///{agent.database}").hosts)
    eventually(lambda: CAUGHT_UP in agent.said())

    assert ended_in(process) < 2
    assert agent.said().count("not stored") == 1, "a trouble is told once, not by each try"
    assert "Traceback" not in agent.said()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of half a mebibyte."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk that is small enough to fill")
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no mount here: {mounted.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_disk_that_is_full_under_sqlite_and_under_all_that_the_agent_keeps(
    agent: HostAgent, captured: Path, small_disk: Path, eventually: Eventually
) -> None:
    agent.state = small_disk / "state"
    agent.environment["STATE_DIRECTORY"] = str(agent.state)
    fleet = Fleet(f"sqlite:///{agent.state}/os-capability.sqlite")
    process = agent.start("run", OS_CAPABILITY_AGENT__FULL_INTERVAL="1")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))

    filler = fill(small_disk)
    eventually(lambda: "not stored: " in agent.said())
    agent.machine.has_kernel("6.7.8")
    eventually(lambda: "No space left on device" in agent.said())
    assert process.poll() is None
    filler.unlink()

    eventually(lambda: fleet.kernels() == ["6.7.8"])
    eventually(lambda: len(fleet.told("kernel-changed")) == 1)
    assert ended_in(process) < 2
    assert "Traceback" not in agent.said()


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 512, 64, 1):
            while True:
                try:
                    file.write(b"x" * size)
                except OSError:
                    break
    return filler
