# SPDX-License-Identifier: Apache-2.0
"""The answer to any demand on any small machine, beside one that tries every placement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from os_capability import CpuSet, Host
from os_capability.insight.fit import Fit, capacity_of, fit
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.selection import Selection
from os_capability.insight.fitting.supply import Supply
from tests.os_capability.insight.small_machines import Core, Node, machine

PAGE = 2
law = settings(derandomize=True, deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
cores = st.builds(Core, threads=st.integers(1, 3), kind=st.sampled_from(["performance", "efficiency"]))
alike = st.builds(Core, threads=st.integers(1, 2))
some_cpus = st.frozensets(st.integers(0, 11), max_size=3)


@st.composite
def nodes(draw: st.DrawFn) -> tuple[Node, ...]:
    kinds = draw(st.sampled_from([cores, alike]))
    made = []
    for _ in range(draw(st.integers(1, 4))):
        total = draw(st.integers(2, 6))
        made.append(
            Node(
                cores=draw(st.lists(kinds, min_size=1, max_size=2)),
                total=total + PAGE * 2,
                free=draw(st.integers(0, total)),
                kind=draw(st.sampled_from(["dram", "dram", "cxl"])),
                pages={PAGE: 2} if draw(st.booleans()) else {PAGE: 0},
            )
        )
    return tuple(made)


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    shape = draw(nodes())
    rooms = [(node.total or 0) - PAGE * (node.pages[PAGE] or 0) for node in shape]
    return machine(
        *shape,
        isolated=str(CpuSet(draw(some_cpus))),
        offline=str(CpuSet(draw(some_cpus) & frozenset(range(sum(c.threads for n in shape for c in n.cores))))),
        available=draw(st.integers(sum(node.free or 0 for node in shape), sum(rooms))),
        reserved={PAGE: draw(st.integers(0, 2))},
        devices={f"0000:00:{at:02x}.0": at for at in range(len(shape))},
    )


demands = st.builds(
    Demand,
    vcpus=st.integers(0, 3),
    pcpus=st.integers(0, 4),
    memory_bytes=st.integers(0, 6),
    hugepage_size_bytes=st.sampled_from([None, PAGE]),
    numa_nodes=st.sampled_from([None, 1, 2, 3]),
    near=st.sampled_from([None, None, None, "0000:00:00.0"]),
    cpu_threads=st.sampled_from(["prefer", "require", "isolate"]),
)
taken_cpus = st.builds(CpuSet, some_cpus)


@law
@given(host=hosts(), demand=demands, taken=taken_cpus)
def test_it_fits_where_trying_everything_finds_a_way(host: Host, demand: Demand, taken: CpuSet) -> None:
    assert fit(host, demand, taken=taken).fits == any(
        cpus_fit(host, demand, taken, chosen) and certain_memory(host, demand, chosen) >= wanted_memory(demand)
        for chosen in node_sets(host, demand)
    )


@law
@given(host=hosts(), demand=demands, taken=taken_cpus)
def test_nodes_added_up_fit_where_the_search_for_near_ones_finds_a_way(
    host: Host, demand: Demand, taken: CpuSet
) -> None:
    capacity = capacity_of(host, taken=taken)
    near = capacity.nodes[[node.id for node in capacity.nodes].index(0)] if demand.near else None
    for kind in capacity.kinds:
        supply = Supply(capacity, demand, kind)
        for size in range(1, len(capacity.nodes)):
            found = Selection(supply, near, size, most_steps=0).nodes(size)
            assert (found is None) is (Selection(supply, near, size).nodes(size) is None)
            assert found is None or supply.meets(found)


@law
@given(host=hosts(), demand=demands, taken=taken_cpus)
def test_what_is_given_is_there_and_given_once(host: Host, demand: Demand, taken: CpuSet) -> None:
    answer = fit(host, demand, taken=taken)
    assume(answer.fits)
    isolated = host.cpu.isolated or CpuSet()
    for share in answer.nodes:
        node = host.numa.node(share.node)
        given_cpus = (share.dedicated_cpus, share.idle_cpus, share.shared_cpus)
        assert sum(map(len, given_cpus)) == len(CpuSet(cpu for cpus in given_cpus for cpu in cpus))
        assert all(cpus <= node.cpus - taken for cpus in given_cpus)
        assert share.shared_cpus.isdisjoint(isolated)
        assert share.memory_bytes == 0 or node.memory_kind == "dram"
        assert share.memory_bytes <= (node.memory_total_bytes or 0)
    assert sum(len(share.dedicated_cpus) for share in answer.nodes) == demand.pcpus
    assert sum(len(share.shared_cpus) for share in answer.nodes) >= demand.vcpus
    assert sum(share.memory_bytes for share in answer.nodes) == wanted_memory(demand) * (
        demand.hugepage_size_bytes or 1
    )
    assert len({host.cpu.processors[cpu].kind for share in answer.nodes for cpu in share.dedicated_cpus}) <= 1


@law
@given(host=hosts(), demand=demands, taken=taken_cpus)
def test_the_nodes_are_as_few_as_can_be_and_hold_the_devices(host: Host, demand: Demand, taken: CpuSet) -> None:
    answer = fit(host, demand, taken=taken)
    assume(answer.fits)
    assert len({share.node for share in answer.nodes}) == len(answer.nodes) <= (demand.numa_nodes or 4)
    assert demand.near is None or answer.nodes[0].node == 0
    if len(answer.nodes) > 1:
        assert not fit(host, replace(demand, numa_nodes=len(answer.nodes) - 1), taken=taken).fits


@law
@given(host=hosts(), demand=demands, taken=taken_cpus)
def test_threads_are_what_the_policy_says(host: Host, demand: Demand, taken: CpuSet) -> None:
    answer = fit(host, demand, taken=taken)
    dedicated = CpuSet(cpu for share in answer.nodes for cpu in share.dedicated_cpus)
    idle = CpuSet(cpu for share in answer.nodes for cpu in share.idle_cpus)
    of_cores = [CpuSet(c) for c in cores_of(host).values()]
    if demand.cpu_threads == "isolate":
        assert all(len(core & dedicated) <= 1 for core in of_cores)
        assert all(core <= dedicated | idle for core in of_cores if core & dedicated)
    else:
        assert not idle
    if demand.cpu_threads == "require":
        assert sum(len(core & dedicated) == 1 for core in of_cores) <= 1
        assert all(len(core - taken) > 1 for core in of_cores if core & dedicated)


@law
@given(host=hosts(), demand=demands, less=demands, taken=taken_cpus)
def test_less_always_fits_where_more_does(host: Host, demand: Demand, less: Demand, taken: CpuSet) -> None:
    assume(fit(host, demand, taken=taken).fits)
    smaller = replace(
        demand,
        vcpus=min(demand.vcpus, less.vcpus),
        pcpus=min(demand.pcpus, less.pcpus),
        memory_bytes=min(demand.memory_bytes, less.memory_bytes),
        numa_nodes=less.numa_nodes if demand.numa_nodes is None or less.numa_nodes is None else demand.numa_nodes,
    )
    if demand.numa_nodes is None and less.numa_nodes is not None:
        smaller = replace(smaller, numa_nodes=None)
    assert fit(host, smaller, taken=taken).fits
    assert fit(host, demand, taken=CpuSet()).fits


@law
@given(host=hosts(), demand=demands, taken=taken_cpus)
def test_a_shortage_is_exact(host: Host, demand: Demand, taken: CpuSet) -> None:
    answer = fit(host, demand, taken=taken)
    assume(not answer.fits)
    assert answer.shortages
    for shortage in answer.shortages:
        assert shortage.short is not None
        assert shortage.needed == (shortage.free or 0) + shortage.short
    if answer.shortages[0].alone:
        for shortage in answer.shortages:
            assert only(host, demand, taken, shortage.constraint, shortage.free or 0).fits
            assert not only(host, demand, taken, shortage.constraint, (shortage.free or 0) + 1).fits
    else:
        met = {shortage.constraint: shortage.free or 0 for shortage in answer.shortages}
        memory = met.get("memory_bytes", met.get("hugepages", 5) * PAGE)
        less = replace(demand, vcpus=met.get("vcpus", demand.vcpus), memory_bytes=min(demand.memory_bytes, memory))
        assert fit(host, replace(less, pcpus=met.get("pcpus", demand.pcpus)), taken=taken).fits


def only(host: Host, demand: Demand, taken: CpuSet, constraint: str, number: int) -> Fit:
    """Ask for one part of the demand and nothing else."""
    part: dict[str, Any] = {"memory_bytes": number * PAGE} if constraint == "hugepages" else {constraint: number}
    nothing = replace(demand, vcpus=0, pcpus=0, memory_bytes=0)
    return fit(host, replace(nothing, **part), taken=taken)


# The other way to find the answer: try everything.


def node_sets(host: Host, demand: Demand) -> Iterator[tuple[int, ...]]:
    ids = [node.id for node in host.numa.nodes]
    for size in range(1, min(demand.numa_nodes or len(ids), len(ids)) + 1):
        yield from (chosen for chosen in combinations(ids, size) if demand.near is None or 0 in chosen)


def cores_of(host: Host) -> dict[int | None, list[int]]:
    found: dict[int | None, list[int]] = {}
    for cpu in host.cpu.processors:
        if cpu.online:
            found.setdefault(cpu.core, []).append(cpu.id)
    return found


def cpus_fit(host: Host, demand: Demand, taken: CpuSet, chosen: tuple[int, ...]) -> bool:
    isolated = host.cpu.isolated or CpuSet()
    kind_of = {cpu.id: cpu.kind for cpu in host.cpu.processors}
    node_of = {cpu.id: cpu.node for cpu in host.cpu.processors}
    shared = CpuSet(cpu for cpu in host.cpu.online - isolated - taken if node_of[cpu] in chosen)
    parts = []
    for members in cores_of(host).values():
        if node_of[members[0]] in chosen:
            free = CpuSet(members) - taken
            parts += [
                (kind_of[members[0]], part, len(part) == len(members)) for part in (free & isolated, free - isolated)
            ]
    for kind in {part[0] for part in parts} or {None}:
        mine = [(part, whole) for of_kind, part, whole in parts if of_kind == kind and part]
        for dedicated, blocked in dedications(mine, demand):
            if len(dedicated) == demand.pcpus and len(shared - dedicated - blocked) >= demand.vcpus:
                return True
    return False


def dedications(parts: list[tuple[CpuSet, bool]], demand: Demand) -> Iterator[tuple[CpuSet, CpuSet]]:
    if demand.cpu_threads == "isolate":
        for some in combinations([part for part, whole in parts if whole], demand.pcpus):
            yield CpuSet(part.first() for part in some), CpuSet(cpu for part in some for cpu in part)
        return
    least = 2 if demand.cpu_threads == "require" else 1
    usable = [cpu for part, _ in parts if len(part) >= least for cpu in part]
    for cpus in combinations(usable, demand.pcpus):
        yield CpuSet(cpus), CpuSet()


def wanted_memory(demand: Demand) -> int:
    return demand.memory_bytes if demand.hugepage_size_bytes is None else demand.hugepages


def certain_memory(host: Host, demand: Demand, chosen: tuple[int, ...]) -> int:
    """Give what the chosen nodes have however unluckily the available memory, or the reserved pages, are spread."""
    mine = [node.id in chosen and node.memory_kind == "dram" for node in host.numa.nodes]
    (reserved,) = (pool.reserved or 0 for pool in host.memory.hugepages or ())
    pages = [(node.hugepages or ())[0].free or 0 for node in host.numa.nodes]
    if demand.hugepage_size_bytes is not None:
        return max(0, sum(number for number, counts in zip(pages, mine, strict=True) if counts) - reserved)
    ranges = (
        range(node.memory_free_bytes or 0, (node.memory_total_bytes or 0) - PAGE * number + 1)
        for node, number in zip(host.numa.nodes, pages, strict=True)
    )
    spreads = (spread for spread in product(*ranges) if sum(spread) == host.memory.available_bytes)
    return min(sum(number for number, counts in zip(spread, mine, strict=True) if counts) for spread in spreads)
