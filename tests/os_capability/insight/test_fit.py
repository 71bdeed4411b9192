# SPDX-License-Identifier: Apache-2.0
"""Where a demand goes, and what is said when it does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from os_capability import CpuSet
from os_capability.insight.fit import Fit, fit
from os_capability.insight.fitting.capacity import NodeMemory
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.shortage import Shortage
from tests.os_capability.insight.small_machines import Core, Node, machine

FOUR_CORES = (Core(), Core(), Core(), Core())
TWO_NODES = (Node(cores=FOUR_CORES, total=100, free=40), Node(cores=FOUR_CORES, total=100, free=60))


def cpus(answer: Fit) -> dict[int, str]:
    return {share.node: str(share.dedicated_cpus) for share in answer.nodes}


def failing(answer: Fit) -> dict[str, tuple[int | None, int | None]]:
    """Give what is free and how much is short of every constraint that fails."""
    assert not answer.fits
    return {shortage.constraint: (shortage.free, shortage.short) for shortage in answer.shortages}


class TestDedicatedCpus:
    """Whole cores first, or by the thread policy."""

    @pytest.mark.parametrize(
        ("policy", "number", "taken", "dedicated", "idle"),
        [
            ("prefer", 4, "", "0-3", ""),
            ("prefer", 3, "0", "1-3", ""),  # the odd one is a sibling of what is taken, and breaks no core
            ("prefer", 1, "", "0", ""),
            ("prefer", 7, "1", "0,2-7", ""),
            ("require", 3, "0", "2-4", ""),
            ("require", 6, "0", "2-7", ""),
            ("isolate", 2, "", "0,2", "1,3"),
            ("isolate", 3, "0", "2,4,6", "3,5,7"),
        ],
    )
    def test_each_thread_policy_chooses_its_own(
        self, policy: Any, number: int, taken: str, dedicated: str, idle: str
    ) -> None:
        demand = Demand(pcpus=number, cpu_threads=policy)
        answer = fit(machine(Node(cores=FOUR_CORES)), demand, taken=CpuSet.parse_list(taken))
        assert [(str(share.dedicated_cpus), str(share.idle_cpus)) for share in answer.nodes] == [(dedicated, idle)]

    @pytest.mark.parametrize(("policy", "free"), [("prefer", 7), ("require", 6), ("isolate", 3)])
    def test_a_taken_cpu_costs_each_policy_what_it_costs(self, policy: Any, free: int) -> None:
        host = machine(Node(cores=FOUR_CORES))
        answer = fit(host, Demand(pcpus=9, cpu_threads=policy), taken=CpuSet([0]))
        assert failing(answer) == {"pcpus": (free, 9 - free)}

    def test_without_smt_nothing_is_a_sibling_and_every_cpu_a_core(self) -> None:
        host = machine(Node(cores=(Core(threads=1), Core(threads=1))))
        assert not fit(host, Demand(pcpus=1, cpu_threads="require")).fits
        assert cpus(fit(host, Demand(pcpus=2, cpu_threads="isolate"))) == {0: "0-1"}

    def test_isolated_cpus_are_dedicated_first_and_never_shared(self) -> None:
        host = machine(Node(cores=FOUR_CORES), isolated="4-7")
        answer = fit(host, Demand(pcpus=6, vcpus=2))
        assert cpus(answer) == {0: "0-1,4-7"}
        assert answer.nodes[0].shared_cpus == CpuSet([2, 3])
        assert failing(fit(host, Demand(vcpus=5))) == {"vcpus": (4, 1)}

    def test_idle_siblings_are_not_shared(self) -> None:
        answer = fit(machine(Node(cores=FOUR_CORES)), Demand(pcpus=2, vcpus=4, cpu_threads="isolate"))
        assert answer.nodes[0].shared_cpus == CpuSet([4, 5, 6, 7])

    def test_a_core_isolated_by_half_gives_single_cpus_only(self) -> None:
        host = machine(Node(cores=(Core(), Core())), isolated="1,3")
        assert cpus(fit(host, Demand(pcpus=2, vcpus=2))) == {0: "1,3"}
        assert failing(fit(host, Demand(pcpus=1, cpu_threads="isolate"))) == {"pcpus": (0, 1)}

    def test_offline_cpus_are_nobodys(self) -> None:
        host = machine(Node(cores=FOUR_CORES), offline="1,6-7")
        assert failing(fit(host, Demand(pcpus=6))) == {"pcpus": (5, 1)}
        # A core with one thread online is whole with that one.
        assert cpus(fit(host, Demand(pcpus=3, cpu_threads="isolate"))) == {0: "0,2,4"}

    def test_dedicated_cpus_are_of_one_kind(self) -> None:
        cores = (Core(kind="performance"), *[Core(threads=1, kind="efficiency")] * 4)
        host = machine(Node(cores=cores))
        assert cpus(fit(host, Demand(pcpus=2))) == {0: "0-1"}
        assert cpus(fit(host, Demand(pcpus=3))) == {0: "2-4"}
        assert failing(fit(host, Demand(pcpus=5))) == {"pcpus": (4, 1)}
        assert fit(host, Demand(vcpus=6)).fits

    def test_a_cpu_without_a_known_core_is_alone_for_nobody(self) -> None:
        host = machine(Node(cores=(Core(threads=1),)))
        bare = tuple(replace(cpu, core=None) for cpu in host.cpu.processors)
        host = replace(host, cpu=replace(host.cpu, processors=bare))
        assert fit(host, Demand(pcpus=1)).fits
        (shortage,) = fit(host, Demand(pcpus=1, cpu_threads="isolate")).shortages
        assert (shortage.free, shortage.unknown_nodes) == (None, (0,))

    def test_cpus_in_no_node_are_named_and_not_given(self) -> None:
        host = machine(Node(cores=(Core(), Core())))
        lost = tuple(replace(cpu, node=None) if cpu.id == 3 else cpu for cpu in host.cpu.processors)
        answer = fit(replace(host, cpu=replace(host.cpu, processors=lost)), Demand(vcpus=4))
        assert failing(answer) == {"vcpus": (3, 1)}
        assert answer.unplaced_cpus == CpuSet([3])


class TestMemory:
    """What a node can give for certain, and nothing else."""

    @pytest.mark.parametrize(
        ("available", "nodes", "most"),
        [
            (100, 1, 60),  # all that is available is what is free
            (100, None, 100),
            (150, 1, 60),  # 100 of it could lie on the other node
            (180, 1, 80),  # 80 of it must lie on this one
            (180, None, 180),
            (30, 1, 30),  # the kernel keeps some of what is free
        ],
    )
    def test_page_cache_counts_where_it_must_lie(self, available: int, nodes: int | None, most: int) -> None:
        host = machine(*TWO_NODES, available=available)
        assert fit(host, Demand(memory_bytes=most, numa_nodes=nodes)).fits
        assert failing(fit(host, Demand(memory_bytes=most + 1, numa_nodes=nodes))) == {"memory_bytes": (most, 1)}

    def test_huge_page_pools_are_no_ordinary_memory(self) -> None:
        host = machine(Node(total=100, free=10, pages={8: 5}), available=90)
        assert failing(fit(host, Demand(memory_bytes=61))) == {"memory_bytes": (60, 1)}

    @pytest.mark.parametrize("kind", ["gpu", "cxl", "hbm", "unknown", None])
    def test_only_dram_is_ram(self, kind: str | None) -> None:
        host = machine(Node(total=10, free=10), Node(total=50, free=50, kind=kind, pages={2: 3}))
        answer = fit(host, Demand(memory_bytes=11))
        assert failing(answer) == {"memory_bytes": (10, 1)}
        assert answer.left_out == (NodeMemory(node=1, kind=kind, size_bytes=50),)
        assert failing(fit(host, Demand(memory_bytes=2, hugepage_size_bytes=2))) == {"hugepages": (0, 1)}

    def test_memory_of_other_kinds_may_hold_what_is_available(self) -> None:
        host = machine(Node(total=50, free=10), Node(total=100, free=10, kind="cxl"), available=120)
        assert failing(fit(host, Demand(memory_bytes=21))) == {"memory_bytes": (20, 1)}

    def test_a_node_without_cpus_lends_memory_if_the_nodes_allow(self) -> None:
        host = machine(Node(cores=FOUR_CORES, total=10, free=10), Node(total=50, free=50))
        demand = Demand(pcpus=2, memory_bytes=30)
        assert [(share.node, share.memory_bytes) for share in fit(host, demand).nodes] == [(0, 10), (1, 20)]
        assert failing(fit(host, replace(demand, numa_nodes=1))) == {"memory_bytes": (10, 20)}

    def test_huge_pages_come_by_the_page_less_the_reserved_ones(self) -> None:
        host = machine(Node(pages={8: 5}), Node(pages={8: 4}), reserved={8: 2})
        one = Demand(memory_bytes=20, hugepage_size_bytes=8, numa_nodes=1)
        assert [(share.hugepages, share.memory_bytes) for share in fit(host, one).nodes] == [(3, 24)]
        assert failing(fit(host, replace(one, memory_bytes=25))) == {"hugepages": (3, 1)}
        assert failing(fit(host, replace(one, memory_bytes=57, numa_nodes=2))) == {"hugepages": (7, 1)}
        assert failing(fit(host, replace(one, hugepage_size_bytes=4))) == {"hugepages": (0, 5)}

    def test_the_node_with_the_most_for_certain_need_not_have_the_most_free(self) -> None:
        host = machine(Node(total=20, free=10), Node(total=100, free=5), available=80)
        answer = fit(host, Demand(memory_bytes=61, numa_nodes=1))
        assert failing(answer) == {"memory_bytes": (60, 1)}
        assert answer.shortages[0].nodes == (1,)


class TestUnknown:
    """What a machine does not tell is neither promised nor counted as lacking."""

    @pytest.mark.parametrize(
        ("host", "demand", "nodes"),
        [
            (machine(Node(total=None, free=None, kind=None)), Demand(memory_bytes=1), (0,)),
            (machine(Node(total=9, free=None), Node(total=9, free=4), available=4), Demand(memory_bytes=5), (0,)),
            (machine(Node(pages={2: None})), Demand(memory_bytes=2, hugepage_size_bytes=2), (0,)),
            (machine(Node(pages={2: 5}), reserved={2: None}), Demand(memory_bytes=2, hugepage_size_bytes=2), (0,)),
        ],
    )
    def test_an_unknown_figure_is_said_to_be_unknown(self, host: Any, demand: Demand, nodes: tuple[int, ...]) -> None:
        (shortage,) = fit(host, demand).shortages
        assert (shortage.free, shortage.short, shortage.unknown_nodes) == (None, None, nodes)

    def test_without_available_memory_free_memory_is_still_certain(self) -> None:
        host = machine(Node(total=100, free=10))
        host = replace(host, memory=replace(host.memory, available_bytes=None))
        assert fit(host, Demand(memory_bytes=10)).fits
        assert failing(fit(host, Demand(memory_bytes=11))) == {"memory_bytes": (None, None)}


class TestNodes:
    """Fewest nodes, near ones first, then the best fit."""

    def test_the_smallest_node_that_can_is_taken(self) -> None:
        host = machine(Node(cores=FOUR_CORES), Node(cores=(Core(), Core())), Node(cores=(Core(),)))
        assert cpus(fit(host, Demand(pcpus=3))) == {1: "8-10"}

    def test_nodes_that_lie_near_each_other_are_taken_together(self) -> None:
        far = {0: 10, 1: 30, 2: 20, 3: 30}, {0: 30, 1: 10, 2: 30, 3: 12}, {0: 20, 1: 30, 2: 10, 3: 30}, {1: 12, 3: 10}
        host = machine(*(Node(cores=(Core(),), distances=distances) for distances in far))
        assert sorted(cpus(fit(host, Demand(pcpus=4)))) == [1, 3]

    @pytest.mark.parametrize(("number", "nodes"), [(2, [2]), (4, [2, 1]), (6, [2, 1, 0])])
    def test_the_node_of_the_device_comes_first_then_its_neighbours(self, number: int, nodes: list[int]) -> None:
        distances = {0: 10, 1: 20, 2: 31}, {0: 20, 1: 10, 2: 20}, {0: 31, 1: 20, 2: 10}
        host = machine(
            *(Node(cores=(Core(),), distances=table) for table in distances),
            devices={"0000:3b:00.0": 2, "0000:3c:00.0": 0},
        )
        answer = fit(host, Demand(pcpus=number, near="3B:00.0"))
        assert [share.node for share in answer.nodes] == nodes

    def test_the_node_of_the_device_is_one_of_them_even_if_others_have_more(self) -> None:
        host = machine(Node(cores=(Core(),)), Node(cores=FOUR_CORES), devices={"0000:3b:00.0": 0})
        answer = fit(host, Demand(pcpus=4, numa_nodes=1, near="0000:3b:00.0"))
        assert failing(answer) == {"pcpus": (2, 2)}
        assert answer.shortages[0].nodes == (0,)

    def test_a_device_that_is_not_there_is_named(self) -> None:
        answer = fit(machine(*TWO_NODES), Demand(pcpus=1, near="0000:3b:00.0"))
        assert (answer.fits, answer.nodes, answer.near_unknown) == (False, (), "there is no PCI device 0000:3b:00.0")

    def test_a_device_without_a_node_is_near_the_only_one_or_unknown(self) -> None:
        demand, devices = Demand(pcpus=1, near="0000:3b:00.0"), {"0000:3b:00.0": None}
        assert fit(machine(Node(cores=FOUR_CORES), devices=devices), demand).fits
        answer = fit(machine(*TWO_NODES, devices=devices), demand)
        assert answer.near_unknown == "unknown: the machine does not say to which NUMA node 0000:3b:00.0 is attached"


class TestShortages:
    """Every constraint that fails, and by how much."""

    def test_all_that_fail_alone_are_counted(self) -> None:
        answer = fit(machine(*TWO_NODES), Demand(pcpus=12, vcpus=9, memory_bytes=100, numa_nodes=1))
        assert failing(answer) == {"pcpus": (8, 4), "vcpus": (8, 1), "memory_bytes": (60, 40)}
        assert [shortage.alone for shortage in answer.shortages] == [True, True, True]

    def test_what_fails_only_together_is_said_of_the_nodes_that_come_closest(self) -> None:
        host = machine(Node(cores=FOUR_CORES, total=50, free=20), Node(cores=(Core(),), total=50, free=50))
        answer = fit(host, Demand(pcpus=4, memory_bytes=30, numa_nodes=1))
        (shortage,) = answer.shortages
        assert shortage == Shortage(
            constraint="memory_bytes", needed=30, free=20, short=10, nodes=(0,), alone=False, unknown_nodes=()
        )

    def test_dedicated_and_shared_cpus_are_counted_once(self) -> None:
        host = machine(Node(cores=FOUR_CORES))
        assert failing(fit(host, Demand(pcpus=5, vcpus=4))) == {"vcpus": (3, 1)}
        assert failing(fit(host, Demand(pcpus=3, vcpus=3, cpu_threads="isolate"))) == {"vcpus": (2, 1)}


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"vcpus": -1}, "vcpus"),
        ({"memory_bytes": -1}, "memory_bytes"),
        ({"numa_nodes": 0}, "numa_nodes"),
        ({"hugepage_size_bytes": 0}, "hugepage_size_bytes"),
        ({"cpu_threads": "some"}, "cpu_threads"),
        ({"near": "eth0"}, "near"),
    ],
)
def test_a_demand_that_cannot_be_is_refused(wrong: dict[str, Any], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        Demand(**wrong)
