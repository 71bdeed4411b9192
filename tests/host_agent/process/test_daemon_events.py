# SPDX-License-Identifier: Apache-2.0
"""Events reach the database exactly once: through outages, kills of the agent, and full spools."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from host_agent.store import list_hosts, migrate
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.fleet import Eventually, Fleet, ended_in, reports_to
from tests.host_agent.servers import Server


@pytest.fixture
def server(postgresql_server: Server) -> Server:
    fleet = Fleet(postgresql_server.url)
    migrate.create(fleet.engine)
    return postgresql_server


@pytest.fixture
def reporting(agent: HostAgent, captured: Path, server: Server) -> HostAgent:
    reports_to(agent, server.url, full_interval=1)
    agent.environment["OS_CAPABILITY_EVENTS__FOLD_INTERVAL"] = "0"
    return agent


def is_noticed(agent: HostAgent, kernel: str) -> Callable[[], bool]:
    spool = agent.state / "events.jsonl"
    return lambda: spool.exists() and f"-> {kernel}" in spool.read_text()


def test_what_changes_during_an_outage_is_told_once_though_the_agent_is_killed_at_each_change(
    reporting: HostAgent, server: Server, eventually: Eventually
) -> None:
    fleet = Fleet(server.url)
    process = reporting.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    eventually((reporting.state / "facts.json").exists)
    server.kill()

    kernels = [f"6.8.{number}" for number in range(5)]
    for kernel in kernels:
        reporting.machine.has_kernel(kernel)
        eventually(is_noticed(reporting, kernel))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = reporting.start("run")
    server.start()

    eventually(lambda: fleet.kernels() == kernels[-1:])
    eventually(lambda: len(fleet.told("kernel-changed")) >= len(kernels))
    assert [message.split(" -> ")[1] for message in fleet.told("kernel-changed")] == kernels
    assert (reporting.state / "events.jsonl").read_text() == ""
    assert ended_in(process) < 2


def test_an_outage_is_told_by_the_database_itself(reporting: HostAgent, server: Server, eventually: Eventually) -> None:
    reports_to(reporting, server.url, down_after=4)
    fleet = Fleet(server.url)
    process = reporting.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))

    process.send_signal(signal.SIGSTOP)
    # The last heartbeat may have been on its way: of that one the row tells nothing until the agent goes on.
    eventually(lambda: silent_seconds(fleet) > 7)
    process.send_signal(signal.SIGCONT)

    eventually(lambda: "host-up" in fleet.codes())
    assert [code for code in fleet.codes() if code in ("host-down", "host-up")] == ["host-down", "host-up"]
    assert ended_in(process) < 2


def test_an_outage_is_told_though_the_agent_stood_still_in_the_midst_of_a_heartbeat(
    reporting: HostAgent, server: Server, eventually: Eventually
) -> None:
    reports_to(reporting, server.url, down_after=4)
    fleet = Fleet(server.url)
    process = reporting.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))

    with fleet.engine.begin() as connection:
        connection.execute(text("SELECT id FROM services FOR UPDATE"))
        eventually(lambda: waiting_for_locks(fleet))
        process.send_signal(signal.SIGSTOP)
    eventually(lambda: silent_seconds(fleet) > 8)
    process.send_signal(signal.SIGCONT)

    eventually(lambda: "host-up" in fleet.codes())
    assert ended_in(process) < 2


def waiting_for_locks(fleet: Fleet) -> bool:
    with fleet.engine.connect() as connection:
        return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())


def silent_seconds(fleet: Fleet) -> float:
    (row,) = list_hosts(fleet.engine)
    now, seen = row["now"], row["last_seen_up"]
    assert isinstance(now, datetime)
    assert isinstance(seen, datetime)
    return (now - seen).total_seconds()


def test_more_changes_than_there_is_room_for_are_counted(
    reporting: HostAgent, server: Server, eventually: Eventually
) -> None:
    reporting.environment["OS_CAPABILITY_EVENTS__SPOOL_SIZE"] = "10"
    fleet = Fleet(server.url)
    process = reporting.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    server.kill()
    for number in range(14):
        reporting.machine.has_kernel(f"6.8.{number}")
        eventually(is_noticed(reporting, f"6.8.{number}"))
    server.start()

    eventually(lambda: fleet.kernels() == ["6.8.13"])
    eventually(lambda: "events-lost" in fleet.codes())
    (lost,) = (event for event in fleet.events() if event["code"] == "events-lost")
    assert lost["detail"]["count"] + len(fleet.told("kernel-changed")) == 14
    assert fleet.told("kernel-changed")[-1] == "kernel 6.8.12 -> 6.8.13"
    assert ended_in(process) < 2


def test_what_flaps_is_told_twice_and_how_it_stands_in_the_end(
    reporting: HostAgent, server: Server, eventually: Eventually
) -> None:
    reporting.environment["OS_CAPABILITY_EVENTS__FOLD_INTERVAL"] = "12"
    fleet = Fleet(server.url)
    process = reporting.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    eventually((reporting.state / "facts.json").exists)
    for number in range(4):
        reporting.machine.has_kernel(f"6.8.{number}")
        eventually(lambda kernel=f"6.8.{number}": fleet.kernels() == [kernel])  # type: ignore[misc]

    eventually(lambda: "flapping" in fleet.codes())
    assert len(fleet.told("kernel-changed")) == 1
    (folded,) = fleet.told("flapping")
    assert folded == "changed 3 more times within 12 s, the last: kernel 6.8.2 -> 6.8.3"
    assert ended_in(process) < 2


def test_the_databases_copy_tells_what_changed_when_the_local_one_is_lost(
    reporting: HostAgent, server: Server, eventually: Eventually
) -> None:
    fleet = Fleet(server.url)
    process = reporting.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    (first,) = fleet.kernels()
    assert ended_in(process) < 2

    (reporting.state / "facts.json").unlink()
    reporting.machine.has_kernel("6.8.9")
    process = reporting.start("run")

    eventually(lambda: fleet.told("kernel-changed") == [f"kernel {first} -> 6.8.9"])
    assert ended_in(process) < 2
