# SPDX-License-Identifier: Apache-2.0
"""`host-agent run`: it starts, collects, reports and ends, whatever hangs or fails on its own machine."""

from __future__ import annotations

import json
import select
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from host_agent.store import list_hosts
from host_agent.store.engine import Engine
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.fleet import Eventually, Fleet, ended_in


@pytest.fixture
def fleet(agent: HostAgent) -> Fleet:
    return Fleet(f"sqlite:///{agent.database}")


def status(agent: HostAgent) -> dict[str, dict[str, object]]:
    path = agent.state / "status.json"
    return json.loads(path.read_text()) if path.exists() else {"collect": {}, "report": {}}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_daemon_and_sighup_does_not(
    agent: HostAgent, fleet: Fleet, eventually: Eventually, number: int
) -> None:
    process = agent.start("run")
    eventually(fleet.hosts)

    process.send_signal(signal.SIGHUP)
    eventually(lambda: "SIGHUP" in agent.said())

    assert ended_in(process, number) < 2
    assert "Traceback" not in agent.said()


def test_the_heartbeat_goes_on_while_the_collection_hangs(
    agent: HostAgent, fleet: Fleet, hung_lscpu: Path, eventually: Eventually
) -> None:
    process = agent.start("run", OS_CAPABILITY_AGENT__STALL_AFTER="2")
    eventually(hung_lscpu.exists)
    eventually(lambda: status(agent)["collect"].get("stuck"))
    beaten = fleet.beats()
    eventually(lambda: fleet.beats() >= beaten + 2)

    assert fleet.hosts() == []
    assert len(hung_lscpu.read_text().split()) == 1, "a second look was started beside the one that hangs"
    assert agent.said().count("the collect job has not returned for 2 s") == 1
    assert status(agent)["report"]["stuck"] is False
    assert ended_in(process) < 2


def test_sigterm_ends_a_daemon_whose_database_never_answers(agent: HostAgent) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = agent.start("run", "--database-url", f"postgresql+psycopg://u:secret@127.0.0.1:{port}/x")
        silent.settimeout(30)
        accepted, _ = silent.accept()
        with accepted:
            assert ended_in(process) < 2

    assert "secret" not in agent.said()


def test_a_failing_collection_leaves_the_row_and_the_heartbeat_alone(
    agent: HostAgent, captured: Path, fleet: Fleet, eventually: Eventually
) -> None:
    # Control groups lie below sys: without them there would be news of their own.
    process = agent.start("run", OS_CAPABILITY_AGENT__FULL_INTERVAL="1", OS_CAPABILITY_WORKLOADS__ENGINES="none")
    eventually(fleet.hosts)

    (captured / "proc").rename(captured / "no-proc")
    (captured / "sys").rename(captured / "no-sys")
    eventually(lambda: "cannot read this machine" in agent.said())
    before = list_hosts(fleet.engine)[0]["updated_at"]
    beaten = fleet.beats()
    eventually(lambda: fleet.beats() >= beaten + 2)
    assert fleet.hosts("updated_at") == [before]

    (captured / "no-proc").rename(captured / "proc")
    (captured / "no-sys").rename(captured / "sys")
    eventually(lambda: "the machine can be read again" in agent.said())
    eventually(lambda: fleet.hosts("updated_at") != [before])
    assert ended_in(process) < 2
    assert agent.said().count("cannot read this machine") == 1


def test_a_pruned_host_registers_again(agent: HostAgent, fleet: Fleet, eventually: Eventually) -> None:
    process = agent.start("run")
    eventually(fleet.hosts)
    before = fleet.hosts()

    with closing(sqlite3.connect(agent.database, timeout=5)) as connection, connection:
        connection.execute("DELETE FROM compute_host")
        connection.execute("DELETE FROM services")

    eventually(fleet.hosts)
    eventually(fleet.beats)
    assert fleet.hosts() == before
    assert ended_in(process) < 2


def test_it_reports_into_every_database(
    agent: HostAgent, engine: Engine, prepared_url: str, eventually: Eventually
) -> None:
    process = agent.start("run", "--database-url", prepared_url)
    fleet = Fleet(prepared_url)
    eventually(fleet.hosts)

    (row,) = list_hosts(engine)
    (service,) = fleet.services()
    assert row["uuid"] == (agent.state / "host_uuid").read_text().strip()
    assert row["service_id"] == service["id"]
    assert fleet.codes() == ["host-registered"]
    assert ended_in(process) < 2
    assert fleet.services()[0]["boot_id"] is None, "the next boot of this host need not wait"


def test_the_first_report_does_not_wait_for_an_interval(agent: HostAgent, fleet: Fleet, eventually: Eventually) -> None:
    process = agent.start("run", OS_CAPABILITY_AGENT__REPORT_INTERVAL="3600", OS_CAPABILITY_AGENT__DOWN_AFTER="10000")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    assert ended_in(process) < 2


def test_systemd_hears_of_the_start_the_state_and_the_end(
    agent: HostAgent, tmp_path: Path, eventually: Eventually
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        process = agent.start("run", NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="4000000")
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
        time.sleep(3)
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
        manager.settimeout(30)
        process = agent.start(
            *("run", "--database-url", "postgresql+psycopg://u:secret@127.0.0.1:1/x"),
            NOTIFY_SOCKET=str(tmp_path / "notify"),
            WATCHDOG_USEC="4000000",
        )
        heard = ""
        while "Connection refused" not in heard or heard.count("WATCHDOG=1") < 3:
            heard += manager.recv(4096).decode() + "\n"

        assert "READY=1" in heard
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

    assert agent.start("run").wait(timeout=30) == 2

    assert agent.said().startswith(f"host-agent: {agent.state}/host_uuid: the file is empty")
    assert agent.said().count("\n") == 1


def test_it_does_not_start_without_the_log_it_was_told_to_write(agent: HostAgent) -> None:
    assert agent.start("run", OS_CAPABILITY_DEFAULT__LOG_FILE="/nonexistent/agent.log").wait(timeout=30) == 2

    assert "/nonexistent/agent.log" in agent.said()
    assert agent.said().count("\n") == 1


def test_a_second_daemon_in_one_state_directory_is_refused(
    agent: HostAgent, fleet: Fleet, eventually: Eventually
) -> None:
    first = agent.start("run")
    eventually(fleet.hosts)
    before = agent.said()

    assert agent.start("run").wait(timeout=30) == 2

    complaint = agent.said().removeprefix(before).split("host-agent: ", 1)[1]
    assert f"runs here already, as process {first.pid}: stop it first" in complaint
    assert agent("identity", "reset").code == 2
    assert ended_in(first) < 2
    assert agent("identity", "reset").code == 0


def test_a_warning_about_the_facts_is_logged_when_it_comes_up_and_not_again(
    agent: HostAgent, captured: Path, fleet: Fleet, eventually: Eventually, tmp_path: Path
) -> None:
    agent.start("run", PATH=str(tmp_path))
    eventually(lambda: "lscpu-unavailable: " in agent.said())
    eventually(lambda: fleet.beats() >= 4)
    assert agent.said().count("lscpu-unavailable: ") == 1


def test_the_files_of_the_state_directory_are_what_they_are_said_to_be(
    agent: HostAgent, captured: Path, fleet: Fleet, eventually: Eventually
) -> None:
    process = agent.start("run")
    eventually(fleet.hosts)
    eventually(lambda: status(agent)["report"].get("successes"))
    assert ended_in(process) < 2

    names = {path.name for path in agent.state.iterdir()} - {"os-capability.sqlite-wal", "os-capability.sqlite-shm"}
    assert names == {"facts.json", "host_name", "host_uuid", "lock", "os-capability.sqlite", "status.json"}
