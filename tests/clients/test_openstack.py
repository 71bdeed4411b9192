# SPDX-License-Identifier: Apache-2.0
"""The command ``openstack``: what it is used for with a Nova, it can be used for with us."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.clients.api import Api
from tests.clients.command import OpenStack

NODES = [f"node-{number}" for number in range(1, 6)]
NODE_1 = "00000000-0000-4000-8000-000000000001"


def has_uuids(openstack: OpenStack) -> bool:
    """Tell whether hosts and services have uuids in this version, as they have from 2.53 on."""
    return openstack.version != "2.1"


class TestHypervisors:
    def test_all_of_them_are_listed(self, openstack: OpenStack) -> None:
        listed = openstack("hypervisor list")

        assert [row["Hypervisor Hostname"] for row in listed] == NODES
        assert [row["State"] for row in listed] == ["up", "up", "up", "up", "down"]

    def test_long_shows_what_the_version_has(self, openstack: OpenStack) -> None:
        first = openstack("hypervisor list --long")[0]

        has_resources = openstack.version == "2.1"
        assert first.get("vCPUs") == (8 if has_resources else None)
        assert first.get("Memory MB") == (8192 if has_resources else None)

    def test_some_are_found_by_their_name(self, openstack: OpenStack) -> None:
        assert [row["Hypervisor Hostname"] for row in openstack("hypervisor list --matching de-3")] == ["node-3"]
        assert "No hypervisor matching 'mars' could be found." in openstack.fails("hypervisor list --matching mars")

    def test_they_come_page_by_page(self, openstack: OpenStack) -> None:
        if not has_uuids(openstack):
            assert "2.33" in openstack.fails("hypervisor list --limit 2")
            return

        assert [row["Hypervisor Hostname"] for row in openstack("hypervisor list --limit 2")] == NODES
        after = openstack(f"hypervisor list --limit 2 --marker {NODE_1}")
        assert [row["Hypervisor Hostname"] for row in after] == NODES[1:]

    def test_one_is_shown_by_its_name(self, openstack: OpenStack) -> None:
        shown = openstack("hypervisor show node-2")

        assert shown["hypervisor_hostname"] == "node-2"
        assert shown["aggregates"] == ["rack-2"]
        assert shown["service_host"] == "node-2"
        assert shown["state"] == "up"

    def test_one_is_shown_by_its_id(self, openstack: OpenStack) -> None:
        listed = openstack("hypervisor list")
        shown = openstack(f"hypervisor show {listed[2]['ID']}")

        assert shown["hypervisor_hostname"] == "node-3"
        assert shown["id"] == listed[2]["ID"]

    def test_one_that_is_up_tells_since_when(self, openstack: OpenStack) -> None:
        shown = openstack("hypervisor show node-1")

        assert shown["uptime"].startswith("1 day, ")
        assert shown["users"] == "1"
        assert shown["load_average"] == "0.50, 0.25, 0.12"

    def test_one_that_nobody_has_is_said(self, openstack: OpenStack) -> None:
        assert "No Hypervisor found for mars" in openstack.fails("hypervisor show mars")

    def test_their_sums_are_shown(self, openstack: OpenStack) -> None:
        sums = openstack("hypervisor stats show")

        assert (sums["count"], sums["vcpus"], sums["memory_mb"]) == (5, 40, 5 * 8192)


class TestServices:
    def test_all_of_them_are_listed(self, openstack: OpenStack) -> None:
        listed = openstack("compute service list --long")

        assert [row["Host"] for row in listed] == NODES
        assert {row["Binary"] for row in listed} == {"nova-compute"}
        assert [row["Zone"] for row in listed] == ["nova", "east", "east", "nova", "nova"]
        assert [row["Status"] for row in listed] == ["enabled"] * 5

    def test_one_is_disabled_with_a_reason_and_enabled_again(self, openstack: OpenStack) -> None:
        openstack("compute service set --disable --disable-reason broken node-1 nova-compute")
        (row,) = openstack("compute service list --long --host node-1 --service nova-compute")
        assert (row["Status"], row["Disabled Reason"]) == ("disabled", "broken")

        openstack("compute service set --enable node-1 nova-compute")
        (row,) = openstack("compute service list --long --host node-1")
        assert (row["Status"], row["Disabled Reason"]) == ("enabled", None)

    def test_one_is_forced_down_and_up_again(self, openstack: OpenStack) -> None:
        if openstack.version == "2.1":
            assert "2.11" in openstack.fails("compute service set --down node-1 nova-compute")
            return

        openstack("compute service set --down node-1 nova-compute")
        assert openstack("compute service list --host node-1")[0]["State"] == "down"
        assert openstack("hypervisor show node-1")["state"] == "down"
        openstack("compute service set --up node-1 nova-compute")
        assert openstack("compute service list --host node-1")[0]["State"] == "up"

    def test_one_that_is_not_there_cannot_be_deleted(self, openstack: OpenStack) -> None:
        missing = str(uuid.UUID(int=1)) if has_uuids(openstack) else "99999"

        assert missing in openstack.fails(f"compute service delete {missing}")


class TestAggregates:
    @pytest.fixture
    def name(self, openstack: OpenStack) -> Iterator[str]:
        name = f"aggregate-{uuid.uuid4().hex[:8]}"
        openstack(f"aggregate create --zone west --property ssd=true {name}")
        yield name
        openstack(f"aggregate delete {name}")

    def test_one_is_listed_and_shown(self, openstack: OpenStack, name: str) -> None:
        (row,) = [row for row in openstack("aggregate list --long") if row["Name"] == name]
        shown = openstack(f"aggregate show {name}")

        assert row["Availability Zone"] == "west"
        assert shown["properties"] == {"ssd": "true"}
        assert shown["availability_zone"] == "west"
        assert shown["hosts"] == []

    def test_it_is_changed(self, openstack: OpenStack, name: str) -> None:
        openstack(f"aggregate set --zone south --property ssd=false --property rack=7 {name}")
        shown = openstack(f"aggregate show {name}")
        assert (shown["availability_zone"], shown["properties"]) == ("south", {"ssd": "false", "rack": "7"})

        openstack(f"aggregate unset --property ssd {name}")
        assert openstack(f"aggregate show {name}")["properties"] == {"rack": "7"}

        openstack(f"aggregate set --no-property {name}")
        assert openstack(f"aggregate show {name}")["properties"] == {}

    def test_it_gets_a_host_and_loses_it(self, openstack: OpenStack, name: str) -> None:
        openstack(f"aggregate add host {name} node-4")
        assert openstack(f"aggregate show {name}")["hosts"] == ["node-4"]
        assert "409" in openstack.fails(f"aggregate add host {name} node-4")
        assert "node-2" in openstack.fails(f"aggregate add host {name} node-2")  # it is in another zone
        assert "404" in openstack.fails(f"aggregate add host {name} mars")
        assert "not empty" in openstack.fails(f"aggregate delete {name}")

        openstack(f"aggregate remove host {name} node-4")
        assert openstack(f"aggregate show {name}")["hosts"] == []

    def test_a_name_is_taken_once(self, openstack: OpenStack, name: str) -> None:
        assert f"Aggregate {name} already exists." in openstack.fails(f"aggregate create {name}")

    def test_one_that_nobody_has_is_said(self, openstack: OpenStack) -> None:
        assert "mars" in openstack.fails("aggregate show mars")


class TestZonesAndHosts:
    def test_the_zones_and_who_is_in_them(self, openstack: OpenStack) -> None:
        listed = openstack("availability zone list --compute --long")

        hosts = {(row["Zone Name"], row["Host Name"]) for row in listed}
        assert hosts == {
            ("nova", "node-1"),
            ("east", "node-2"),
            ("east", "node-3"),
            ("nova", "node-4"),
            ("nova", "node-5"),
        }
        states = {row["Host Name"]: row["Service Status"] for row in listed}
        assert states["node-1"].startswith("enabled :-) ")
        assert states["node-5"].startswith("enabled XXX ")

    def test_the_hosts(self, openstack: OpenStack) -> None:
        assert [row["Host Name"] for row in openstack("host list")] == NODES
        assert [row["Host Name"] for row in openstack("host list --zone east")] == ["node-2", "node-3"]

    def test_what_a_host_has_and_runs(self, openstack: OpenStack) -> None:
        total, used, *_ = openstack("host show node-2")

        assert (total["Project"], total["CPU"], total["Memory MB"]) == ("(total)", 8, 8192)
        assert (used["Project"], used["CPU"]) == ("(used_now)", 4)


def test_a_server_that_is_no_nova_is_said(no_auth: None, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_ENDPOINT", f"{api.root}/mars")
    assert OpenStack().fails("hypervisor list")
