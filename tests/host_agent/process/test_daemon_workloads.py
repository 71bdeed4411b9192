# SPDX-License-Identifier: Apache-2.0
"""`host-agent run` and what runs on its host: found, told, and standing while an engine hangs."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from host_agent import store
from host_agent.store.engine import Engine
from host_agent.workloads.workload import CONTAINER, RUNNING, Workload
from tests.host_agent.facts import uuid
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.fleet import Eventually, ended_in
from tests.host_agent.workloads.sockets import RecordedEngine

SOCKET = "run/docker.sock"


@pytest.fixture
def docker(agent: HostAgent) -> Iterator[RecordedEngine]:
    """Run an engine on the agent's captured machine."""
    path = agent.on_machine().root / SOCKET
    path.parent.mkdir(exist_ok=True)
    engine = RecordedEngine(path, "docker-20.10")
    with engine.running():
        yield engine


@pytest.fixture
def agent(agent: HostAgent) -> HostAgent:
    agent.environment |= {
        "OS_CAPABILITY_WORKLOADS__DOCKER_SOCKET": f"/{SOCKET}",
        # For a machine that is busy with other tests.
        "OS_CAPABILITY_WORKLOADS__TIME_LIMIT": "30",
        "OS_CAPABILITY_WORKLOADS__ENGINES": "docker,cgroups",
    }
    return agent


def row(agent: HostAgent) -> dict[str, Any]:
    answer = agent("hosts", "list", "-f", "json")
    hosts: list[dict[str, Any]] = json.loads(answer.out) if answer.code == 0 else []
    return hosts[0] if hosts else {}


def told_by_docker(agent: HostAgent) -> dict[str, Any]:
    """Give what the row tells of Docker."""
    engines = {entry["engine"]: entry for entry in row(agent).get("engines") or ()}
    entry: dict[str, Any] = engines.get("docker", {})
    return entry


def test_what_runs_is_found_counted_and_explained(
    agent: HostAgent, docker: RecordedEngine, eventually: Eventually
) -> None:
    states = [container["State"] for container in docker.list]
    process = agent.start("run")
    eventually(lambda: row(agent).get("no_of_containers") == len(states))

    stored = row(agent)
    assert stored["running_containers"] == states.count("running") > 0
    assert stored["paused_containers"] == states.count("paused")
    assert told_by_docker(agent) == {
        "engine": "docker",
        "status": "answered",
        "reason": None,
        "age_seconds": 0,
        "complete": True,
    }
    assert stored["used_cpu"] > 0
    usage = agent("hosts", "usage", stored["uuid"])
    assert usage.code == 0
    assert f"{len(states)} orphans" in usage.out
    assert ended_in(process) < 2


def test_an_engine_that_hangs_delays_nothing_and_what_it_told_stands(
    agent: HostAgent, docker: RecordedEngine, eventually: Eventually
) -> None:
    process = agent.start("run", OS_CAPABILITY_WORKLOADS__TIME_LIMIT="2")
    eventually(lambda: row(agent).get("no_of_containers") == len(docker.list))

    docker.open.clear()
    eventually(lambda: "no answer within 2 s" in (told_by_docker(agent)["reason"] or ""))
    hung = row(agent)
    assert hung["no_of_containers"] == len(docker.list)
    assert told_by_docker(agent)["age_seconds"] >= 1
    eventually(lambda: row(agent)["updated_at"] > hung["updated_at"])
    status = agent("status")
    assert "docker cannot be asked: no answer within 2 s" in status.out
    assert status.code == 0, "the agent is well: it is the engine that is not"

    docker.open.set()
    eventually(lambda: told_by_docker(agent)["reason"] is None)
    assert agent.said().count("what docker runs is not known at present") == 1
    assert agent.said().count("docker tells again what it runs") == 1
    assert ended_in(process) < 2


def test_a_restart_while_an_engine_hangs_puts_no_null_over_what_is_known(
    agent: HostAgent, docker: RecordedEngine, eventually: Eventually
) -> None:
    assert agent("once").code == 0
    known = row(agent)
    assert known["local_gb"] is not None

    docker.open.clear()
    process = agent.start("run", OS_CAPABILITY_WORKLOADS__TIME_LIMIT="3")
    eventually(lambda: row(agent)["updated_at"] > known["updated_at"])
    assert row(agent)["local_gb"] == known["local_gb"]
    assert ended_in(process) < 2


def test_labels_that_are_no_text_are_stored_and_shown(agent: HostAgent, docker: RecordedEngine) -> None:
    docker.info["Labels"] = ["owner=\ud800"]
    docker.list[0]["Labels"] = {"\0": "\ud800"}
    answer = agent("once", "-f", "json")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["labels"] == {"owner": "\ud800"}


def test_an_engine_that_is_down_is_no_zero(agent: HostAgent, eventually: Eventually) -> None:
    path = agent.on_machine().root / SOCKET
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(path))
    process = agent.start("run", OS_CAPABILITY_WORKLOADS__ENGINES="docker")
    eventually(lambda: row(agent).get("engines"))

    stored = row(agent)
    assert (stored["no_of_containers"], stored["running_containers"]) == (None, None)
    assert "connection refused" in told_by_docker(agent)["reason"]
    assert ended_in(process) < 2


def test_a_host_without_engines_has_no_container(agent: HostAgent, eventually: Eventually) -> None:
    agent.on_machine()
    process = agent.start("run")
    eventually(lambda: row(agent).get("no_of_containers") == 0)
    assert row(agent)["running_vms"] == 0
    assert ended_in(process) < 2


def test_a_recorded_workload_that_is_not_there_counts_and_is_an_event(
    agent: HostAgent, docker: RecordedEngine, eventually: Eventually, opened: Any
) -> None:
    process = agent.start("run")
    eventually(lambda: row(agent).get("no_of_containers") == len(docker.list))
    before = row(agent)

    engine: Engine = opened(f"sqlite:///{agent.database}")
    lost = Workload(
        uuid=uuid(7), name="lost", engine="docker", kind=CONTAINER, state=RUNNING, vcpus=2.0, memory_bytes=1024**3
    )
    store.record_workload(engine, lost, before["host"])
    eventually(lambda: "workload-missing" in agent("hosts", "events").out)

    assert row(agent)["vcpus_used"] == before["vcpus_used"] + 2
    assert row(agent)["memory_mb_used"] == before["memory_mb_used"] + 1024
    assert agent("hosts", "events").out.count("workload-missing") == 1
    assert ended_in(process) < 2


@pytest.mark.parametrize("command", ["run", "once"])
def test_a_cpu_that_is_not_there_is_refused_by_name(agent: HostAgent, command: str) -> None:
    agent.on_machine()
    process = agent.start(command, OS_CAPABILITY_COMPUTE__CPU_DEDICATED_SET="0-1,4096")
    assert process.wait(30) == 2
    (line,) = (line for line in agent.said().splitlines() if "cpu_dedicated_set" in line)
    assert "4096" in line
    assert "Traceback" not in agent.said()
    assert row(agent) == {}
