# SPDX-License-Identifier: Apache-2.0
"""HostNuma: what is left on each NUMA node of a host, and what workloads hold of it.

What was measured and what was handed out are kept apart, so that taking everything back and handing it out again gives
the same value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from host_agent.numa.cell import NumaCell, PagePool
from host_agent.numa.document import cells_of, text_of
from host_agent.reserved_pages import ReservedPages
from host_agent.workloads.workload import Workload
from os_capability import CpuSet, NumaTopology
from os_capability.model import NumaNode

__all__ = ["HostNuma"]

_NO_CPUS = CpuSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNuma:
    """The NUMA nodes of a host by ascending id, and what of them is held."""

    cells: tuple[NumaCell, ...]

    @classmethod
    def measured(
        cls,
        numa: NumaTopology,
        *,
        memory_bytes: int | None = None,
        dedicated_cpus: CpuSet | None = None,
        shared_cpus: CpuSet | None = None,
        reserved_pages: Sequence[ReservedPages] = (),
    ) -> HostNuma:
        """Give the nodes of a machine on which nothing is held.

        Args:
            numa: its nodes.
            memory_bytes: all of the machine's, which is that of the only node where there is no other with memory.
            dedicated_cpus: those the operator keeps for pinning, ``None`` where there is no such set.
            shared_cpus: the same for floating.
            reserved_pages: what the operator keeps for the host.
        """
        reserved = {(pages.node, pages.size_bytes): pages.count for pages in reserved_pages}
        cells = (
            NumaCell(
                id=node.id,
                cpuset=node.cpus,
                dedicated_cpus=None if dedicated_cpus is None else dedicated_cpus & node.cpus,
                shared_cpus=None if shared_cpus is None else shared_cpus & node.cpus,
                memory_total_bytes=_memory_bytes(node, numa, memory_bytes),
                memory_kind=node.memory_kind,
                hugepages=_pools(node, reserved),
            )
            for node in numa.nodes
        )
        return cls(cells=tuple(cells))

    @classmethod
    def from_json(cls, text: str) -> HostNuma:
        """Read the column ``numa_topology``, of an older agent too.

        Raises:
            ValueError: it is something else.
        """
        return cls(cells=cells_of(text))

    def to_json(self) -> str:
        """Give the text of the column ``numa_topology``; equal values give equal texts."""
        return text_of(self.cells)

    @property
    def pinned_cpus(self) -> CpuSet:
        """The CPUs that workloads hold for themselves, over all nodes."""
        return CpuSet.union(cell.pinned_cpus or CpuSet() for cell in self.cells)

    def pins(self, workload: Workload) -> CpuSet:
        """Give the CPUs that `workload` holds for itself: those of its cpuset, if that is no wider than it computes."""
        return _own_cpus(workload) & self._pinnable_cpus

    def released(self) -> HostNuma:
        """Give the same nodes with nothing held; what was measured stays."""
        return HostNuma(cells=tuple(_released(cell) for cell in self.cells))

    def pin(self, workload: Workload) -> HostNuma:
        """Give the nodes once `workload` holds what it holds of them: CPUs, huge pages, ordinary memory.

        Huge pages and memory count on the nodes that `workload` names, else on the one its CPUs lie in, else on the
        only one there is; on several they are split evenly, the first having what is over. Where nobody knows the
        nodes they count on none.
        """
        return self._moved((workload,), 1)

    def unpin(self, workload: Workload) -> HostNuma:
        """Give the nodes once `workload` has let go of all that `pin` gave it.

        Raises:
            ValueError: it does not hold that much here.
        """
        return self._moved((workload,), -1)

    def holding(self, workloads: Iterable[Workload]) -> HostNuma:
        """Give the nodes with exactly `workloads` pinned, in one pass."""
        return self.released()._moved(workloads, 1)

    def fits(
        self,
        *,
        vcpus: int = 0,
        pcpus: int = 0,
        memory_bytes: int = 0,
        hugepage_size_bytes: int | None = None,
        numa_nodes: int | None = None,
    ) -> tuple[NumaCell, ...] | None:
        """Give the nodes that can take a demand beside all that is held, as few as can be; ``None`` where none can.

        Args:
            vcpus: CPUs to float over; how many others float over the same ones is not asked.
            pcpus: CPUs for this demand alone.
            memory_bytes: ordinary memory, or huge pages of `hugepage_size_bytes` that hold as much.
            hugepage_size_bytes: the size of a page, ``None`` for ordinary memory.
            numa_nodes: on at most so many nodes; ``None`` is any number.

        Raises:
            ValueError: a number is too small.
        """
        # Only whoever asks: what the agent itself never does takes none of its memory.
        from host_agent.numa.fitting import fitting_nodes
        from os_capability.insight.fit import Demand

        demand = Demand(
            vcpus=vcpus,
            pcpus=pcpus,
            memory_bytes=memory_bytes,
            hugepage_size_bytes=hugepage_size_bytes,
            numa_nodes=numa_nodes,
        )
        nodes = fitting_nodes(self.cells, demand)
        return None if nodes is None else tuple(cell for cell in self.cells if cell.id in nodes)

    def _moved(self, workloads: Iterable[Workload], sign: int) -> HostNuma:
        pins: Counter[int] = Counter()
        held: Counter[int] = Counter()
        pages: Counter[tuple[int, int]] = Counter()
        pinnable = self._pinnable_cpus
        sizes = {cell.id: {pool.size_bytes for pool in cell.hugepages or ()} for cell in self.cells}
        for workload in workloads:
            for cpu in _own_cpus(workload) & pinnable:
                pins[cpu] += sign
            nodes = self._nodes_of(workload)
            for node, size in _shares(_ordinary_bytes(workload), nodes):
                held[node] += sign * size
            for wanted in workload.hugepages or ():
                homes = [node for node in nodes if wanted.size_bytes in sizes[node]]
                for node, count in _shares(wanted.count, homes):
                    pages[node, wanted.size_bytes] += sign * count
        return HostNuma(cells=tuple(_plus(cell, pins, held[cell.id], pages) for cell in self.cells))

    @property
    def _pinnable_cpus(self) -> CpuSet:
        return CpuSet.union(cell.pinnable_cpus for cell in self.cells)

    def _nodes_of(self, workload: Workload) -> Sequence[int]:
        """Give the ids of the nodes that its memory lies on; none where that is not known."""
        if workload.numa_nodes is not None:
            return [cell.id for cell in self.cells if cell.id in workload.numa_nodes]
        if len(self.cells) == 1:
            return [self.cells[0].id]
        cpus = workload.cpuset
        homes = [cell.id for cell in self.cells if cpus <= cell.cpuset] if cpus else []
        return homes if len(homes) == 1 else []


def _memory_bytes(node: NumaNode, numa: NumaTopology, machine_bytes: int | None) -> int | None:
    # Firecracker guests (kernel 6.18 seen) count a page on its node once it is first touched.
    has_all = all(other.memory_total_bytes == 0 for other in numa.nodes if other is not node)
    return machine_bytes if has_all and machine_bytes is not None else node.memory_total_bytes


def _pools(node: NumaNode, reserved: Mapping[tuple[int, int], int]) -> tuple[PagePool, ...] | None:
    if node.hugepages is None:
        return None
    return tuple(
        PagePool(
            size_bytes=pool.size_bytes,
            total=pool.total,
            taken=None if pool.total is None or pool.free is None else max(0, pool.total - pool.free),
            reserved=reserved.get((node.id, pool.size_bytes), 0),
        )
        for pool in node.hugepages
    )


def _released(cell: NumaCell) -> NumaCell:
    pools = None if cell.hugepages is None else tuple(replace(pool, allocated=0) for pool in cell.hugepages)
    return replace(cell, pins=(), held_bytes=0, hugepages=pools)


def _own_cpus(workload: Workload) -> CpuSet:
    cpus, vcpus = workload.cpuset, workload.vcpus
    return _NO_CPUS if cpus is None or vcpus is None or len(cpus) > ceil(vcpus) else cpus


def _ordinary_bytes(workload: Workload) -> int:
    size = workload.memory_bytes or 0
    for pages in workload.hugepages or ():
        size -= pages.size_bytes * pages.count
    return max(0, size)


def _shares(amount: int, nodes: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Split `amount` evenly; the first node has what is over."""
    if not nodes or not amount:
        return ()
    if len(nodes) == 1:
        return ((nodes[0], amount),)
    each, over = divmod(amount, len(nodes))
    return [(node, each + (over if index == 0 else 0)) for index, node in enumerate(nodes)]


def _plus(cell: NumaCell, pins: Mapping[int, int], held: int, pages: Mapping[tuple[int, int], int]) -> NumaCell:
    mine = {cpu: number for cpu, number in pins.items() if cpu in cell.cpuset}
    counts = Counter(dict(cell.pins or ()))
    counts.update(mine)
    pools = cell.hugepages
    if pools is not None:
        pools = tuple(
            replace(pool, allocated=pool.allocated + pages.get((cell.id, pool.size_bytes), 0)) for pool in pools
        )
    least = min([0, cell.held_bytes + held, *counts.values(), *(pool.allocated for pool in pools or ())])
    if least < 0:
        raise ValueError(f"NUMA node {cell.id}: the workload does not hold what it would give back")
    return replace(
        cell,
        pins=tuple(sorted((cpu, number) for cpu, number in counts.items() if number)),
        held_bytes=cell.held_bytes + held,
        hugepages=pools,
    )
