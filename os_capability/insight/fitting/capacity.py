# SPDX-License-Identifier: Apache-2.0
"""What a machine has to give, narrow enough to ask a fleet: free cores, shared CPUs, memory and huge pages by node.

What counts:

- CPUs: online ones that lie in exactly one NUMA node and are not taken. Isolated CPUs are for dedicated use and the
  first to be dedicated; the scheduler puts no shared work on them. Every other CPU can be shared, or be dedicated once
  the isolated ones are used up.
- Cores: a core of which only some CPUs are isolated gives single CPUs, never a whole core, because other work runs on
  its other threads.
- Memory: plain RAM. What a set S of nodes can give for certain is::

      max(free(S), available - room outside S)        never more than available, nor than the room of S

  A node's free memory excludes the page cache, of which the kernel tells only machine-wide how much can be reclaimed
  (`available`). The nodes outside S can hold no more of that than they have room: all their memory but huge page
  pools. The rest must lie in S. Where all memory lies in one node, the machine's own figures are that node's, because
  some guests count a page on its node only when it is first used (Firecracker). Where several nodes count less than
  the machine has, nobody knows yet on which of them the rest will be.
- Huge pages: the free ones less all that are reserved, because the kernel does not tell on which nodes the reserved
  ones will be taken.

Limits and affinity of the asking process do not shrink the machine; they are noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.insight.fitting.notes import notes_of
from os_capability.model import Host, HugePages, NodeHugePages, NumaNode, Processor

__all__ = ["THREAD_POLICIES", "Capacity", "Cores", "NodeCapacity", "ThreadPolicy", "UncountedMemory", "capacity_of"]

ThreadPolicy = Literal["prefer", "require", "isolate"]
THREAD_POLICIES: tuple[ThreadPolicy, ...] = ("prefer", "require", "isolate")

# Below this part of the machine's memory the nodes have not counted all of it; every other machine counts the same.
_WHOLE_PER_CENT = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """What one node can dedicate of one kind of core, under one thread policy.

    Attributes:
        isolated: the free CPUs of each core that are isolated, in the order in which they are given.
        shared: the same for CPUs that shared work may use as well.
        isolated_count, shared_count: how many CPUs these give: all of them, with ``isolate`` one of each core.
    """

    isolated: tuple[CpuSet, ...]
    shared: tuple[CpuSet, ...]
    isolated_count: int
    shared_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCapacity:
    """What one NUMA node has to give.

    Attributes:
        cores: by kind of core (``None`` where all are alike) and thread policy.
        shared_cpus: the free CPUs that are not isolated.
        shared_count: how many these are.
        has_plain_ram: whether it has plain RAM, or may have.
        memory_free_bytes: its free RAM, 0 where its memory is no RAM, ``None`` where that is unknown.
        memory_room_bytes: all its RAM outside huge page pools, with the same 0 and ``None``.
        cores_unknown: whether free CPUs do not tell their core, so that they are counted as no core's.
        free_pages: free huge pages by page size in bytes; a size it has no pool of is absent. ``None`` is unknown.
    """

    id: int
    cores: Mapping[tuple[str | None, ThreadPolicy], Cores] = field(hash=False)
    shared_cpus: CpuSet
    shared_count: int
    cores_unknown: bool
    has_plain_ram: bool
    memory_free_bytes: int | None
    memory_room_bytes: int | None
    free_pages: Mapping[int, int | None] | None = field(hash=False)
    distances: Mapping[int, int] | None = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UncountedMemory:
    """A node's memory that is not counted because it is no plain RAM, or not known to be."""

    node: int
    kind: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a machine has to give.

    Attributes:
        nodes: those with CPUs first, the smaller before the larger, so that the first that fits is the best fit.
        kinds: of cores, the machine's own order; ``(None,)`` where all are alike.
        memory_available_bytes: machine-wide, ``None`` where unknown.
        memory_room_bytes: of all nodes of whatever kind, ``None`` where that of one is unknown.
        nodeless_memory_bytes: memory of the machine that its nodes do not count yet; inside `memory_room_bytes`.
        reserved_pages: machine-wide, by page size in bytes; ``None`` is unknown.
        device_nodes: the NUMA node of each PCI device, by its address; ``None`` where the machine does not say.
        left_out: memory that is not counted.
        unplaced_cpus: online CPUs that are not counted because they lie in no node, or in several.
        notes: what an answer does not consider, a sentence each.
    """

    nodes: tuple[NodeCapacity, ...]
    kinds: tuple[str | None, ...]
    memory_available_bytes: int | None
    memory_room_bytes: int | None
    nodeless_memory_bytes: int
    reserved_pages: Mapping[int, int | None] = field(hash=False)
    device_nodes: Mapping[str, int | None] = field(hash=False)
    left_out: tuple[UncountedMemory, ...]
    unplaced_cpus: CpuSet
    notes: tuple[str, ...]

    def has_pages_of(self, size_bytes: int) -> bool:
        """Tell whether the machine has, or may have, a pool of huge pages of a size."""
        return size_bytes in self.reserved_pages or any(
            node.free_pages is None or size_bytes in node.free_pages for node in self.nodes
        )

    def at_best(self) -> Capacity:
        """Give the capacity if whatever nodes are asked had all the memory that no node counts yet, and all free."""
        rooms = {node.id: (node.memory_room_bytes or 0) + self.nodeless_memory_bytes for node in self.nodes}
        return replace(
            self,
            nodes=tuple(
                replace(node, memory_free_bytes=rooms[node.id], memory_room_bytes=rooms[node.id])
                if node.has_plain_ram
                else node
                for node in self.nodes
            ),
        )


def capacity_of(host: Host, *, taken: CpuSet | None = None) -> Capacity:
    """Give what `host` has to give, less the CPUs `taken` already: pinned, or kept idle beside such."""
    ids = {node.id for node in host.numa.nodes}
    placed = [cpu for cpu in host.cpu.processors if cpu.online and cpu.node in ids]
    pieces: dict[int, list[_Piece]] = {node: [] for node in ids}
    for node, piece in _pieces(placed, host.cpu.isolated or CpuSet(), taken or CpuSet()):
        pieces[node].append(piece)
    kinds = _kinds(host, pieces.values())
    memory = _memory_by_node(host)
    nodeless_bytes = _nodeless_bytes(host)
    rooms = [of_node.room_bytes for of_node in memory.values()]
    known_rooms = [room for room in rooms if room is not None]
    nodes = (_node(node, memory[node.id], pieces[node.id], kinds) for node in host.numa.nodes)
    return Capacity(
        nodes=tuple(sorted(nodes, key=_smaller_first)),
        kinds=kinds,
        memory_available_bytes=host.memory.available_bytes,
        memory_room_bytes=sum(known_rooms) + nodeless_bytes if len(known_rooms) == len(rooms) else None,
        nodeless_memory_bytes=nodeless_bytes,
        reserved_pages={pool.size_bytes: pool.reserved for pool in host.memory.hugepages or ()},
        device_nodes=_device_nodes(host),
        left_out=tuple(_left_out(host.numa.nodes)),
        unplaced_cpus=host.cpu.online - CpuSet(cpu.id for cpu in placed),
        notes=notes_of(host),
    )


class _Piece(NamedTuple):
    """Free CPUs of one core that are all isolated, or all not; `whole` when they are all that the core has online."""

    kind: str | None
    cpus: CpuSet
    isolated: bool
    whole: bool
    core_known: bool


def _pieces(processors: Iterable[Processor], isolated: CpuSet, taken: CpuSet) -> Iterator[tuple[int, _Piece]]:
    cores: dict[tuple[int | None, int | None, int], list[Processor]] = {}
    for cpu in processors:
        # Nobody knows the siblings of a CPU whose core is unknown, so that it is a core of its own and never whole.
        cores.setdefault((cpu.node, cpu.core, cpu.id if cpu.core is None else 0), []).append(cpu)
    for (node, core, _), members in cores.items():
        threads = CpuSet(cpu.id for cpu in members)
        free = threads - taken
        for cpus, alone in ((free & isolated, True), (free - isolated, False)):
            if cpus and node is not None:
                known = core is not None
                yield node, _Piece(members[0].kind, cpus, alone, known and cpus == threads, known)


def _kinds(host: Host, pieces: Iterable[Iterable[_Piece]]) -> tuple[str | None, ...]:
    """Give the kinds of core that have free CPUs, in the machine's own order."""
    free = dict.fromkeys(piece.kind for of_node in pieces for piece in of_node)
    ordered = dict.fromkeys([*(kind.name for kind in host.cpu.kinds), *free])
    return tuple(kind for kind in ordered if kind in free) or (None,)


def _node(node: NumaNode, memory: _Memory, pieces: list[_Piece], kinds: tuple[str | None, ...]) -> NodeCapacity:
    shared = CpuSet()
    for piece in pieces:
        if not piece.isolated:
            shared |= piece.cpus
    return NodeCapacity(
        id=node.id,
        cores={
            (kind, policy): _cores([piece for piece in pieces if piece.kind == kind], policy)
            for kind in kinds
            for policy in THREAD_POLICIES
        },
        shared_cpus=shared,
        shared_count=len(shared),
        cores_unknown=any(not piece.core_known for piece in pieces),
        has_plain_ram=node.is_plain_ram and node.memory_total_bytes != 0,
        memory_free_bytes=memory.free_bytes if node.is_plain_ram else 0,
        memory_room_bytes=memory.room_bytes if node.is_plain_ram else 0,
        free_pages=_free_pages(node),
        distances=node.distances,
    )


def _cores(pieces: Iterable[_Piece], policy: ThreadPolicy) -> Cores:
    if policy == "isolate":
        order = sorted((p for p in pieces if p.whole), key=lambda p: (len(p.cpus), p.cpus.first()))
    else:
        least = 2 if policy == "require" else 1
        eligible = (p for p in pieces if len(p.cpus) >= least)
        order = sorted(eligible, key=lambda p: (not p.whole, 0 if p.whole else len(p.cpus), p.cpus.first()))
    isolated = tuple(piece.cpus for piece in order if piece.isolated)
    shared = tuple(piece.cpus for piece in order if not piece.isolated)
    return Cores(
        isolated=isolated,
        shared=shared,
        isolated_count=len(isolated) if policy == "isolate" else sum(map(len, isolated)),
        shared_count=len(shared) if policy == "isolate" else sum(map(len, shared)),
    )


class _Memory(NamedTuple):
    """A node's memory that is free, and all of it outside huge page pools; ``None`` is unknown."""

    free_bytes: int | None
    room_bytes: int | None


def _memory_by_node(host: Host) -> dict[int, _Memory]:
    memory = {
        node.id: _Memory(node.memory_free_bytes, _room_bytes(node.memory_total_bytes, node.hugepages))
        for node in host.numa.nodes
    }
    only, total_bytes = _only_node_with_memory(host), host.memory.total_bytes
    if only is not None and only.is_plain_ram and total_bytes is not None:
        pools = only.hugepages if only.hugepages is not None else host.memory.hugepages
        memory[only.id] = _Memory(host.memory.free_bytes, _room_bytes(total_bytes, pools))
    return memory


def _only_node_with_memory(host: Host) -> NumaNode | None:
    nodes = [node for node in host.numa.nodes if node.memory_total_bytes != 0]
    return nodes[0] if len(nodes) == 1 else None


def _nodeless_bytes(host: Host) -> int:
    """Give how much memory of the machine none of its several nodes counts."""
    counted = [node.memory_total_bytes for node in host.numa.nodes]
    total, known = host.memory.total_bytes, [size for size in counted if size is not None]
    if total is None or len(known) < len(counted) or _only_node_with_memory(host) is not None:
        return 0
    return total - sum(known) if 100 * sum(known) < _WHOLE_PER_CENT * total else 0


def _room_bytes(total_bytes: int | None, pools: Iterable[NodeHugePages | HugePages] | None) -> int | None:
    """Give the memory outside huge page pools.

    Where the pools are unknown that is too much, on the safe side: what lies outside the nodes in question counts.
    """
    if total_bytes is None:
        return None
    return max(0, total_bytes - sum(pool.size_bytes * (pool.total or 0) for pool in pools or ()))


def _free_pages(node: NumaNode) -> Mapping[int, int | None] | None:
    if not node.is_plain_ram:
        return {}
    return None if node.hugepages is None else {pool.size_bytes: pool.free for pool in node.hugepages}


def _smaller_first(node: NodeCapacity) -> tuple[bool, int, int, int]:
    cpus = node.shared_count + sum(
        cores.isolated_count for (_, policy), cores in node.cores.items() if policy == "prefer"
    )
    return cpus == 0, cpus, node.memory_room_bytes or 0, node.id


def _device_nodes(host: Host) -> dict[str, int | None]:
    only = host.numa.nodes[0].id if len(host.numa.nodes) == 1 else None
    return {device.address: only if device.node is None else device.node for device in host.pci or ()}


def _left_out(nodes: Iterable[NumaNode]) -> Iterator[UncountedMemory]:
    for node in nodes:
        if node.memory_total_bytes and not node.is_plain_ram:
            yield UncountedMemory(node=node.id, kind=node.memory_kind, size_bytes=node.memory_total_bytes)
