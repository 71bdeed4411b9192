# SPDX-License-Identifier: Apache-2.0
"""`host-agent run` and a Placement: told of a host once the database has taken it, and neither waits for the other."""

from __future__ import annotations

import json
from typing import Any

from tests.host_agent.process.conftest import HostAgent, agent, eventually
from tests.host_agent.process.fleet import Eventually, ended_in
from tests.placement.conftest import OpenStack
from tests.placement.servers import Placement

# Fixtures of another folder: pytest finds them here.
__all__ = ["agent", "eventually"]


def row(host_agent: HostAgent) -> dict[str, Any]:
    answer = host_agent("hosts", "list", "-f", "json")
    hosts: list[dict[str, Any]] = json.loads(answer.out) if answer.code == 0 else []
    return hosts[0] if hosts else {}


def placement_job(host_agent: HostAgent) -> dict[str, Any]:
    path = host_agent.state / "status.json"
    job: dict[str, Any] | None = json.loads(path.read_text())["placement"] if path.exists() else None
    return job or {"successes": 0, "trouble": None}


def test_a_host_is_in_placement_by_the_uuid_and_the_numbers_of_its_row(
    agent: HostAgent, eventually: Eventually, placement: Placement, openstack: OpenStack
) -> None:
    agent.on_machine("placed")
    agent.environment |= {
        "OS_CAPABILITY_PLACEMENT__URL": placement.url,
        "OS_CAPABILITY_PLACEMENT__AUTH": "none",
        "OS_CAPABILITY_COMPUTE__CPU_DEDICATED_SET": "0-1",
        "OS_CAPABILITY_COMPUTE__CPU_SHARED_SET": "2-7",
    }
    process = agent.start("run")
    eventually(lambda: placement_job(agent)["successes"])

    stored = row(agent)
    listed = openstack("resource", "provider", "inventory", "list", stored["uuid"])
    totals = {item["resource_class"]: item["total"] for item in listed}
    assert (totals["VCPU"], totals["PCPU"]) == (stored["vcpus"] - stored["pcpus"], stored["pcpus"]) == (6, 2)
    assert totals["MEMORY_MB"] == stored["memory_mb"]
    assert "placement" in agent("status").out
    assert ended_in(process) < 2


def test_a_placement_that_is_away_keeps_no_row_from_the_database(agent: HostAgent, eventually: Eventually) -> None:
    agent.on_machine("alone")
    process = agent.start(
        "run", OS_CAPABILITY_PLACEMENT__URL="http://127.0.0.1:9", OS_CAPABILITY_PLACEMENT__AUTH="none"
    )
    eventually(lambda: placement_job(agent)["trouble"])
    before = row(agent)["updated_at"]
    eventually(lambda: row(agent)["updated_at"] > before)

    status = agent("status")
    assert status.code == 1
    assert "not reported to Placement: " in status.out
    assert "http://127.0.0.1:9" in status.out
    assert ended_in(process) < 2
