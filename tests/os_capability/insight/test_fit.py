# SPDX-License-Identifier: Apache-2.0
"""Where a demand goes, and what is said when it does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from os_capability import CpuSet
from os_capability.insight.fit import Fit, fit
from os_capability.insight.fitting.capacity import UncountedMemory
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.shortage import Shortage
from os_capability.model import Limits
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

    @pytest.mark.parametrize("kind", ["gpu", "cxl", "hbm", "unknown"])
    def test_only_dram_is_ram(self, kind: str) -> None:
        host = machine(Node(total=10, free=10), Node(total=50, free=50, kind=kind, pages={2: 3}))
        answer = fit(host, Demand(memory_bytes=11))
        assert failing(answer) == {"memory_bytes": (10, 1)}
        assert answer.left_out == (UncountedMemory(node=1, kind=kind, size_bytes=50),)
        assert failing(fit(host, Demand(memory_bytes=2, hugepage_size_bytes=2))) == {"hugepages": (0, 1)}

    def test_memory_of_a_kind_that_nobody_names_is_plain_ram(self) -> None:
        assert fit(machine(Node(total=10, free=10, kind=None)), Demand(memory_bytes=10)).fits

    def test_nodes_without_plain_ram_are_not_named(self) -> None:
        host = machine(Node(total=10, free=10), Node(total=50, free=50, kind="gpu"), Node(total=10, free=5), Node())
        (shortage,) = fit(host, Demand(memory_bytes=20)).shortages
        assert (shortage.free, shortage.nodes) == (15, (0, 2))

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
        (shortage,) = fit(host, replace(one, memory_bytes=25)).shortages
        assert (shortage.free, shortage.withheld, shortage.short) == (3, 2, 1)
        assert failing(fit(host, replace(one, memory_bytes=57, numa_nodes=2))) == {"hugepages": (7, 1)}
        assert failing(fit(host, replace(one, hugepage_size_bytes=4))) == {"hugepages": (0, 5)}

    def test_a_page_size_that_no_node_has_is_a_shortage_of_none(self) -> None:
        (shortage,) = fit(machine(*TWO_NODES), Demand(memory_bytes=9, hugepage_size_bytes=3)).shortages
        assert (shortage.free, shortage.short, shortage.nodes) == (0, 3, ())

    def test_the_node_with_the_most_for_certain_need_not_have_the_most_free(self) -> None:
        host = machine(Node(total=20, free=10), Node(total=100, free=5), available=80)
        answer = fit(host, Demand(memory_bytes=61, numa_nodes=1))
        assert failing(answer) == {"memory_bytes": (60, 1)}
        assert answer.shortages[0].nodes == (1,)


class TestNodesThatDoNotCountAllMemoryYet:
    """Some guests count a page on its node only when it is first used."""

    @pytest.mark.parametrize("others", [(), (Node(cores=FOUR_CORES),)])
    def test_the_only_node_with_memory_has_what_the_machine_has(self, others: tuple[Node, ...]) -> None:
        host = machine(Node(total=40, free=30, pages={5: 2}), *others, total=100, available=85)
        assert fit(host, Demand(memory_bytes=85)).nodes[0].memory_bytes == 85
        assert failing(fit(host, Demand(memory_bytes=86))) == {"memory_bytes": (85, 1)}

    def test_the_machines_own_memory_less_the_pools_is_the_room_of_the_only_node(self) -> None:
        host = machine(Node(total=40, free=30, pages={5: 2}), total=100, available=100)
        assert failing(fit(host, Demand(memory_bytes=91))) == {"memory_bytes": (90, 1)}

    @pytest.mark.parametrize(
        ("wanted", "nodes", "said"),
        [(20, 1, "yes"), (21, 1, "unknown"), (80, 1, "unknown"), (81, 1, "no"), (85, 2, "unknown"), (91, 2, "no")],
    )
    def test_of_several_nodes_nobody_knows_which_will_have_the_rest(self, wanted: int, nodes: int, said: str) -> None:
        host = machine(Node(total=30, free=20), Node(total=20, free=10), total=100, available=90)
        answer = fit(host, Demand(memory_bytes=wanted, numa_nodes=nodes))
        assert (answer.answer, answer.nodeless_memory_bytes) == (said, 50)

    def test_what_is_lacking_besides_is_lacking_for_certain(self) -> None:
        host = machine(Node(cores=FOUR_CORES, total=30, free=20), Node(total=20, free=10), total=100, available=90)
        assert fit(host, Demand(pcpus=8, memory_bytes=70, numa_nodes=1)).answer == "unknown"
        answer = fit(host, Demand(pcpus=9, memory_bytes=70, numa_nodes=1))
        assert (answer.answer, failing(answer)) == ("no", {"pcpus": (8, 1)})

    def test_a_few_per_cent_are_no_more_than_the_kernel_keeps_for_itself(self) -> None:
        host = machine(Node(total=50, free=10), Node(total=46, free=10), total=100, available=90)
        assert fit(host, Demand(memory_bytes=80, numa_nodes=1)).answer == "no"


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
        answer = fit(host, demand)
        (shortage,) = answer.shortages
        assert (shortage.free, shortage.short, shortage.unknown_nodes) == (None, None, nodes)
        assert answer.answer == "unknown"
        assert fit(host, replace(demand, vcpus=1)).answer == "no"

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
        assert answer.answer == "no"

    def test_a_device_without_a_node_is_near_the_only_one_or_unknown(self) -> None:
        demand, devices = Demand(pcpus=1, near="0000:3b:00.0"), {"0000:3b:00.0": None}
        assert fit(machine(Node(cores=FOUR_CORES), devices=devices), demand).fits
        answer = fit(machine(*TWO_NODES, devices=devices), demand)
        assert answer.near_unknown == "unknown: the machine does not say to which NUMA node 0000:3b:00.0 is attached"
        assert answer.answer == "unknown"
        assert fit(machine(*TWO_NODES, devices=devices), replace(demand, pcpus=99)).answer == "no"


class TestManyNodes:
    """An answer in no time where some nodes have the CPUs and others the memory."""

    # Of 34 nodes every second one is free of CPUs, the others of memory; trying all sets of 16 would take hours.
    HOST = machine(*[Node(cores=FOUR_CORES, total=100), Node(total=100, free=100)] * 17)

    def test_what_fits_on_just_so_many_nodes_is_found(self) -> None:
        answer = fit(self.HOST, Demand(pcpus=64, memory_bytes=800, numa_nodes=16))
        assert (answer.fits, len(answer.nodes)) == (True, 16)
        assert fit(self.HOST, Demand(pcpus=64, memory_bytes=800)).nodes == answer.nodes

    @pytest.mark.parametrize("policy", ["prefer", "isolate"])
    def test_what_would_need_one_node_more_is_refused(self, policy: Any) -> None:
        pcpus = 64 if policy == "prefer" else 32
        answer = fit(self.HOST, Demand(pcpus=pcpus, memory_bytes=801, numa_nodes=16, cpu_threads=policy))
        assert not answer.fits


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
            constraint="memory_bytes",
            needed=30,
            free=20,
            withheld=0,
            short=10,
            nodes=(0,),
            alone=False,
            unknown_nodes=(),
        )

    def test_dedicated_and_shared_cpus_are_counted_once(self) -> None:
        host = machine(Node(cores=FOUR_CORES))
        assert failing(fit(host, Demand(pcpus=5, vcpus=4))) == {"vcpus": (3, 1)}
        assert failing(fit(host, Demand(pcpus=3, vcpus=3, cpu_threads="isolate"))) == {"vcpus": (2, 1)}


class TestNotes:
    """What an answer about the whole machine does not consider."""

    @pytest.mark.parametrize(
        ("limits", "notes"),
        [
            (Limits(), ()),
            (Limits(cpus=CpuSet(range(99)), cpu_quota=16.0, memory_bytes=200, affinity=CpuSet(range(16))), ()),
            (
                Limits(cpus=CpuSet([1, 2, 3]), cpu_quota=0.5, memory_bytes=64, affinity=CpuSet([1, 2])),
                ("not considered: this process may use CPUs 1-2, 0.5 CPUs of time and 64 B",),
            ),
            (Limits(cpu_quota=1.0), ("not considered: this process may use 1 CPU of time",)),
        ],
    )
    def test_limits_that_bind_are_noted_and_do_not_shrink_the_machine(
        self, limits: Limits, notes: tuple[str, ...]
    ) -> None:
        answer = fit(replace(machine(*TWO_NODES), limits=limits), Demand(pcpus=16, memory_bytes=100))
        assert (answer.answer, answer.notes) == ("yes", notes)

    def test_the_usual_affinity_without_isolated_cpus_is_no_bound(self) -> None:
        host = machine(Node(cores=FOUR_CORES), isolated="6-7")
        host = replace(host, limits=Limits(affinity=CpuSet(range(6))))
        assert fit(host, Demand(pcpus=1)).notes == ()

    def test_a_containers_view_is_noted(self) -> None:
        host = machine(*TWO_NODES)
        host = replace(host, system=replace(host.system, view="container"))
        assert fit(host, Demand(pcpus=1)).notes == ("these are the facts a container is shown",)


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
