# SPDX-License-Identifier: Apache-2.0
"""NUMA nodes as providers below the host, and PCI devices as classes of the operator's own."""

from __future__ import annotations

from dataclasses import replace

from host_agent.report.placement.tree import node_uuid
from os_capability import CpuSet, Host, NumaTopology
from tests.host_agent.facts import machine
from tests.host_agent.report.devices import device
from tests.placement.conftest import OpenStack, Start
from tests.placement.proxy import Proxy
from tests.placement.servers import Placement

CONSUMER = "dddddddd-0000-4000-8000-{:012d}"


def without_second_node(host: Host) -> Host:
    return replace(host, numa=NumaTopology(synthetic=False, nodes=host.numa.nodes[:1]))


def test_openstack_shows_the_tree_and_places_in_one_node(start: Start, openstack: OpenStack) -> None:
    agent = start(numa_nodes=True)
    agent.capacity_settings = replace(
        agent.capacity_settings, cpu_dedicated_set=CpuSet([2, 3]), cpu_shared_set=CpuSet([0, 1, 4, 5, 6, 7])
    )
    assert agent.turn() is None

    providers = openstack("resource", "provider", "list", "--in-tree", agent.uuid)
    first = node_uuid(agent.uuid, 0)
    assert {(item["name"], item["uuid"], item["parent_provider_uuid"]) for item in providers} == {
        (agent.name, agent.uuid, None),
        (f"{agent.name}_NUMA0", first, agent.uuid),
        (f"{agent.name}_NUMA1", node_uuid(agent.uuid, 1), agent.uuid),
    }
    inventories = openstack("resource", "provider", "inventory", "list", first)
    assert {item["resource_class"]: (item["total"], item["reserved"]) for item in inventories} == {
        "VCPU": (2, 0),
        "PCPU": (2, 0),
        "MEMORY_MB": (4096, 256),
    }
    candidates = openstack(
        *("allocation", "candidate", "list", "--resource", "PCPU=2", "--resource", "MEMORY_MB=3000"),
        *("--required", "HW_NUMA_ROOT"),
    )
    assert ("MEMORY_MB=3000,PCPU=2", first) in {(item["allocation"], item["resource provider"]) for item in candidates}


def test_only_the_root_has_disk_and_only_nodes_are_numa_roots(start: Start, placement: Placement) -> None:
    agent = start(numa_nodes=True)
    agent.turn()
    first = node_uuid(agent.uuid, 0)
    assert placement.inventories(agent.uuid).keys() == {"DISK_GB"}
    assert placement.traits(first) == {"HW_NUMA_ROOT"}
    assert "HW_NUMA_ROOT" not in placement.traits(agent.uuid)
    assert "HW_ARCH_X86_64" in placement.traits(agent.uuid)


def test_an_unchanged_tree_costs_one_request_an_hour_whatever_its_size(start: Start, proxy: Proxy) -> None:
    agent = start(numa_nodes=True, facts=machine(nodes=4))
    agent.turn()
    proxy.taken()
    agent.turn()
    assert proxy.taken() == []
    agent.wait_an_hour()
    agent.turn()
    assert proxy.taken() == [f"GET /resource_providers?in_tree={agent.uuid}"]


class TestSwitching:
    def test_to_nodes_and_back_leaves_nothing_twice(self, start: Start, placement: Placement, proxy: Proxy) -> None:
        agent = start()
        agent.turn()
        proxy.taken()
        assert start(number=agent.number, numa_nodes=True).turn() is None
        # Never offered twice: the host loses before its nodes get.
        puts = [request for request in proxy.taken() if request.endswith("/inventories") and request.startswith("PUT")]
        assert agent.uuid in puts[0]
        assert placement.inventories(agent.uuid).keys() == {"DISK_GB"}

        assert start(number=agent.number).turn() is None
        puts = [request for request in proxy.taken() if request.endswith("/inventories") and request.startswith("PUT")]
        assert agent.uuid in puts[-1]
        assert placement.tree(agent.uuid) == {agent.name: agent.uuid}
        assert placement.inventories(agent.uuid).keys() == {"VCPU", "MEMORY_MB", "DISK_GB"}

    def test_what_allocations_use_is_not_offered_anew_elsewhere(self, start: Start, placement: Placement) -> None:
        agent = start()
        agent.turn()
        consumer = CONSUMER.format(agent.number)
        placement.allocate(consumer, agent.uuid, VCPU=2)
        nested = start(number=agent.number, numa_nodes=True)
        assert f"allocations use VCPU of {agent.name!r}" in (nested.turn() or "")
        assert placement.tree(agent.uuid) == {agent.name: agent.uuid}
        assert placement.inventories(agent.uuid)["VCPU"]["reserved"] == 0

        placement.allocate(consumer, agent.uuid)
        assert nested.turn() is None
        assert len(placement.tree(agent.uuid)) == 3

    def test_and_not_the_other_way_either(self, start: Start, placement: Placement) -> None:
        agent = start(numa_nodes=True)
        agent.turn()
        placement.allocate(CONSUMER.format(agent.number), node_uuid(agent.uuid, 1), MEMORY_MB=64)
        assert "allocations use MEMORY_MB" in (start(number=agent.number).turn() or "")
        assert len(placement.tree(agent.uuid)) == 3


class TestNodesThatGo:
    def test_a_node_that_is_gone_goes(self, start: Start, placement: Placement) -> None:
        agent = start(numa_nodes=True)
        agent.turn()
        assert agent.facts is not None
        agent.facts = without_second_node(agent.facts)
        assert agent.turn() is None
        assert placement.tree(agent.uuid) == {agent.name: agent.uuid, f"{agent.name}_NUMA0": node_uuid(agent.uuid, 0)}

    def test_one_that_is_in_use_stays_and_takes_no_more(self, start: Start, placement: Placement) -> None:
        agent = start(numa_nodes=True)
        agent.turn()
        second, consumer = node_uuid(agent.uuid, 1), CONSUMER.format(agent.number)
        placement.allocate(consumer, second, VCPU=1)
        assert agent.facts is not None
        agent.facts = without_second_node(agent.facts)
        assert agent.turn() is None
        found = placement.inventories(second)
        assert found.keys() == {"VCPU"}
        assert found["VCPU"]["reserved"] == found["VCPU"]["total"] == 4

        placement.allocate(consumer, second)
        agent.wait_an_hour()
        assert agent.turn() is None
        assert second not in placement.tree(agent.uuid).values()

    def test_one_that_holds_what_is_somebody_elses_stays_with_that(self, start: Start, placement: Placement) -> None:
        agent = start(numa_nodes=True)
        agent.turn()
        second = node_uuid(agent.uuid, 1)
        placement.set_inventory(second, "VGPU", total=4)
        assert agent.facts is not None
        agent.facts = without_second_node(agent.facts)
        assert agent.turn() is None
        assert placement.inventories(second).keys() == {"VGPU"}
        assert placement.traits(second) == set()

    def test_a_child_of_somebody_else_stays(self, start: Start, placement: Placement) -> None:
        agent = start(numa_nodes=True)
        agent.turn()
        foreign = {"name": f"{agent.name}_NUMA9", "parent_provider_uuid": agent.uuid}
        placement.call("POST", "/resource_providers", foreign)
        assert start(number=agent.number).turn() is None
        assert placement.tree(agent.uuid).keys() == {agent.name, f"{agent.name}_NUMA9"}


class TestDevices:
    CLASSES = {"8086:1572": "CUSTOM_NIC_X710"}  # noqa: RUF012

    def test_they_are_inventory_of_their_node_in_a_class_that_is_made(self, start: Start, placement: Placement) -> None:
        host = replace(machine(), pci=(device(1), device(1, address="0000:5e:00.1"), device(None, address="0000:00:1")))
        agent = start(numa_nodes=True, facts=host, pci_classes=self.CLASSES)
        assert agent.turn() is None
        assert placement.inventories(agent.uuid)["CUSTOM_NIC_X710"]["total"] == 1
        assert placement.inventories(node_uuid(agent.uuid, 1))["CUSTOM_NIC_X710"]["total"] == 2
        assert "CUSTOM_NIC_X710" not in placement.inventories(node_uuid(agent.uuid, 0))

    def test_they_come_and_go_with_the_host(self, start: Start, placement: Placement) -> None:
        agent = start(facts=replace(machine(), pci=(device(0),)), pci_classes=self.CLASSES)
        agent.turn()
        assert placement.inventories(agent.uuid)["CUSTOM_NIC_X710"]["max_unit"] == 1
        agent.change(pci=None)
        agent.turn()
        assert "CUSTOM_NIC_X710" in placement.inventories(agent.uuid)
        agent.change(pci=())
        agent.turn()
        assert "CUSTOM_NIC_X710" not in placement.inventories(agent.uuid)
