# SPDX-License-Identifier: Apache-2.0
"""What a host is in Placement, what a change costs, and that nothing is touched which is somebody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host_agent.report.placement.tree import node_uuid
from host_agent.workloads.discovery import DiskSpace
from os_capability import CpuSet
from os_capability.insight.traits import traits
from tests.host_agent.facts import GIB, machine, uuid
from tests.placement.conftest import OpenStack, Start
from tests.placement.proxy import Proxy
from tests.placement.servers import Placement

VCPU = {"total": 8, "reserved": 0, "min_unit": 1, "max_unit": 8, "step_size": 1, "allocation_ratio": 4.0}
MEMORY_MB = {"total": 8192, "reserved": 512, "min_unit": 1, "max_unit": 8192, "step_size": 1, "allocation_ratio": 1.0}
DISK_GB = {"total": 1800, "reserved": 0, "min_unit": 1, "max_unit": 1800, "step_size": 1, "allocation_ratio": 1.0}
CONSUMER = "cccccccc-0000-4000-8000-{:012d}"


def test_openstack_shows_the_host_with_its_inventories_and_traits(start: Start, openstack: OpenStack) -> None:
    agent = start(facts=machine(flag="avx512f"))
    assert agent.turn() is None
    assert agent.facts is not None

    provider = openstack("resource", "provider", "show", agent.uuid)
    assert (provider["uuid"], provider["name"], provider["parent_provider_uuid"]) == (agent.uuid, agent.name, None)
    inventories = openstack("resource", "provider", "inventory", "list", agent.uuid)
    assert {item.pop("resource_class"): {**item, "used": 0} for item in inventories} == {
        "VCPU": {**VCPU, "used": 0},
        "MEMORY_MB": {**MEMORY_MB, "used": 0},
        "DISK_GB": {**DISK_GB, "used": 0},
    }
    found = {item["name"] for item in openstack("resource", "provider", "trait", "list", agent.uuid)}
    assert found == set(traits(agent.facts)) - {"HW_NUMA_ROOT"}
    assert "HW_CPU_X86_AVX512F" in found


class TestCost:
    def test_the_first_report_asks_and_writes_each_thing_once(self, start: Start, proxy: Proxy) -> None:
        agent = start()
        agent.turn()
        first, *others = proxy.taken()
        assert first == "GET /"
        assert [request.partition("?")[0] for request in others] == [
            "GET /resource_providers",
            "POST /resource_providers",
            "GET /traits",
            f"PUT /resource_providers/{agent.uuid}/traits",
            f"PUT /resource_providers/{agent.uuid}/inventories",
        ]

    def test_an_unchanged_host_costs_nothing_and_one_request_an_hour(self, start: Start, proxy: Proxy) -> None:
        agent = start()
        agent.turn()
        proxy.taken()
        for _ in range(3):
            assert agent.turn() is None
        assert proxy.taken() == []
        for _ in range(2):
            agent.wait_an_hour()
            assert agent.turn() is None
        assert proxy.taken() == [f"GET /resource_providers?in_tree={agent.uuid}"] * 2

    def test_a_change_costs_one_request(self, start: Start, proxy: Proxy, placement: Placement) -> None:
        agent = start()
        agent.turn()
        proxy.taken()
        agent.change(memory=replace(machine().memory, total_bytes=12 * GIB))
        assert agent.turn() is None
        assert proxy.taken() == [f"PUT /resource_providers/{agent.uuid}/inventories"]
        assert placement.inventories(agent.uuid)["MEMORY_MB"] == {**MEMORY_MB, "total": 12288, "max_unit": 12288}

    def test_what_moves_by_itself_is_no_change(self, start: Start, proxy: Proxy) -> None:
        agent = start()
        agent.turn()
        proxy.taken()
        agent.change(memory=replace(machine().memory, free_bytes=1, available_bytes=2), hostname=agent.name)
        agent.disk = replace(agent.disk or pytest.fail("no disk"), free_bytes=1)
        agent.turn()
        assert proxy.taken() == []

    def test_a_restarted_agent_reads_and_writes_nothing(self, start: Start, proxy: Proxy) -> None:
        agent = start()
        agent.turn()
        proxy.taken()
        assert start(number=agent.number).turn() is None
        assert {request.partition(" ")[0] for request in proxy.taken()} == {"GET"}

    def test_it_speaks_the_newest_microversion_on_connections_of_one_request(self, start: Start, proxy: Proxy) -> None:
        start().turn()
        assert {seen.headers.get("OpenStack-API-Version") for seen in proxy.seen[1:]} == {"placement 1.39"}
        assert {seen.headers["Connection"] for seen in proxy.seen} == {"close"}
        assert all(seen.headers["User-Agent"].startswith("os-capability/") for seen in proxy.seen)


def test_a_disk_larger_than_placement_can_count_keeps_nothing_from_it(start: Start, placement: Placement) -> None:
    agent = start()
    agent.disk = DiskSpace(total_bytes=2**63, free_bytes=2**62, shared_storage="fs-1.efs.example:")
    assert agent.turn() is None
    assert placement.inventories(agent.uuid)["DISK_GB"]["total"] == 2**31 - 1


def test_a_renamed_host_is_the_same_provider(start: Start, proxy: Proxy, placement: Placement) -> None:
    agent = start(numa_nodes=True)
    agent.turn()
    proxy.taken()
    agent.change(hostname=f"{agent.name}-renamed")
    assert agent.turn() is None
    assert len(proxy.taken()) == 3
    assert placement.tree(agent.uuid) == {
        f"{agent.name}-renamed": agent.uuid,
        f"{agent.name}-renamed_NUMA0": node_uuid(agent.uuid, 0),
        f"{agent.name}-renamed_NUMA1": node_uuid(agent.uuid, 1),
    }


class TestWhatIsNotOurs:
    def test_foreign_traits_and_inventories_stay_and_ours_go(self, start: Start, placement: Placement) -> None:
        agent = start(facts=machine(flag="avx512f"))
        agent.turn()
        placement.call("PUT", "/traits/CUSTOM_GOLD")
        placement.add_traits(agent.uuid, "CUSTOM_GOLD", "COMPUTE_NODE", "HW_GPU_API_VULKAN")
        placement.set_inventory(agent.uuid, "SRIOV_NET_VF", total=16)

        again = start(number=agent.number, facts=machine(flag="avx2"))
        assert again.turn() is None
        found = placement.traits(agent.uuid)
        assert {"CUSTOM_GOLD", "COMPUTE_NODE", "HW_GPU_API_VULKAN", "HW_CPU_X86_AVX2"} <= found
        assert "HW_CPU_X86_AVX512F" not in found
        assert placement.inventories(agent.uuid)["SRIOV_NET_VF"]["total"] == 16

    def test_aggregates_and_allocations_stay(self, start: Start, placement: Placement) -> None:
        agent = start()
        agent.turn()
        consumer, aggregate = CONSUMER.format(agent.number), "aaaaaaaa-0000-4000-8000-000000000001"
        placement.allocate(consumer, agent.uuid, VCPU=2, MEMORY_MB=512)
        path = f"/resource_providers/{agent.uuid}/aggregates"
        generation = placement.provider(agent.uuid)["generation"]
        placement.call("PUT", path, {"resource_provider_generation": generation, "aggregates": [aggregate]})
        agent.change(memory=replace(machine().memory, total_bytes=12 * GIB), hostname=f"{agent.name}-b")

        assert agent.turn() is None
        assert placement.call("GET", path)["aggregates"] == [aggregate]
        assert placement.usages(agent.uuid) == {"VCPU": 2, "MEMORY_MB": 512, "DISK_GB": 0}

    def test_what_others_broke_is_seen_within_the_hour_and_mended(self, start: Start, placement: Placement) -> None:
        agent = start()
        agent.turn()
        placement.set_inventory(agent.uuid, "VCPU", total=1000)
        agent.turn()
        assert placement.inventories(agent.uuid)["VCPU"]["total"] == 1000
        agent.wait_an_hour()
        assert agent.turn() is None
        assert placement.inventories(agent.uuid)["VCPU"] == VCPU

    def test_a_provider_that_was_deleted_is_made_again(self, start: Start, placement: Placement) -> None:
        agent = start()
        agent.turn()
        placement.call("DELETE", f"/resource_providers/{agent.uuid}")
        agent.wait_an_hour()
        assert agent.turn() is None
        assert placement.inventories(agent.uuid).keys() == {"VCPU", "MEMORY_MB", "DISK_GB"}

    def test_one_that_is_deleted_before_a_change_is_made_again_at_once(
        self, start: Start, placement: Placement
    ) -> None:
        agent = start()
        agent.turn()
        placement.call("DELETE", f"/resource_providers/{agent.uuid}")
        agent.change(memory=replace(machine().memory, total_bytes=12 * GIB))
        assert agent.turn() is None
        assert placement.inventories(agent.uuid)["MEMORY_MB"]["total"] == 12288

    @pytest.mark.parametrize("numa_nodes", [False, True])
    def test_a_name_that_another_provider_has_is_told_and_nothing_touched(
        self, start: Start, placement: Placement, proxy: Proxy, numa_nodes: bool
    ) -> None:
        agent = start(numa_nodes=numa_nodes)
        other = uuid(agent.number + 500_000)
        placement.call("POST", "/resource_providers", {"name": agent.name, "uuid": other})
        trouble = agent.turn() or ""
        assert f"{agent.name!r} whose uuid is not this host's, {agent.uuid}" in trouble
        assert "\n" not in trouble
        assert placement.tree(agent.uuid) == {}
        assert placement.inventories(other) == {}

        placement.call("DELETE", f"/resource_providers/{other}")
        assert agent.turn() is None
        assert agent.name in placement.tree(agent.uuid)

    def test_a_new_name_that_is_taken_keeps_no_number_from_placement(self, start: Start, placement: Placement) -> None:
        agent, other = start(), start()
        agent.turn()
        other.turn()
        agent.change(hostname=other.name, memory=replace(machine().memory, total_bytes=12 * GIB))
        assert "whose uuid is not" in (agent.turn() or "")
        assert placement.provider(agent.uuid)["name"] == agent.name
        assert placement.inventories(agent.uuid)["MEMORY_MB"]["total"] == 12288


class TestInUse:
    def test_capacity_may_shrink_below_what_is_allocated(self, start: Start, placement: Placement) -> None:
        agent = start()
        agent.turn()
        placement.allocate(CONSUMER.format(agent.number), agent.uuid, MEMORY_MB=7000)
        agent.change(memory=replace(machine().memory, total_bytes=4 * GIB))
        assert agent.turn() is None
        assert placement.inventories(agent.uuid)["MEMORY_MB"]["total"] == 4096
        assert placement.usages(agent.uuid)["MEMORY_MB"] == 7000

    def test_what_is_gone_stays_while_it_is_used_and_takes_no_more(
        self, start: Start, placement: Placement, caplog: pytest.LogCaptureFixture
    ) -> None:
        agent = start()
        agent.capacity_settings = replace(agent.capacity_settings, cpu_dedicated_set=CpuSet([2, 3]))
        agent.turn()
        assert placement.inventories(agent.uuid)["PCPU"]["total"] == 2
        placement.allocate(CONSUMER.format(agent.number), agent.uuid, PCPU=1)
        agent.capacity_settings = replace(agent.capacity_settings, cpu_dedicated_set=None)

        with caplog.at_level("INFO"):
            for _ in range(3):
                assert agent.turn() is None
                agent.wait_an_hour()
        found = placement.inventories(agent.uuid)
        assert (found["PCPU"]["total"], found["PCPU"]["reserved"]) == (2, 2)
        assert found["VCPU"]["total"] == 8
        assert [line for line in caplog.messages if "PCPU" in line] == [
            f"PCPU of '{agent.name}' is gone and stays in Placement, all of it reserved, while allocations use it"
        ]

        placement.allocate(CONSUMER.format(agent.number), agent.uuid)
        assert agent.turn() is None
        assert "PCPU" not in placement.inventories(agent.uuid)


class TestUnknown:
    def test_a_disk_that_cannot_be_measured_is_no_empty_one(self, start: Start, placement: Placement) -> None:
        agent = start()
        agent.turn()
        agent.disk = None
        agent.change(memory=replace(machine().memory, total_bytes=None))
        assert agent.turn() is None
        found = placement.inventories(agent.uuid)
        assert (found["DISK_GB"], found["MEMORY_MB"]) == (DISK_GB, MEMORY_MB)

    def test_while_nothing_may_be_reported_nothing_is_sent(self, start: Start, proxy: Proxy) -> None:
        agent = start()
        agent.facts = None
        assert agent.turn() is None
        assert proxy.taken() == []
        assert agent.troubles == []
