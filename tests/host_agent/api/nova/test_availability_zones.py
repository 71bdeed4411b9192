# SPDX-License-Identifier: Apache-2.0
"""``os-availability-zone`` on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from falcon import testing

from host_agent import store
from host_agent.api.nova import availability_zones
from host_agent.store.engine import Engine
from tests.host_agent.api.nova.asking import ask, fault, fits
from tests.host_agent.facts import uuid
from tests.host_agent.store.fleet import age, claim, enlist


def key(number: int) -> str:
    return store.service_uuid(uuid(number), "nova-compute")


def zones(api: testing.TestClient, version: str = "2.104", query: str = "") -> list[dict[str, Any]]:
    answer = ask(api, "GET", f"/os-availability-zone{query}", version)
    return list(fits(answer, availability_zones.LIST, version)["availabilityZoneInfo"])


def detailed(api: testing.TestClient, version: str = "2.104", query: str = "") -> list[dict[str, Any]]:
    answer = ask(api, "GET", f"/os-availability-zone/detail{query}", version)
    return list(fits(answer, availability_zones.DETAIL, version)["availabilityZoneInfo"])


@pytest.fixture
def hosts(fleet: Engine) -> Engine:
    """Give the database with node-1 in zone-b, node-2 in zone-a, which is disabled, and node-3 in no zone."""
    for number in (1, 2, 3):
        enlist(fleet, number)
    for zone, host in (("zone-b", "node-1"), ("zone-a", "node-2")):
        store.add_host(fleet, store.create_aggregate(fleet, zone, zone).id, host)
    store.create_aggregate(fleet, "empty", "zone-c")
    store.change_service(fleet, key(2), disabled=True)
    age(fleet, "last_seen_up", 6000, number=3)
    return fleet


def test_zones_are_those_of_services(hosts: Engine, api: testing.TestClient) -> None:
    told = [(zone["zoneName"], zone["zoneState"]["available"], zone["hosts"]) for zone in zones(api)]
    # Nova tells those that are available first.
    assert told == [("nova", True, None), ("zone-b", True, None), ("zone-a", False, None)]


def test_the_detail_has_the_enabled_services(hosts: Engine, api: testing.TestClient) -> None:
    store.register(hosts, claim(1, binary="zun-compute"))
    nova, zone_b, zone_a = detailed(api)
    assert [(zone["zoneName"], zone["zoneState"]["available"]) for zone in (nova, zone_b, zone_a)] == [
        *(("nova", True), ("zone-b", True), ("zone-a", False))
    ]
    assert sorted(zone_b["hosts"]["node-1"]) == ["nova-compute", "zun-compute"]
    service = zone_b["hosts"]["node-1"]["nova-compute"]
    assert len(service.pop("updated_at")) == len("2026-11-21T01:44:58.000000")
    assert service == {"available": True, "active": True}
    # Not heard of lately, so not available; and in a zone that is.
    assert nova["hosts"]["node-3"]["nova-compute"]["available"] is False
    assert zone_a["hosts"] is None


def test_a_disabled_host_is_left_out_of_a_zone_that_has_others(hosts: Engine, api: testing.TestClient) -> None:
    store.change_service(hosts, key(3), disabled=True)
    enlist(hosts, 4)
    assert [list(zone["hosts"]) for zone in detailed(api) if zone["zoneName"] == "nova"] == [["node-4"]]


def test_the_default_zone_is_there_only_with_hosts(fleet: Engine, api: testing.TestClient) -> None:
    assert zones(api) == detailed(api) == []
    enlist(fleet)
    assert [zone["zoneName"] for zone in zones(api)] == ["nova"]
    store.add_host(fleet, store.create_aggregate(fleet, "one", "zone-a").id, "node-1")
    assert [zone["zoneName"] for zone in zones(api)] == [zone["zoneName"] for zone in detailed(api)] == ["zone-a"]


def test_it_is_the_same_on_every_backend(engine: Engine, api_everywhere: testing.TestClient) -> None:
    enlist(engine)
    assert zones(api_everywhere) == [{"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}]
    (zone,) = detailed(api_everywhere)
    assert zone["hosts"]["node-1"]["nova-compute"]["available"] is True


def test_an_unknown_parameter_is_refused_from_2_102_on(api: testing.TestClient) -> None:
    for path in ("/os-availability-zone", "/os-availability-zone/detail"):
        assert ask(api, "GET", f"{path}?bogus=1", "2.101").status_code == 200
        assert fault(ask(api, "GET", f"{path}?bogus=1", "2.102"))[0] == 400
