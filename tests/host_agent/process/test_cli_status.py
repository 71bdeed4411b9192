# SPDX-License-Identifier: Apache-2.0
"""How a real daemon fares, as `host-agent status`, Prometheus and node_exporter see it."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.host_agent.process.conftest import HostAgent

Eventually = Callable[[Callable[[], object]], None]


def troubles(agent: HostAgent) -> list[str]:
    """Give the codes of what is wrong; the exit code says the same."""
    answer = agent("status", "-f", "json")
    document = json.loads(answer.out)
    assert answer.code == (0 if document["healthy"] else 1)
    assert document["healthy"] == (not document["troubles"])
    return [trouble["code"] for trouble in document["troubles"]]


def stored(agent: HostAgent) -> bool:
    path = agent.state / "status.json"
    return path.exists() and json.loads(path.read_text())["stored"] is not None


def test_where_no_agent_ran_it_says_so(agent: HostAgent) -> None:
    answer = agent("status")
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.startswith(f"not healthy\n! no agent has run here: there is no {agent.state}/status.json;")
    assert troubles(agent) == ["never-ran"]
    assert not agent.state.exists()


def test_a_daemon_is_healthy_until_it_is_no_more(agent: HostAgent, captured: Path, eventually: Eventually) -> None:
    process = agent.start("run")
    eventually(lambda: stored(agent))

    healthy = agent("status")
    assert (healthy.code, healthy.err) == (0, ""), healthy.out
    uuid = (agent.state / "host_uuid").read_text().strip()
    assert healthy.out.startswith(f"healthy\nhost        x86-64-two-sockets, uuid {uuid}\n")
    assert f"database    sqlite:///{agent.database}\n" in healthy.out

    process.kill()
    process.wait()
    killed = agent("status")
    assert killed.code == 1
    assert killed.out.startswith(f"not healthy\n! the agent is not running: process {process.pid} has ended;")
    assert "x86-64-two-sockets" in killed.out

    process = agent.start("run")
    eventually(lambda: troubles(agent) == [])
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)
    assert troubles(agent) == ["not-running"]


def test_a_daemon_that_is_frozen_does_not_look_healthy(
    agent: HostAgent, captured: Path, eventually: Eventually
) -> None:
    agent.environment |= {"OS_CAPABILITY_AGENT__STALL_AFTER": "1", "OS_CAPABILITY_AGENT__DOWN_AFTER": "6"}
    process = agent.start("run")
    eventually(lambda: stored(agent) and troubles(agent) == [])
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: "silent" in troubles(agent))
    process.send_signal(signal.SIGCONT)
    eventually(lambda: troubles(agent) == [])


def test_a_database_that_is_away_is_told_with_its_reason(agent: HostAgent, eventually: Eventually) -> None:
    agent.environment["OS_CAPABILITY_DATABASE_URL"] = "postgresql+psycopg://u:s3cret@127.0.0.1:1/x"
    agent.start("run")
    eventually(lambda: troubles(agent) == ["report-failing"])
    answer = agent("status")
    assert "! postgresql+psycopg://u:***@127.0.0.1:1/x: " in answer.out
    assert "not registered there yet" in answer.out
    assert "StoreUnreachable" in answer.out
    assert "s3cret" not in answer.out + (agent.state / "status.json").read_text()


def test_a_reading_that_hangs_is_told_while_it_hangs(
    agent: HostAgent, hung_lscpu: Path, eventually: Eventually
) -> None:
    agent.environment["OS_CAPABILITY_AGENT__STALL_AFTER"] = "1"
    agent.start("run")
    eventually(lambda: troubles(agent) == ["collection-stuck"])
    assert "heartbeats go on" in agent("status").out


def test_a_retired_host_is_told_what_it_is(agent: HostAgent, captured: Path, eventually: Eventually) -> None:
    agent.start("run", OS_CAPABILITY_AGENT__RETRY_INTERVAL="1")
    eventually(lambda: stored(agent))
    assert agent("hosts", "retire", "x86-64-two-sockets").code == 0
    eventually(lambda: troubles(agent) == ["retired"])
    uuid = (agent.state / "host_uuid").read_text().strip()
    assert f"`host-agent hosts retire --undo {uuid}` takes it back" in agent("status").out

    assert agent("hosts", "retire", "--undo", uuid).code == 0
    eventually(lambda: troubles(agent) == [])


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    return port


def test_prometheus_and_node_exporter_get_the_same_numbers(
    agent: HostAgent, captured: Path, eventually: Eventually
) -> None:
    port, textfile = free_port(), agent.folder / "os-capability.prom"
    process = agent.start(
        "run",
        OS_CAPABILITY_METRICS__BIND=f"127.0.0.1:{port}",
        OS_CAPABILITY_METRICS__TEXTFILE=str(textfile),
    )
    wanted = ("os_capability_agent_database_up 1\n", "os_capability_agent_registered 1\n", "os_capability_cpu_cores ")
    eventually(lambda: textfile.exists() and all(line in textfile.read_text() for line in wanted))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        served = answer.read().decode()
    assert all(line in served for line in wanted)
    parts = [line for line in served.splitlines() if line.startswith("os_capability_agent_collection_success{")]
    assert parts
    assert all(line.endswith(" 1") for line in parts)

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert not textfile.exists()


def test_a_port_in_use_stops_the_daemon_at_its_start(agent: HostAgent, captured: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        assert agent.start("run", OS_CAPABILITY_METRICS__BIND=bind).wait(timeout=20) == 2
    assert agent.said() == (
        f"host-agent: [metrics] bind = {bind} is not valid: Address already in use; choose another port\n"
    )
