# SPDX-License-Identifier: Apache-2.0
"""``os-hosts`` on the wire, which is there until 2.42."""

from __future__ import annotations

from typing import Any

import pytest
from falcon import testing

from host_agent import store
from host_agent.api.nova import hosts as nova_hosts
from host_agent.store.engine import Engine
from tests.host_agent.api.nova.asking import ask, fault, fits
from tests.host_agent.facts import GIB, record, uuid
from tests.host_agent.store.fleet import claim, enlist
from tests.host_agent.store.workloads import discovery, report, vm

UNSUPPORTED = (501, "The requested functionality is not supported.")


@pytest.fixture
def hosts(fleet: Engine) -> Engine:
    """Give the database with node-1 in zone-a, node-2 in none, and node-3, which is disabled."""
    for number in (1, 2, 3):
        enlist(fleet, number)
    store.add_host(fleet, store.create_aggregate(fleet, "one", "zone-a").id, "node-1")
    store.change_service(fleet, store.service_uuid(uuid(3), "nova-compute"), disabled=True)
    return fleet


def listed(api: testing.TestClient, query: str = "", version: str = "2.42") -> list[dict[str, Any]]:
    return list(fits(ask(api, "GET", f"/os-hosts{query}", version), nova_hosts.LIST, version)["hosts"])


def shown(api: testing.TestClient, name: str) -> dict[str, tuple[int, int, int]]:
    """Give CPUs, MiB and GiB by project."""
    resources = [
        part["resource"] for part in fits(ask(api, "GET", f"/os-hosts/{name}", "2.1"), nova_hosts.SHOW, "2.1")["host"]
    ]
    assert {one["host"] for one in resources} == {name}
    return {one["project"]: (one["cpu"], one["memory_mb"], one["disk_gb"]) for one in resources}


def test_enabled_hosts_are_listed(hosts: Engine, api: testing.TestClient) -> None:
    for version in ("2.1", "2.42"):
        assert listed(api, version=version) == [
            {"host_name": "node-1", "service": "compute", "zone": "zone-a"},
            {"host_name": "node-2", "service": "compute", "zone": "nova"},
        ]


def test_a_list_can_be_filtered(hosts: Engine, api: testing.TestClient) -> None:
    def found(query: str) -> list[str]:
        return [host["host_name"] for host in listed(api, query)]

    everybody = ["node-1", "node-2"]
    assert found("?zone=zone-a") == found("?zone=nova&zone=zone-a") == ["node-1"]
    assert found("?zone=nova") == ["node-2"]
    assert found("?zone=") == found("?service=compute") == found("?bogus=1") == everybody
    assert found("?zone=xxx") == found("?service=conductor") == []


def test_a_host_is_shown_with_what_it_has_and_uses(fleet: Engine, api: testing.TestClient) -> None:
    lease = enlist(fleet)
    mine, theirs = ({"nova.project": name} for name in ("mine", "theirs"))
    found = [
        vm(1, labels=mine),
        vm(2, labels=mine, vcpus=1, memory_bytes=GIB + 1, disk_bytes=1),
        vm(3, labels=theirs, vcpus=0.5, memory_bytes=None, disk_bytes=None),
        vm(4),
    ]
    facts = record(sequence=2, boot_id=claim().boot_id, engines="[]", local_gb=500)
    store.upsert(fleet, facts, lease, discovery(*found))
    row = store.list_hosts(fleet)[0]

    assert shown(api, "node-1") == {
        "(total)": (row["vcpus"], row["memory_mb"], 500),
        "(used_now)": (row["vcpus_used"], row["memory_mb_used"], row["local_gb_used"]),
        "(used_max)": (10, 21 * 1024 + 1, 161),
        "mine": (5, 11 * 1024 + 1, 81),
        "theirs": (1, 0, 0),
    }


def test_what_is_not_known_is_nought(fleet: Engine, api: testing.TestClient) -> None:
    lease = enlist(fleet)
    facts = record(sequence=2, boot_id=claim().boot_id, vcpus=None, memory_mb=None, local_gb=None)
    store.upsert(fleet, facts, lease)
    assert shown(api, "node-1")["(total)"] == (0, 0, 0)
    assert shown(api, "node-1")["(used_max)"] == (0, 0, 0)


def test_a_host_that_is_not_there_is_not_found(hosts: Engine, api: testing.TestClient) -> None:
    report(hosts, 4)  # has a row and no service
    for name in ("nohost", "node-4", "00000000-0000-4000-8000-000000000001", "NODE-1"):
        absent = (404, f"Compute host {name} could not be found.")
        assert fault(ask(api, "PUT", f"/os-hosts/{name}", "2.1", {"status": "enable"})) == absent
        for path in ("", "/startup", "/shutdown", "/reboot"):
            assert fault(ask(api, "GET", f"/os-hosts/{name}{path}", "2.1")) == absent


def test_nothing_is_done_to_a_host(hosts: Engine, api: testing.TestClient) -> None:
    before = store.list_services(hosts)
    for body in ({"status": "enable"}, {"maintenance_mode": "DISABLE"}, {"status": "Disable"}):
        assert fault(ask(api, "PUT", "/os-hosts/node-1", "2.1", body)) == UNSUPPORTED
    for action in ("startup", "shutdown", "reboot"):
        assert fault(ask(api, "GET", f"/os-hosts/node-1/{action}", "2.42")) == UNSUPPORTED
    nothing = {"status": None, "maintenance_mode": None}
    for wrong in ({}, nothing, {"status": "invalid"}, {"maintenance_mode": "invalid"}, {"status": "enable", "x": 1}):
        assert fault(ask(api, "PUT", "/os-hosts/node-1", "2.1", wrong))[0] == 400
    assert store.list_services(hosts) == before


def test_all_of_it_is_gone_from_2_43_on(hosts: Engine, api: testing.TestClient) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/node-1"),
        ("PUT", "/node-1"),
        ("GET", "/node-1/startup"),
        ("GET", "/node-1/shutdown"),
        ("GET", "/node-1/reboot"),
    ):
        for version in ("2.43", "2.104"):
            told = fault(
                ask(api, method, f"/os-hosts{path}", version, {"status": "enable"} if method == "PUT" else None)
            )
            assert told == (404, "The resource could not be found.")
