# SPDX-License-Identifier: Apache-2.0
"""The providers a host is to be: what lies on the host, what on its NUMA nodes, and that nothing is given twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.report.placement.inventory import HostAmounts, apportion
from host_agent.report.placement.provider import Inventory, Provider, Standing
from host_agent.report.placement.tree import abandoned, host_tree, is_node_provider, node_uuid
from os_capability import CpuSet, Host, collect
from os_capability.insight.traits import TRAITS, traits
from os_capability.model import NumaTopology
from tests.host_agent.facts import GIB, machine, uuid
from tests.host_agent.report.devices import device

HOSTS = Path(__file__).resolve().parents[2] / "hosts"
MIB_OF_NODE = 4 * GIB // 1024**2


def amounts(host: Host, dedicated: str = "", **changes: Any) -> HostAmounts:
    """Give all of a host, 4 VCPU for each shared CPU, and a tenth of the memory reserved."""
    pinned = CpuSet.parse_list(dedicated)
    shared = host.cpu.online - pinned
    memory = MIB_OF_NODE * len(host.numa.nodes)
    return replace(
        HostAmounts(
            inventories={
                "VCPU": Inventory.of(len(shared), 1, 4.0),
                "PCPU": Inventory.of(len(pinned)),
                "MEMORY_MB": Inventory.of(memory, memory // 10, 1.5),
                "DISK_GB": Inventory.of(1800, 10),
            },
            cpus={"VCPU": shared, "PCPU": pinned},
        ),
        **changes,
    )


def tree(host: Host, given: HostAmounts | None = None, *, numa_nodes: bool = False) -> Sequence[Provider]:
    return host_tree(host, given or amounts(host), host_uuid=uuid(1), name="node-1", numa_nodes=numa_nodes)


def sums(providers: Sequence[Provider], field: str = "total") -> Counter[str]:
    found: Counter[str] = Counter()
    for provider in providers:
        for name, inventory in provider.inventories.items():
            found[name] += getattr(inventory, field)
    return found


class TestOneProvider:
    def test_it_has_the_uuid_the_name_and_everything(self) -> None:
        (root,) = tree(machine())
        assert (root.uuid, root.name, root.parent_uuid) == (uuid(1), "node-1", None)
        assert root.inventories == {
            "VCPU": Inventory(total=8, reserved=1, allocation_ratio=4.0, min_unit=1, max_unit=8, step_size=1),
            "MEMORY_MB": Inventory(
                total=8192, reserved=819, allocation_ratio=1.5, min_unit=1, max_unit=8192, step_size=1
            ),
            "DISK_GB": Inventory(total=1800, reserved=10, allocation_ratio=1.0, min_unit=1, max_unit=1800, step_size=1),
        }

    def test_what_there_is_none_of_is_left_out_and_decided(self) -> None:
        (root,) = tree(machine())
        assert "PCPU" not in root.inventories
        assert "PCPU" in root.classes

    def test_what_is_not_known_is_not_decided(self) -> None:
        whole = amounts(machine())
        known = {name: whole.inventories[name] for name in ("VCPU", "PCPU")}
        (root,) = tree(machine(), replace(whole, inventories=known, device_classes={"8086:1572": "CUSTOM_NIC"}))
        assert root.classes == {"VCPU", "PCPU"}

    def test_two_nodes_in_one_provider_are_no_numa_root(self) -> None:
        assert "HW_NUMA_ROOT" not in tree(machine(nodes=2))[0].traits
        assert "HW_NUMA_ROOT" in tree(machine(nodes=1))[0].traits

    def test_its_traits_are_those_of_the_library(self) -> None:
        host = machine(flag="avx512f")
        assert tree(host)[0].traits == set(traits(host)) - {"HW_NUMA_ROOT"}
        assert {"HW_ARCH_X86_64", "HW_CPU_X86_AVX512F"} <= tree(host)[0].traits


class TestNodes:
    def test_each_node_is_a_provider_below_the_host(self) -> None:
        root, *nodes = tree(machine(), amounts(machine(), dedicated="2-3"), numa_nodes=True)
        assert [(node.name, node.uuid, node.parent_uuid) for node in nodes] == [
            ("node-1_NUMA0", node_uuid(uuid(1), 0), uuid(1)),
            ("node-1_NUMA1", node_uuid(uuid(1), 1), uuid(1)),
        ]
        assert [{name: (i.total, i.reserved) for name, i in node.inventories.items()} for node in nodes] == [
            {"VCPU": (2, 0), "PCPU": (2, 0), "MEMORY_MB": (4096, 409)},
            {"VCPU": (4, 1), "MEMORY_MB": (4096, 410)},
        ]
        assert root.inventories.keys() == {"DISK_GB"}
        assert [node.traits for node in nodes] == [{"HW_NUMA_ROOT"}] * 2
        assert "HW_NUMA_ROOT" not in root.traits

    @given(
        nodes=st.integers(1, 4),
        cores=st.integers(1, 4),
        dedicated=st.sets(st.integers(0, 15)),
        homeless=st.sets(st.integers(0, 15)),
    )
    def test_the_sum_over_the_tree_is_the_host(
        self, nodes: int, cores: int, dedicated: set[int], homeless: set[int]
    ) -> None:
        host = machine(nodes=nodes, cores=cores, threads=1)
        pinned = CpuSet(dedicated) & host.cpu.online
        gone = CpuSet(homeless)
        topology = tuple(replace(node, cpus=node.cpus - gone) for node in host.numa.nodes)
        host = replace(host, numa=NumaTopology(synthetic=False, nodes=topology))
        whole = amounts(host, dedicated=str(pinned))
        flat, nested = tree(host, whole), tree(host, whole, numa_nodes=True)
        assert sums(flat) == sums(nested)
        assert sums(flat, "reserved")["MEMORY_MB"] == sums(nested, "reserved")["MEMORY_MB"]

    def test_reserved_huge_pages_are_taken_from_their_node(self) -> None:
        whole = amounts(machine())
        memory = Inventory.of(8192, 512 + 1024)
        whole = replace(whole, inventories={**whole.inventories, "MEMORY_MB": memory}, reserved_bytes={1: GIB})
        _root, first, second = tree(machine(), whole, numa_nodes=True)
        assert first.inventories["MEMORY_MB"].reserved == 256
        assert second.inventories["MEMORY_MB"].reserved == 256 + 1024

    def test_memory_stays_with_the_host_where_a_node_does_not_tell_its_own(self) -> None:
        host = machine()
        nodes = (host.numa.nodes[0], replace(host.numa.nodes[1], memory_total_bytes=None))
        root, *children = tree(replace(host, numa=NumaTopology(synthetic=False, nodes=nodes)), numa_nodes=True)
        assert root.inventories["MEMORY_MB"].total == 8192
        assert all("MEMORY_MB" not in child.inventories for child in children)

    def test_a_node_of_other_memory_gives_none(self) -> None:
        host = machine()
        nodes = (host.numa.nodes[0], replace(host.numa.nodes[1], memory_kind="gpu", cpus=CpuSet()))
        whole = amounts(host)
        whole = replace(whole, inventories={**whole.inventories, "MEMORY_MB": Inventory.of(4096)})
        found = tree(replace(host, numa=NumaTopology(synthetic=False, nodes=nodes)), whole, numa_nodes=True)
        assert sums(found)["MEMORY_MB"] == 4096
        assert found[2].inventories == {}

    def test_a_node_that_was_made_up_is_no_provider(self) -> None:
        host = machine(nodes=1)
        made_up = replace(host, numa=NumaTopology(synthetic=True, nodes=host.numa.nodes))
        assert len(tree(made_up, numa_nodes=True)) == 1

    def test_node_providers_are_known_by_their_uuid_whatever_the_name_was(self) -> None:
        child = Standing(uuid=node_uuid(uuid(1), 3), name="old-name_NUMA3", generation=0)
        assert is_node_provider(uuid(1), child)
        assert not is_node_provider(uuid(2), child)
        assert not is_node_provider(uuid(1), replace(child, uuid=uuid(3)))
        assert not is_node_provider(uuid(1), replace(child, name="node-1_GPU3"))

    def test_those_of_nodes_that_are_gone_are_to_be_emptied(self) -> None:
        standing = [Standing(uuid=node_uuid(uuid(1), n), name=f"node-1_NUMA{n}", generation=0) for n in range(3)]
        foreign = Standing(uuid=uuid(9), name="node-1_NUMA7", generation=0)
        given_up = abandoned([*standing, foreign], tree(machine(nodes=2), numa_nodes=True))
        assert [(provider.name, provider.inventories) for provider in given_up] == [("node-1_NUMA2", {})]
        assert {"VCPU", "PCPU", "MEMORY_MB"} <= given_up[0].classes
        assert len(abandoned([*standing, foreign], tree(machine(nodes=2)))) == 3


class TestDevices:
    CLASSES = {"8086:1572": "CUSTOM_NIC_X710", "10de:20b0": "CUSTOM_A100"}  # noqa: RUF012

    def test_they_count_by_class_and_the_rest_does_not(self) -> None:
        host = replace(machine(), pci=(device(0), device(1, address="0000:5e:00.0"), device(0, product="ffff")))
        (root,) = tree(host, amounts(host, devices=host.pci, device_classes=self.CLASSES))
        assert root.inventories["CUSTOM_NIC_X710"] == Inventory.of(2)
        assert "CUSTOM_A100" not in root.inventories
        assert {"CUSTOM_NIC_X710", "CUSTOM_A100"} <= root.classes

    def test_they_lie_on_their_node_and_with_the_host_where_that_is_not_known(self) -> None:
        host = replace(machine(), pci=(device(1), device(None, address="0000:5e:00.0")))
        given = amounts(host, devices=host.pci, device_classes=self.CLASSES)
        found = [provider.inventories.get("CUSTOM_NIC_X710") for provider in tree(host, given, numa_nodes=True)]
        assert found == [Inventory.of(1), None, Inventory.of(1)]

    def test_where_no_bus_is_shown_nobody_knows(self) -> None:
        (root,) = tree(machine(), amounts(machine(), device_classes=self.CLASSES))
        assert root.classes.isdisjoint(self.CLASSES.values())


class TestTraitsThatMayBeTakenAway:
    @pytest.mark.parametrize("path", sorted(HOSTS.glob("*/root")), ids=lambda path: path.parent.name)
    def test_the_library_gives_no_others(self, path: Path) -> None:
        host = collect(str(path), "sysfs")
        (root,) = tree(host, HostAmounts(inventories={}, cpus={}))
        assert set(traits(host)) <= TRAITS
        assert root.traits <= root.decided_traits

    def test_they_are_the_librarys_and_its_custom_ones(self) -> None:
        decided = tree(machine(nodes=2))[0].decided_traits
        assert {"HW_CPU_X86_AVX512F", "CUSTOM_HW_CPU_X86_AVX512F", "HW_NUMA_ROOT", "HW_ARCH_AARCH64"} <= decided
        assert decided.isdisjoint({"CUSTOM_GOLD", "COMPUTE_NODE", "OWNER_NOVA", "HW_GPU_API_VULKAN", "CUSTOM_HW_GPU"})

    def test_what_is_not_known_is_not_taken_away(self) -> None:
        host = machine()
        blind = replace(
            host,
            cpu=replace(host.cpu, flags=None, cores=None, smt=replace(host.cpu.smt, active=None)),
            system=replace(host.system, architecture=None),
        )
        decided = tree(blind)[0].decided_traits
        assert decided.isdisjoint({"HW_CPU_X86_AVX", "HW_ARCH_X86_64", "HW_CPU_HYPERTHREADING", "HW_NIC_SRIOV"})
        assert {"HW_NUMA_ROOT"} <= decided


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**6), max_size=8))
def test_an_amount_is_split_without_a_rest_and_nobody_gets_more_than_there_is(amount: int, weights: list[int]) -> None:
    shares = apportion(min(amount, sum(weights)), weights)
    assert sum(shares) == min(amount, sum(weights))
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))
