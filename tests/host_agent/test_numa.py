# SPDX-License-Identifier: Apache-2.0
"""What is left on each NUMA node, whatever is pinned and let go of."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.numa import HostNuma, NumaCell, PagePool
from host_agent.reserved_pages import ReservedPages
from host_agent.workloads.workload import RUNNING, VM, HeldPages, Workload
from os_capability import CpuSet, NumaTopology
from tests.host_agent.facts import GIB, machine

MIB = 1024**2
PAGE = 2 * MIB


def vm(**figures: Any) -> Workload:
    return Workload(uuid="1", name="vm-1", engine="libvirt", kind=VM, state=RUNNING, **figures)


def cpus(text: str) -> CpuSet:
    return CpuSet.parse_list(text)


def numa(**settings: Any) -> HostNuma:
    """Two nodes of 4 CPUs (0-3, 4-7), 4 GiB and 8 pages of 2 MiB, of which 3 are taken."""
    return HostNuma.measured(machine().numa, **settings)


def one_node() -> HostNuma:
    return HostNuma.measured(machine(nodes=1).numa)


def test_what_was_measured_with_nothing_held() -> None:
    first, second = numa().cells
    assert (first.id, first.cpuset, first.pinned_cpus, first.free_cpus) == (0, cpus("0-3"), cpus(""), cpus("0-3"))
    assert first.memory_available_bytes == second.memory_available_bytes == 4 * GIB - 8 * PAGE
    assert first.hugepages == (PagePool(size_bytes=PAGE, total=8, taken=3),)
    assert (first.hugepages[0].used, first.hugepages[0].free) == (3, 5)


def test_the_json_is_the_contracts_and_more() -> None:
    nodes = json.loads(numa().pin(vm(vcpus=2, cpuset=cpus("1-2"), memory_bytes=GIB)).to_json())["nodes"]
    assert [node["id"] for node in nodes] == [0, 1]
    contract = {
        "id": 0,
        "cpuset": "0-3",
        "pinned_cpus": "1-2",
        "memory_total_bytes": 4 * GIB,
        "memory_available_bytes": 3 * GIB - 8 * PAGE,
    }
    assert nodes[0].items() >= contract.items()
    assert nodes[0]["hugepages"][0].items() >= {"size_bytes": PAGE, "total": 8, "used": 3}.items()


def test_an_older_agents_row_is_read_and_says_that_nobody_counted() -> None:
    old = {"id": 3, "cpuset": "0-3", "pinned_cpus": None, "memory_total_bytes": GIB, "memory_available_bytes": None}
    pools = [{"size_bytes": PAGE, "total": 8, "used": 3}, {"size_bytes": GIB, "total": None, "used": None}]
    nodes = {"nodes": [{**old, "hugepages": pools}, {**old, "id": 8, "hugepages": None}]}
    read = HostNuma.from_json(json.dumps(nodes))
    assert [cell.pinned_cpus for cell in read.cells] == [None, None]
    assert [cell.memory_available_bytes for cell in read.cells] == [None, GIB]
    assert read.cells[0].pool(PAGE) == PagePool(size_bytes=PAGE, total=8, taken=3)
    assert HostNuma.from_json(read.to_json()) == read
    assert [cell.pinned_cpus for cell in read.released().cells] == [cpus(""), cpus("")]
    assert read.pin(vm(vcpus=1, cpuset=cpus("2"), numa_nodes=(3,))).cells[0].pinned_cpus == cpus("2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"nodes": {}}',
        '{"nodes": [1]}',
        '{"nodes": [{"id": 0}]}',
        '{"nodes": [{"id": "0", "cpuset": "0"}]}',
        '{"nodes": [{"id": 0, "cpuset": "x"}]}',
        '{"nodes": [{"id": 0, "cpuset": "0", "pinned_cpus": 3}]}',
        '{"nodes": [{"id": 0, "cpuset": "0", "hugepages": "all"}]}',
        '{"nodes": [{"id": 0, "cpuset": "0", "hugepages": [{"total": 3}]}]}',
        '{"nodes": [{"id": 0, "cpuset": "0", "memory_total_bytes": "much"}]}',
    ],
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        HostNuma.from_json(text)


@pytest.mark.parametrize(
    ("vcpus", "cpuset", "dedicated", "pinned"),
    [
        (2, "1-2", None, "1-2"),
        (1.5, "1-2", None, "1-2"),
        (1, "1-2", None, ""),
        (4, "1-2", None, "1-2"),
        (None, "1-2", None, ""),
        (2, None, None, ""),
        (8, "0-7", None, "0-7"),
        (2, "7,99", None, "7"),
        (2, "1-2", "2-5", "2"),
        (2, "1-2", "4-7", ""),
    ],
)
def test_who_computes_no_wider_than_its_cpus_has_them_alone(
    vcpus: float | None, cpuset: str | None, dedicated: str | None, pinned: str
) -> None:
    before = numa(dedicated_cpus=None if dedicated is None else cpus(dedicated))
    workload = vm(vcpus=vcpus, cpuset=None if cpuset is None else cpus(cpuset))
    assert before.pins(workload) == before.pin(workload).pinned_cpus == cpus(pinned)


@pytest.mark.parametrize(
    ("dedicated", "shared", "free"),
    [(None, None, "0,2-3"), ("1-2", None, "2"), ("1-2", "3", "2"), (None, "2-3", "")],
)
def test_free_cpus_are_those_that_somebody_could_have_alone(
    dedicated: str | None, shared: str | None, free: str
) -> None:
    sets = {"dedicated_cpus": dedicated, "shared_cpus": shared}
    host = numa(**{name: None if text is None else cpus(text) for name, text in sets.items()})
    assert host.pin(vm(vcpus=1, cpuset=cpus("1"))).cells[0].free_cpus == cpus(free)


def test_a_cpu_that_two_hold_is_free_when_both_have_let_go() -> None:
    first, second = vm(vcpus=2, cpuset=cpus("1-2")), vm(vcpus=2, cpuset=cpus("2-3"))
    both = numa().pin(first).pin(second)
    assert both.pinned_cpus == cpus("1-3")
    read = HostNuma.from_json(both.to_json())
    assert read.unpin(first).pinned_cpus == cpus("2-3")
    assert read.unpin(first).unpin(second) == numa()


@pytest.mark.parametrize(
    ("workload", "held"),
    [
        (vm(memory_bytes=GIB, numa_nodes=(1,)), [0, GIB]),
        (vm(memory_bytes=GIB, numa_nodes=(1,), cpuset=cpus("0")), [0, GIB]),
        (vm(memory_bytes=GIB + 1, numa_nodes=(1, 0)), [GIB // 2 + 1, GIB // 2]),
        (vm(memory_bytes=GIB, numa_nodes=(1, 7)), [0, GIB]),
        (vm(memory_bytes=GIB, numa_nodes=(7,)), [0, 0]),
        (vm(memory_bytes=GIB, cpuset=cpus("4-7")), [0, GIB]),
        (vm(memory_bytes=GIB, cpuset=cpus("3-4")), [0, 0]),
        (vm(memory_bytes=GIB, cpuset=cpus("")), [0, 0]),
        (vm(memory_bytes=GIB), [0, 0]),
        (vm(memory_bytes=None, numa_nodes=(0,)), [0, 0]),
        (vm(memory_bytes=GIB, numa_nodes=(0,), hugepages=(HeldPages(size_bytes=PAGE, count=512),)), [0, 0]),
        (vm(memory_bytes=GIB, numa_nodes=(0,), hugepages=(HeldPages(size_bytes=PAGE, count=500),)), [24 * MIB, 0]),
        (vm(memory_bytes=GIB, numa_nodes=(0,), hugepages=(HeldPages(size_bytes=PAGE, count=513),)), [0, 0]),
    ],
)
def test_memory_is_held_where_it_is_known_to_lie(workload: Workload, held: list[int]) -> None:
    assert [cell.held_bytes for cell in numa().pin(workload).cells] == held


def test_on_the_only_node_there_is_no_doubt() -> None:
    assert one_node().pin(vm(memory_bytes=GIB)).cells[0].held_bytes == GIB


def test_the_only_node_with_memory_has_all_of_the_machines() -> None:
    first, second = machine().numa.nodes
    none = replace(second, memory_total_bytes=0)
    for nodes, totals in (
        ((first,), [6 * GIB]),
        ((first, none), [6 * GIB, 0]),
        ((first, second), [4 * GIB, 4 * GIB]),
        ((first, replace(second, memory_total_bytes=None)), [4 * GIB, None]),
    ):
        host = HostNuma.measured(NumaTopology(synthetic=False, nodes=nodes), memory_bytes=6 * GIB)
        assert [cell.memory_total_bytes for cell in host.cells] == totals


def test_memory_that_is_promised_twice_leaves_none_and_never_less() -> None:
    workload = vm(memory_bytes=3 * GIB, numa_nodes=(0,))
    crowded = numa().pin(workload).pin(workload)
    assert crowded.cells[0].memory_available_bytes == 0
    assert crowded.unpin(workload).unpin(workload) == numa()


@pytest.mark.parametrize(
    ("counts", "reserved", "used"),
    [([2], 0, 3), ([4], 0, 4), ([2, 2], 0, 4), ([2], 2, 4), ([], 6, 6), ([9], 0, 9)],
)
def test_pages_are_used_by_whoever_took_them_or_will(counts: list[int], reserved: int, used: int) -> None:
    kept = (ReservedPages(node=0, size_bytes=PAGE, count=reserved),)
    workloads = [vm(numa_nodes=(0,), hugepages=(HeldPages(size_bytes=PAGE, count=count),)) for count in counts]
    pool = numa(reserved_pages=kept).holding(workloads).cells[0].pool(PAGE)
    assert pool is not None
    assert (pool.used, pool.free) == (used, max(0, 8 - used))


def test_pages_of_several_nodes_are_split_over_those_that_have_such() -> None:
    second = replace(machine().numa.nodes[1], hugepages=())
    lopsided = HostNuma.measured(NumaTopology(synthetic=False, nodes=(machine().numa.nodes[0], second)))
    workload = vm(numa_nodes=(0, 1), hugepages=(HeldPages(size_bytes=PAGE, count=5),))
    assert [cell.hugepages[0].allocated for cell in numa().pin(workload).cells if cell.hugepages] == [3, 2]
    assert [cell.hugepages[0].allocated for cell in lopsided.pin(workload).cells if cell.hugepages] == [5]


def test_unknown_pages_and_memory_stay_unknown() -> None:
    node = machine().numa.nodes[0]
    pools = tuple(replace(pool, free=None) for pool in node.hugepages or ())
    unknown = (replace(node, memory_total_bytes=None, hugepages=pools), replace(node, id=1, hugepages=None))
    host = HostNuma.measured(NumaTopology(synthetic=False, nodes=unknown))
    first, second = host.pin(vm(numa_nodes=(0,), hugepages=(HeldPages(size_bytes=PAGE, count=5),))).cells
    assert first.memory_available_bytes is None
    assert first.hugepages is not None
    assert (first.hugepages[0].used, first.hugepages[0].free) == (None, None)
    assert (second.hugepages, second.memory_available_bytes) == (None, 4 * GIB)


def test_what_was_not_pinned_cannot_be_given_back() -> None:
    for workload in (
        vm(vcpus=1, cpuset=cpus("1")),
        vm(memory_bytes=GIB, numa_nodes=(0,)),
        vm(numa_nodes=(0,), hugepages=(HeldPages(size_bytes=PAGE, count=1),)),
    ):
        with pytest.raises(ValueError, match="NUMA node 0: the workload does not hold"):
            numa().unpin(workload)


def fitting(host: HostNuma, **demand: Any) -> list[int] | None:
    cells = host.fits(**demand)
    return None if cells is None else [cell.id for cell in cells]


def test_a_demand_fits_on_as_few_nodes_as_can_be() -> None:
    host = numa().pin(vm(vcpus=2, cpuset=cpus("0-1"), memory_bytes=3 * GIB))
    assert fitting(host, pcpus=2) == [0]
    assert fitting(host, pcpus=3) == [1]
    assert fitting(host, pcpus=6) == [0, 1]
    assert fitting(host, pcpus=6, numa_nodes=1) is None
    assert fitting(host, pcpus=7) is None
    assert fitting(host, vcpus=3, pcpus=1) == [1]
    assert fitting(host, vcpus=3, memory_bytes=GIB) == [1]
    assert fitting(host, memory_bytes=2 * GIB) == [1]
    assert fitting(host, memory_bytes=5 * GIB) is None
    assert fitting(host, memory_bytes=5 * PAGE, hugepage_size_bytes=PAGE, numa_nodes=1) == [0]
    assert fitting(host, memory_bytes=10 * PAGE, hugepage_size_bytes=PAGE) == [0, 1]
    assert fitting(host, memory_bytes=11 * PAGE, hugepage_size_bytes=PAGE) is None
    assert fitting(host, memory_bytes=GIB, hugepage_size_bytes=GIB) is None
    with pytest.raises(ValueError, match="vcpus"):
        host.fits(vcpus=-1)


def test_the_operators_sets_bind_a_demand() -> None:
    host = numa(dedicated_cpus=cpus("2-3,6-7"), shared_cpus=cpus("0-1"))
    assert fitting(host, pcpus=3) == [0, 1]
    assert fitting(host, pcpus=5) is None
    assert fitting(host, vcpus=2) == [0]
    assert fitting(host, vcpus=3) is None
    assert fitting(numa(dedicated_cpus=cpus("2-3")), vcpus=1) is None
    assert fitting(numa(shared_cpus=cpus("2-3")), pcpus=1) is None


def test_memory_that_is_no_plain_ram_is_not_offered() -> None:
    nodes = (machine().numa.nodes[0], replace(machine().numa.nodes[1], memory_kind="cxl"))
    host = HostNuma.from_json(HostNuma.measured(NumaTopology(synthetic=False, nodes=nodes)).to_json())
    assert fitting(host, memory_bytes=4 * GIB - 8 * PAGE) == [0]
    assert fitting(host, memory_bytes=4 * GIB) is None
    assert fitting(host, pcpus=8) == [0, 1]


CPU_SETS = st.none() | st.builds(CpuSet, st.sets(st.integers(0, 9), max_size=5))
WORKLOADS = st.builds(
    vm,
    vcpus=st.none() | st.floats(0.1, 8),
    cpuset=CPU_SETS,
    memory_bytes=st.none() | st.integers(0, 5 * GIB),
    hugepages=st.none()
    | st.lists(st.builds(HeldPages, size_bytes=st.sampled_from([PAGE, GIB]), count=st.integers(0, 9)), max_size=2).map(
        tuple
    ),
    numa_nodes=st.none() | st.lists(st.integers(0, 3), unique=True, max_size=3).map(tuple),
)
HOSTS = st.builds(
    numa,
    dedicated_cpus=CPU_SETS,
    shared_cpus=CPU_SETS,
    reserved_pages=st.sampled_from([(), (ReservedPages(node=1, size_bytes=PAGE, count=2),)]),
)


@given(HOSTS, st.lists(WORKLOADS), WORKLOADS)
def test_what_is_let_go_of_was_never_there(host: HostNuma, others: list[Workload], workload: Workload) -> None:
    before = host.holding(others)
    assert before.pin(workload).unpin(workload) == before


@given(HOSTS, st.lists(WORKLOADS, max_size=6), st.randoms())
def test_the_order_of_pins_does_not_matter(host: HostNuma, workloads: list[Workload], random: Any) -> None:
    one_by_one = host
    for workload in workloads:
        one_by_one = one_by_one.pin(workload)
    shuffled = random.sample(workloads, len(workloads))
    assert host.holding(shuffled) == host.holding(workloads) == one_by_one


@given(HOSTS, st.lists(WORKLOADS), st.lists(WORKLOADS))
def test_counting_anew_from_what_was_stored_gives_the_same(
    host: HostNuma, before: list[Workload], now: list[Workload]
) -> None:
    stored = HostNuma.from_json(host.holding(before).to_json())
    assert stored == host.holding(before)
    assert stored.released() == host
    assert stored.holding(now).to_json() == host.holding(now).to_json()


@given(HOSTS, st.lists(WORKLOADS))
def test_nothing_is_negative_and_nothing_pinned_that_is_not_there(host: HostNuma, workloads: list[Workload]) -> None:
    def check(cell: NumaCell) -> None:
        assert cell.pinned_cpus is not None
        assert cell.pinned_cpus <= cell.pinnable_cpus <= cell.cpuset
        assert cell.free_cpus <= cell.cpuset - cell.pinned_cpus
        assert cell.memory_available_bytes is not None
        assert 0 <= cell.memory_available_bytes <= 4 * GIB - 8 * PAGE
        for pool in cell.hugepages or ():
            assert pool.used is not None
            assert pool.used >= 3
            assert pool.free is not None
            assert 0 <= pool.free <= 5

    for cell in host.holding(workloads).cells:
        check(cell)


@given(HOSTS, st.lists(WORKLOADS, max_size=6), st.integers(0, 8), st.integers(0, 8), st.integers(0, 9 * GIB))
def test_what_fits_is_there(host: HostNuma, held: list[Workload], vcpus: int, pcpus: int, memory: int) -> None:
    cells = host.holding(held).fits(vcpus=vcpus, pcpus=pcpus, memory_bytes=memory)
    if cells is not None:
        assert pcpus <= sum(len(cell.free_cpus) for cell in cells)
        assert vcpus <= sum(len(cell.floating_cpus) for cell in cells)
        assert memory <= sum(cell.memory_available_bytes or 0 for cell in cells)
