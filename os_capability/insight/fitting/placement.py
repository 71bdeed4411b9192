# SPDX-License-Identifier: Apache-2.0
"""Which NUMA nodes take a demand, and what each of them gives.

Of the sets of nodes that can take all of a demand, one of the fewest nodes is chosen; of those one whose nodes lie near
each other, though not always the nearest there is; of single nodes the smallest that has enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from os_capability.cpuset import CpuSet
from os_capability.insight.fitting.capacity import Capacity, NodeCapacity
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.selection import Nodes, Selection
from os_capability.insight.fitting.supply import Supply

__all__ = ["NodeShare", "place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShare:
    """What one NUMA node gives.

    Attributes:
        dedicated_cpus: for this demand alone.
        idle_cpus: the other threads of the cores of `dedicated_cpus`, to be kept idle; empty but with ``isolate``.
        shared_cpus: all that is left for shared use there, to float over; empty where no shared CPUs are wanted.
        memory_bytes: as ordinary memory, or in `hugepages`.
        hugepages: how many, ``None`` where ordinary memory is wanted.
    """

    node: int
    dedicated_cpus: CpuSet
    idle_cpus: CpuSet
    shared_cpus: CpuSet
    memory_bytes: int
    hugepages: int | None


def place(capacity: Capacity, demand: Demand, near: NodeCapacity | None) -> tuple[NodeShare, ...] | None:
    """Give what each node gives to `demand`, the first being `near` if given; ``None`` if there is no way."""
    supplies = [Supply(capacity, demand, kind) for kind in (capacity.kinds if demand.pcpus else capacity.kinds[:1])]
    most = min(demand.numa_nodes or len(capacity.nodes), len(capacity.nodes))
    selections = [(supply, Selection(supply, near, most)) for supply in supplies]
    for size in range(1, most + 1):
        for supply, selection in selections:
            nodes = selection.nodes(size)
            if nodes is not None:
                return _share_out(supply, nodes)
    return None


def _share_out(supply: Supply, nodes: Nodes) -> tuple[NodeShare, ...]:
    dedicated, idle = _isolate(supply, nodes) if supply.demand.cpu_threads == "isolate" else _fill(supply, nodes)
    page_size = supply.demand.hugepage_size_bytes
    memory = _divide_memory(supply, nodes)
    return tuple(
        NodeShare(
            node=node.id,
            dedicated_cpus=dedicated[node.id],
            idle_cpus=idle[node.id],
            shared_cpus=node.shared_cpus - dedicated[node.id] - idle[node.id] if supply.demand.vcpus else CpuSet(),
            memory_bytes=memory[node.id] * (page_size or 1),
            hugepages=None if page_size is None else memory[node.id],
        )
        for node in nodes
    )


def _fill(supply: Supply, nodes: Nodes) -> tuple[dict[int, CpuSet], dict[int, CpuSet]]:
    """Dedicate node after node whole cores, then threads, isolated ones before those that could be shared."""
    key = (supply.kind, supply.demand.cpu_threads)
    given = {node.id: CpuSet() for node in nodes}
    missing = supply.demand.pcpus
    for isolated in (True, False):
        for node in nodes:
            cores = node.cores[key]
            number = min(missing, cores.isolated_count if isolated else cores.shared_count)
            if number:
                given[node.id] |= _whole_cores_first(cores.isolated if isolated else cores.shared, number)
                missing -= number
    return given, dict.fromkeys(given, CpuSet())


def _whole_cores_first(cores: Sequence[CpuSet], number: int) -> CpuSet:
    given, to_split = CpuSet(), CpuSet()
    for cpus in cores:
        if len(cpus) <= number:
            given |= cpus
            number -= len(cpus)
        elif not to_split:
            to_split = cpus
        if not number:
            return given
    return given | CpuSet(list(to_split)[:number])


def _isolate(supply: Supply, nodes: Nodes) -> tuple[dict[int, CpuSet], dict[int, CpuSet]]:
    """Dedicate one thread of each core: isolated cores first, then those that cost shared use the fewest CPUs."""
    key = (supply.kind, supply.demand.cpu_threads)
    isolated = [(node.id, core) for node in nodes for core in node.cores[key].isolated]
    shared = [(node.id, core) for node in nodes for core in node.cores[key].shared]
    shared.sort(key=lambda pair: len(pair[1]))
    given: dict[int, list[int]] = {node.id: [] for node in nodes}
    idle: dict[int, list[int]] = {node.id: [] for node in nodes}
    for node_id, core in (isolated + shared)[: supply.demand.pcpus]:
        first, *siblings = core
        given[node_id].append(first)
        idle[node_id] += siblings
    return _cpu_sets(given), _cpu_sets(idle)


def _cpu_sets(cpus: Mapping[int, Iterable[int]]) -> dict[int, CpuSet]:
    return {node_id: CpuSet(ids) for node_id, ids in cpus.items()}


def _divide_memory(supply: Supply, nodes: Nodes) -> dict[int, int]:
    """Give how much memory, or how many huge pages, each node gives: first what it has for certain, then its room."""
    paged = supply.demand.hugepage_size_bytes is not None
    missing = supply.demand.hugepages if paged else supply.demand.memory_bytes
    given = {node.id: 0 for node in nodes}
    for limits in _memory_limits(supply, nodes, paged=paged):
        for node_id, limit in limits.items():
            number = min(missing, limit - given[node_id])
            given[node_id] += number
            missing -= number
    return given


def _memory_limits(supply: Supply, nodes: Nodes, *, paged: bool) -> Iterator[dict[int, int]]:
    sums = {node.id: supply.of(node) for node in nodes}
    if paged:
        yield {node_id: of_node.free for node_id, of_node in sums.items()}
    else:
        yield {node_id: supply.memory(of_node) for node_id, of_node in sums.items()}
        yield {node_id: of_node.room for node_id, of_node in sums.items()}
