# SPDX-License-Identifier: Apache-2.0
"""`host-agent run`: it lives through what fails outside, and ends when it is told to."""

from __future__ import annotations

import select
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from host_agent.store import migrate
from host_agent.store.compute_host import list_hosts
from host_agent.store.engine import Engine
from host_agent.store.services import list_services
from tests.host_agent.conftest import SERVERS, raw_connection
from tests.host_agent.process.conftest import HostAgent

Eventually = Callable[[Callable[[], object]], None]


def ended_in(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> float:
    """Send a signal and give the seconds until the end, which must be an orderly one."""
    begun = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=20) == 0
    return time.monotonic() - begun


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    if not path.exists():  # connecting would make it
        return []
    with closing(sqlite3.connect(path, timeout=5)) as connection, connection:
        try:
            return connection.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            assert "no such table" in str(error)
            return []


def beats(agent: HostAgent) -> int:
    return sum(
        count for (count,) in query(agent.database, "SELECT report_count FROM services") if isinstance(count, int)
    )


def hosts(agent: HostAgent, column: str = "uuid") -> list[object]:
    return [value for (value,) in query(agent.database, f"SELECT {column} FROM compute_host")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_daemon_and_sighup_does_not(
    agent: HostAgent, eventually: Eventually, number: int
) -> None:
    process = agent.start("run")
    eventually(lambda: hosts(agent))

    process.send_signal(signal.SIGHUP)
    eventually(lambda: "SIGHUP" in agent.said())

    assert ended_in(process, number) < 2
    assert "Traceback" not in agent.said()


def test_the_heartbeat_goes_on_while_the_collection_hangs(
    agent: HostAgent, hung_lscpu: Path, eventually: Eventually
) -> None:
    process = agent.start("run")
    eventually(hung_lscpu.exists)
    eventually(lambda: beats(agent) >= 2)
    eventually(lambda: "the facts job still runs at its next turn" in agent.said())

    assert hosts(agent) == []
    assert len(hung_lscpu.read_text().split()) == 1, "a second look was started beside the one that hangs"
    assert ended_in(process) < 2


def test_sigterm_ends_a_daemon_whose_database_never_answers(agent: HostAgent, eventually: Eventually) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = agent.start("run", "--database-url", f"postgresql+psycopg://u:secret@127.0.0.1:{port}/x")
        silent.settimeout(10)
        accepted, _ = silent.accept()
        with accepted:
            assert ended_in(process) < 2

    assert "secret" not in agent.said()


def test_a_database_that_comes_late_is_used_when_it_comes(agent: HostAgent, eventually: Eventually) -> None:
    folder = agent.folder / "late"
    agent.database = folder / "db.sqlite"
    process = agent.start("run", "--database-url", f"sqlite:///{agent.database}")
    eventually(lambda: "not stored" in agent.said())
    time.sleep(1.5)
    assert agent.said().count("not stored") == 1, "a trouble is told once, not by each job at each turn"

    folder.mkdir()
    eventually(lambda: hosts(agent))
    eventually(lambda: "reports are stored again" in agent.said())

    assert ended_in(process) < 2
    assert "Traceback" not in agent.said()


def test_a_database_that_goes_down_is_used_again_when_it_is_back(
    agent: HostAgent, postgresql_url: str, opened: Callable[[str], Engine], eventually: Eventually
) -> None:
    migrate.upgrade(engine := opened(postgresql_url))
    process = agent.start("run", "--database-url", postgresql_url)
    eventually(lambda: list_hosts(engine))
    engine.dispose()

    name = make_url(postgresql_url).database
    with closing(raw_connection(make_url(SERVERS["postgresql"]))) as server, server.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        eventually(lambda: "not stored" in agent.said())
        cursor.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    eventually(lambda: "reports are stored again" in agent.said())

    assert ended_in(process) < 2
    assert "Traceback" not in agent.said()


def test_an_old_schema_is_waited_for(agent: HostAgent, eventually: Eventually) -> None:
    agent.state.mkdir()
    agent.database.touch()
    query(agent.database, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    process = agent.start("run")
    eventually(lambda: "host-agent db upgrade" in agent.said())
    assert process.poll() is None

    assert agent("db", "upgrade").code == 0

    eventually(lambda: hosts(agent))
    assert ended_in(process) < 2


def test_a_failing_collection_leaves_the_row_and_the_heartbeat_alone(
    agent: HostAgent, captured: Path, eventually: Eventually
) -> None:
    process = agent.start("run", OS_CAPABILITY_AGENT__FULL_INTERVAL="1")
    eventually(lambda: hosts(agent))

    (captured / "proc").rename(captured / "no-proc")
    (captured / "sys").rename(captured / "no-sys")
    eventually(lambda: "cannot read this machine" in agent.said())
    before = query(agent.database, "SELECT * FROM compute_host")
    beaten = beats(agent)
    eventually(lambda: beats(agent) >= beaten + 2)
    assert query(agent.database, "SELECT * FROM compute_host") == before

    (captured / "no-proc").rename(captured / "proc")
    (captured / "no-sys").rename(captured / "sys")
    eventually(lambda: "the machine can be read again" in agent.said())
    eventually(lambda: query(agent.database, "SELECT * FROM compute_host") != before)
    assert ended_in(process) < 2
    assert agent.said().count("cannot read this machine") == 1


def test_a_renamed_machine_keeps_its_row_and_its_host_column(
    agent: HostAgent, captured: Path, eventually: Eventually
) -> None:
    process = agent.start("run", OS_CAPABILITY_AGENT__FULL_INTERVAL="1")
    eventually(lambda: hosts(agent))
    (before,) = hosts(agent)

    (captured / "proc/sys/kernel/hostname").write_text("renamed\n")
    eventually(lambda: hosts(agent, "hypervisor_hostname") == ["renamed"])

    assert hosts(agent) == [before]
    assert hosts(agent, "host") == ["x86-64-two-sockets"]
    assert ended_in(process) < 2
    # The name is on disk: it survives the daemon as well.
    assert agent("once").code == 0
    assert hosts(agent, "host") == ["x86-64-two-sockets"]


def test_a_pruned_host_registers_again(agent: HostAgent, eventually: Eventually) -> None:
    process = agent.start("run")
    eventually(lambda: hosts(agent))
    before = hosts(agent)

    query(agent.database, "DELETE FROM compute_host")
    query(agent.database, "DELETE FROM services")

    eventually(lambda: hosts(agent))
    eventually(lambda: beats(agent))
    assert hosts(agent) == before
    assert ended_in(process) < 2


def test_it_reports_into_every_database(
    agent: HostAgent, engine: Engine, database_url: str, eventually: Eventually
) -> None:
    process = agent.start("run", "--database-url", database_url)
    eventually(lambda: list_hosts(engine))

    (row,) = list_hosts(engine)
    assert row["uuid"] == (agent.state / "host_uuid").read_text().strip()
    assert row["service_id"] == list_services(engine)[0]["id"]
    assert ended_in(process) < 2


def test_systemd_hears_of_the_start_the_state_and_the_end(
    agent: HostAgent, tmp_path: Path, eventually: Eventually
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        process = agent.start("run", NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        heard: list[str] = []

        def hear_until(wanted: str) -> None:
            while wanted not in heard:
                heard.append(manager.recv(4096).decode())

        hear_until("READY=1")
        hear_until("STATUS=the row of this host is up to date")
        hear_until("WATCHDOG=1")

        # No progress, no watchdog message: what systemd acts upon.
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        drain(manager)
        time.sleep(0.7)
        assert drain(manager) == []
        process.send_signal(signal.SIGCONT)
        heard.clear()
        hear_until("WATCHDOG=1")

        assert ended_in(process) < 2
        hear_until("STOPPING=1")


def drain(manager: socket.socket) -> list[bytes]:
    """Take what already arrived."""
    messages = []
    while select.select([manager], [], [], 0)[0]:
        messages.append(manager.recv(4096))
    return messages


def test_the_watchdog_is_fed_while_the_database_is_down(agent: HostAgent, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        process = agent.start(
            *("run", "--database-url", "postgresql+psycopg://u:secret@127.0.0.1:1/x"),
            NOTIFY_SOCKET=str(tmp_path / "notify"),
            WATCHDOG_USEC="400000",
        )
        heard = ""
        while "STATUS=" not in heard or heard.count("WATCHDOG=1") < 5:
            heard += manager.recv(4096).decode() + "\n"

        assert "READY=1" in heard
        assert "not stored" in heard
        assert "secret" not in heard
        assert ended_in(process) < 2


def test_a_log_file_is_oslo_logs_affair(agent: HostAgent, eventually: Eventually) -> None:
    log = agent.folder / "agent.log"
    process = agent.start("run", OS_CAPABILITY_DEFAULT__LOG_FILE=str(log))
    eventually(lambda: log.exists() and "reports to" in log.read_text())

    assert ended_in(process) < 2
    assert agent.said() == ""


def test_it_does_not_start_where_it_cannot_keep_its_identity(agent: HostAgent) -> None:
    agent.state.mkdir()
    (agent.state / "host_uuid").write_text("")

    assert agent.start("run").wait(timeout=10) == 2

    assert agent.said().startswith(f"host-agent: {agent.state}/host_uuid: the file is empty")
    assert agent.said().count("\n") == 1


def test_it_does_not_start_without_the_log_it_was_told_to_write(agent: HostAgent) -> None:
    assert agent.start("run", OS_CAPABILITY_DEFAULT__LOG_FILE="/nonexistent/agent.log").wait(timeout=10) == 2

    assert "/nonexistent/agent.log" in agent.said()
    assert agent.said().count("\n") == 1


def test_a_warning_about_the_facts_is_logged_when_it_comes_up_and_not_again(
    agent: HostAgent, captured: Path, eventually: Eventually, tmp_path: Path
) -> None:
    agent.start("run", PATH=str(tmp_path))
    eventually(lambda: "lscpu-unavailable: " in agent.said())
    eventually(lambda: beats(agent) >= 4)
    assert agent.said().count("lscpu-unavailable: ") == 1
