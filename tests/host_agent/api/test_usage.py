# SPDX-License-Identifier: Apache-2.0
"""``/v1/usage``: the fleet, a zone, an aggregate, or all of them at once; 404 for a group that is not there."""

from __future__ import annotations

from typing import Any

import pytest
from falcon import testing
from jsonschema import validate
from sqlalchemy import update

from host_agent import store
from host_agent.api.own.usage import SHOW
from host_agent.resource_usage import RESOURCES
from host_agent.store.engine import Engine
from host_agent.store.schema import SERVICES
from tests.host_agent.facts import GIB, record
from tests.host_agent.store.fleet import enlist
from tests.host_agent.store.workloads import discovery, vm

OFFERED: dict[str, Any] = {
    "pcpus": 0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 512,
    "reserved_host_disk_mb": 0,
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.5,
    "disk_allocation_ratio": 1.0,
    "local_gb": 100,
    "engines": "[]",
}


def offer(engine: Engine, number: int) -> None:
    """Register a host, and store a report with a workload."""
    lease = enlist(engine, number)
    seen = discovery(vm(number, vcpus=2, memory_bytes=GIB, disk_bytes=GIB))
    store.upsert(engine, record(number, sequence=2, **OFFERED), lease, seen)


@pytest.fixture
def racks(fleet: Engine) -> Engine:
    for number in (1, 2, 3):
        offer(fleet, number)
    for name, zone, members in (("rack-1", "zone-a", (1, 2)), ("fast", None, (2, 3))):
        aggregate = store.create_aggregate(fleet, name, zone).id
        for number in members:
            store.add_host(fleet, aggregate, f"node-{number}")
    return fleet


def asked(api: testing.TestClient, query: str = "") -> Any:
    answer = api.simulate_get(f"/v1/usage{query}")
    assert answer.status_code == 200, answer.text
    validate(answer.json, dict(SHOW.returns or {}))
    return answer.json


def test_the_fleet_plain_and_against_its_capacity(racks: Engine, api: testing.TestClient) -> None:
    found = asked(api)
    assert (found["name"], found["only_available"], found["hosts"], found["up"], found["enabled"]) == (
        *(None, False),
        *(3, 3, 3),
    )
    assert list(found["resources"]) == list(RESOURCES)
    assert found["resources"]["VCPU"] == {
        "total": 24,
        "reserved": 0,
        "capacity": 96.0,
        "used": 6,
        "free": 90.0,
        "used_percent": 25.0,
        "capacity_used_percent": 6.25,
        "unknown": 0,
    }
    assert found["resources"]["MEMORY_MB"]["capacity"] == 3 * 7680 * 1.5
    assert found["resources"]["DISK_GB"]["used"] == 3


@pytest.mark.parametrize(
    ("query", "name", "hosts"),
    [
        ("?availability_zone=zone-a", "zone-a", 2),
        ("?availability_zone=nova", "nova", 1),
        ("?aggregate=fast", "fast", 2),
        ("?aggregate=fast&available=true", "fast", 1),
        ("?available=true", None, 2),
        ("?available=false", None, 3),
    ],
)
def test_a_group_of_hosts(racks: Engine, api: testing.TestClient, query: str, name: str | None, hosts: int) -> None:
    with racks.begin() as connection:
        connection.execute(update(SERVICES).where(SERVICES.c.host == "node-3").values(disabled=True))
    found = asked(api, query)
    assert (found["name"], found["hosts"], found["resources"]["VCPU"]["total"]) == (name, hosts, 8 * hosts)
    assert found["only_available"] == ("available=true" in query)


def test_an_aggregate_is_found_by_its_uuid_too(racks: Engine, api: testing.TestClient) -> None:
    (fast,) = (one for one in store.list_aggregates(racks) if one.name == "fast")
    assert asked(api, f"?aggregate={fast.uuid}")["name"] == "fast"


def test_all_groups_at_once(racks: Engine, api: testing.TestClient) -> None:
    zones = asked(api, "?group_by=availability_zone")["groups"]
    assert [(group["name"], group["hosts"]) for group in zones] == [("nova", 1), ("zone-a", 2)]
    aggregates = asked(api, "?group_by=aggregate&available=true")["groups"]
    assert [(group["name"], group["hosts"]) for group in aggregates] == [("fast", 2), ("rack-1", 2)]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("?availability_zone=zone-b", 404, "no availability zone is called 'zone-b'"),
        ("?aggregate=slow", 404, "no aggregate is called 'slow'"),
        ("?aggregate=fast&availability_zone=zone-a", 400, "availability_zone and aggregate exclude each other"),
        ("?group_by=aggregate&aggregate=fast", 400, "exclude each other"),
        ("?group_by=host", 400, "group_by"),
        ("?available=yes", 400, "available"),
        ("?host=node-1", 400, "host"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    racks: Engine, api: testing.TestClient, query: str, status: int, message: str
) -> None:
    answer = api.simulate_get(f"/v1/usage{query}")
    assert answer.status_code == status
    assert message in answer.json["error"]["message"]


def test_an_empty_fleet_uses_nothing_and_nobody_knows_how_much_of_it(api_everywhere: testing.TestClient) -> None:
    found = asked(api_everywhere)
    assert (found["hosts"], found["up"], found["enabled"]) == (0, 0, 0)
    assert found["resources"]["VCPU"]["total"] is None
    assert asked(api_everywhere, "?availability_zone=nova&available=true")["hosts"] == 0
    assert asked(api_everywhere, "?group_by=availability_zone") == {"groups": []}
