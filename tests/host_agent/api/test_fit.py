# SPDX-License-Identifier: Apache-2.0
"""``/v1/fit``: sizes as people write them, the best hosts first, the others counted, and clear refusals."""

from __future__ import annotations

from typing import Any

import pytest
from falcon import testing
from jsonschema import validate

from host_agent import store
from host_agent.api.own.fit import SHOW
from host_agent.store.engine import Engine
from tests.host_agent.api.test_usage import offer
from tests.host_agent.facts import uuid


@pytest.fixture
def three(fleet: Engine) -> Engine:
    for number in (1, 2, 3):
        offer(fleet, number)
    store.add_host(fleet, store.create_aggregate(fleet, "rack", "zone-a").id, "node-2")
    return fleet


def asked(api: testing.TestClient, query: str) -> Any:
    answer = api.simulate_get(f"/v1/fit?{query}")
    assert answer.status_code == 200, answer.text
    validate(answer.json, dict(SHOW.returns or {}))
    return answer.json


def test_the_hosts_that_can_take_it_and_what_they_have_left(three: Engine, api: testing.TestClient) -> None:
    found = asked(api, "vcpus=4&memory=2G&availability_zone=zone-a")
    assert found == {
        "hosts": [
            {
                "uuid": uuid(2),
                "host": "node-2",
                "hypervisor_hostname": "node-2",
                "availability_zone": "zone-a",
                "free": {"VCPU": 30.0, "PCPU": 0.0, "MEMORY_MB": 7680 * 1.5 - 1024, "DISK_GB": 99.0},
            }
        ],
        "fits": 1,
        "rejected": {"availability_zone": 2},
    }


@pytest.mark.parametrize(
    ("query", "fits", "rejected"),
    [
        ("vcpus=8", 3, {}),
        ("vcpus=9", 0, {"vcpus": 3}),
        ("pcpus=8", 3, {}),
        ("pcpus=9", 0, {"pcpus": 3}),
        ("pcpus=4&numa_nodes=1", 3, {}),
        ("pcpus=5&numa_nodes=1", 0, {"numa_nodes": 3}),
        ("memory=3GiB&numa_nodes=1", 3, {}),
        ("memory=7Gi", 3, {}),
        ("memory=8589934592", 0, {"memory": 3}),
        ("memory=10M&hugepage_size=2M&numa_nodes=1", 3, {}),
        ("memory=11M&hugepage_size=2M&numa_nodes=1", 0, {"numa_nodes": 3}),
        ("memory=20M&hugepage_size=2048K&numa_nodes=2", 3, {}),
        ("memory=21M&hugepage_size=2M", 0, {"hugepages": 3}),
        ("memory=1G&hugepage_size=1G", 0, {"hugepages": 3}),
        ("vcpus=1&trait=HW_CPU_X86_SSE2&trait=HW_NUMA_ROOT", 3, {}),
        ("vcpus=1&trait=HW_CPU_X86_SSE2&trait=HW_CPU_X86_AVX2", 0, {"traits": 3}),
        # An underscore stands for itself alone.
        ("vcpus=1&trait=HW_CPU_X86_SSE_", 0, {"traits": 3}),
    ],
)
def test_each_demand_fits_or_is_told_why_not(
    three: Engine, api: testing.TestClient, query: str, fits: int, rejected: dict[str, int]
) -> None:
    found = asked(api, query)
    assert (found["fits"], len(found["hosts"]), found["rejected"]) == (fits, fits, rejected)


def test_no_more_hosts_are_named_than_are_wanted(three: Engine, api: testing.TestClient) -> None:
    found = asked(api, "vcpus=1&limit=2")
    assert ([host["host"] for host in found["hosts"]], found["fits"]) == (["node-3", "node-2"], 3)


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "nothing is asked for: give vcpus, pcpus or memory."),
        ("limit=5", 400, "nothing is asked for: give vcpus, pcpus or memory."),
        ("vcpus=0", 400, "nothing is asked for: give vcpus, pcpus or memory."),
        ("vcpus=-1", 400, "Invalid input for query parameters vcpus"),
        ("vcpus=1.5", 400, "Invalid input for query parameters vcpus. Value: 1.5. '1.5' does not match '^[0-9]{1,6}$'"),
        ("vcpus=1&vcpus=2", 400, "vcpus"),
        ("memory=4GB", 400, "memory: '4GB' is no size; write bytes, or a size like 512M, 4G or 4GiB."),
        ("memory=99999999999999999P", 400, "memory: no host has so much."),
        ("vcpus=1&hugepage_size=2M", 400, "hugepage_size: it says of what pages the memory is, and none is asked for."),
        ("memory=1G&hugepage_size=0", 400, "hugepage_size: 0 is less than 1."),
        ("vcpus=1&numa_nodes=0", 400, "numa_nodes: 0 is less than 1."),
        ("vcpus=1&trait=avx", 400, "Invalid input for query parameters trait"),
        ("vcpus=1&limit=0", 400, "limit"),
        ("vcpus=1&cores=2", 400, "cores"),
        ("vcpus=1&availability_zone=zone-b", 404, "no availability zone is called 'zone-b'"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    three: Engine, api: testing.TestClient, query: str, status: int, message: str
) -> None:
    answer = api.simulate_get(f"/v1/fit?{query}")
    assert answer.status_code == status
    assert message in answer.json["error"]["message"]


def test_an_empty_fleet_takes_nothing(api_everywhere: testing.TestClient) -> None:
    query = "vcpus=1&pcpus=1&memory=2M&hugepage_size=2M&numa_nodes=2&trait=HW_NUMA_ROOT&availability_zone=nova"
    assert asked(api_everywhere, query) == {"hosts": [], "fits": 0, "rejected": {}}
