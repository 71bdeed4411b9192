# SPDX-License-Identifier: Apache-2.0
"""What sets of NUMA nodes can give towards one demand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from os_capability.insight.fitting.capacity import Capacity, NodeCapacity
from os_capability.insight.fitting.demand import Demand

__all__ = ["Sums", "Supply"]


class Sums(NamedTuple):
    """What a set of nodes has in sum: each is the plain sum over its nodes.

    The first three are CPUs: isolated and other ones that can be dedicated, and those that can be shared; `free` is
    free memory in bytes, or free huge pages; `room` is memory outside huge page pools, in bytes.
    """

    dedicable_isolated: int
    dedicable_other: int
    sharable: int
    free: int
    room: int

    @property
    def dedicable(self) -> int:
        """How many CPUs can be dedicated."""
        return self.dedicable_isolated + self.dedicable_other

    def plus(self, other: Sums) -> Sums:
        """Give the sums over both sets of nodes."""
        return Sums(
            self.dedicable_isolated + other.dedicable_isolated,
            self.dedicable_other + other.dedicable_other,
            self.sharable + other.sharable,
            self.free + other.free,
            self.room + other.room,
        )


_NOTHING = Sums(0, 0, 0, 0, 0)


class Supply:
    """What the nodes of a machine can give towards one demand, dedicated CPUs being of one kind of core."""

    __slots__ = ("_rows", "_tops", "_wanted_memory", "capacity", "demand", "kind")

    def __init__(self, capacity: Capacity, demand: Demand, kind: str | None) -> None:
        self.capacity = capacity
        self.demand = demand
        self.kind = kind
        self._wanted_memory = demand.memory_bytes if demand.hugepage_size_bytes is None else demand.hugepages
        self._rows = {node.id: self._row(node) for node in capacity.nodes}
        self._tops: dict[int, Sums] = {}

    def _row(self, node: NodeCapacity) -> Sums:
        cores = node.cores[self.kind, self.demand.cpu_threads]
        page_size = self.demand.hugepage_size_bytes
        free = node.memory_free_bytes if page_size is None else (node.free_pages or {}).get(page_size)
        room = free if node.memory_room_bytes is None else node.memory_room_bytes
        # An unknown number is nothing that could be promised.
        return Sums(cores.isolated_count, cores.shared_count, node.shared_count, free or 0, room or 0)

    def of(self, node: NodeCapacity) -> Sums:
        """Give what one node has."""
        return self._rows[node.id]

    def sums(self, nodes: Sequence[NodeCapacity]) -> Sums:
        """Give what `nodes` have in sum."""
        if len(nodes) == 1:
            return self._rows[nodes[0].id]
        total = _NOTHING
        for node in nodes:
            total = total.plus(self._rows[node.id])
        return total

    def memory(self, sums: Sums) -> int:
        """Give what a set of nodes can give for certain: bytes, or huge pages where the demand is for such.

        The formulas stand in `os_capability.insight.fitting.capacity`.
        """
        capacity = self.capacity
        if self.demand.hugepage_size_bytes is not None:
            reserved = capacity.reserved_pages.get(self.demand.hugepage_size_bytes)
            return 0 if reserved is None else max(0, sums.free - reserved)
        available, room = capacity.memory_available_bytes, capacity.memory_room_bytes
        if available is None:
            return min(sums.free, sums.room)
        certain = sums.free if room is None else max(sums.free, available - (room - sums.room))
        return min(certain, available, sums.room)

    def cpus_towards(self, nodes: Iterable[NodeCapacity], sums: Sums) -> tuple[int, ...]:
        """Give how far the CPUs of `nodes`, `sums` in all, go towards the demand; what is beyond it does not count."""
        pcpus, vcpus = self.demand.pcpus, self.demand.vcpus
        if not vcpus:
            return (min(sums.dedicable, pcpus),)
        if not pcpus:
            return (min(sums.sharable, vcpus),)
        isolated = min(sums.dedicable_isolated, pcpus)
        if self.demand.cpu_threads == "isolate":
            return isolated, sums.sharable, *self._shared_core_sizes(nodes)[:pcpus]
        return isolated, min(sums.dedicable_other, pcpus), min(sums.sharable, vcpus + pcpus)

    def shared_used(self, nodes: Iterable[NodeCapacity], wanted: int) -> int:
        """Give how many CPUs are lost to shared use when `wanted` that could be shared are dedicated on `nodes`."""
        if self.demand.cpu_threads != "isolate" or not wanted:
            return wanted
        return sum(self._shared_core_sizes(nodes)[:wanted])

    def _shared_core_sizes(self, nodes: Iterable[NodeCapacity]) -> list[int]:
        key = (self.kind, self.demand.cpu_threads)
        return sorted(len(core) for node in nodes for core in node.cores[key].shared)

    def meets(self, nodes: Sequence[NodeCapacity]) -> bool:
        """Tell whether `nodes` can take the demand."""
        sums = self.sums(nodes)
        wanted = max(0, self.demand.pcpus - sums.dedicable_isolated)
        return self._enough(sums, wanted, self.shared_used(nodes, wanted))

    def may_meet(self, nodes: Sequence[NodeCapacity], more: int) -> bool:
        """Tell whether `nodes` could take the demand with the best of everything of `more` further nodes."""
        sums = self.sums(nodes).plus(self._top(more))
        wanted = max(0, self.demand.pcpus - sums.dedicable_isolated)
        return self._enough(sums, wanted, wanted)

    def _enough(self, sums: Sums, wanted: int, used: int) -> bool:
        return (
            wanted <= sums.dedicable_other
            and self.demand.vcpus <= sums.sharable - used
            and self._wanted_memory <= (self.memory(sums) if self._wanted_memory else 0)
        )

    def _top(self, number: int) -> Sums:
        if number not in self._tops:
            columns = zip(*self._rows.values(), strict=True)
            self._tops[number] = Sums(*(sum(sorted(column, reverse=True)[:number]) for column in columns))
        return self._tops[number]
