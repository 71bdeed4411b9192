# SPDX-License-Identifier: Apache-2.0
"""Which part of a machine lies in which: sockets in nodes or nodes in sockets, as the CPU sets say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from os_capability.cpuset import CpuSet
from os_capability.model import Cache, Cpu, Host, Processor
from os_capability.size import format_bytes

__all__ = ["Branch", "Group", "cache_name", "cores_of", "nest", "overlapping_nodes"]

# Where two are the same CPUs, this is the order of their names in the title.
LEVELS = ("node", "drawer", "book", "socket", "die", "cluster", "cache")
# The levels the kernel numbers. A number means something only together with those of the levels before it.
_NUMBERED = ("drawer", "book", "socket", "die", "cluster")
_CACHE_TYPES = {"Data": "d", "Instruction": "i"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Online CPUs that belong together on one level of the topology."""

    level: str
    number: int | None
    name: str
    cpus: CpuSet


@dataclass(slots=True)
class Branch:
    """A set of CPUs, the groups that are just this set (with ``True`` for a mere part of one), and what is in it."""

    cpus: CpuSet
    groups: list[tuple[Group, bool]] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)

    def __iter__(self) -> Iterator[Branch]:
        yield self
        for branch in self.branches:
            yield from branch

    @property
    def order(self) -> tuple[int, int]:
        """Where it stands among its neighbours: by level, then by number or first CPU."""
        group = self.groups[0][0]
        return LEVELS.index(group.level), self.cpus.first() if group.number is None else group.number


def nest(host: Host) -> tuple[Branch, Mapping[int, Branch]]:
    """Give the whole machine as a branch, and the innermost branch of every online CPU.

    A group lies in the smallest larger group that holds it. One that crosses a border is drawn in parts on both sides.
    """
    machine = Branch(host.cpu.online)
    innermost = dict.fromkeys(host.cpu.online, machine)
    for group in sorted(_groups(host), key=_largest_first):
        for outer, cpus in _by_branch(group.cpus, innermost):
            named = (group, cpus != group.cpus)
            # A cache of the whole machine is told beside the machine's name; a node or socket has a box all the same.
            if cpus == outer.cpus and (outer is not machine or group.level == "cache"):
                outer.groups.append(named)
                continue
            inner = Branch(cpus, [named])
            outer.branches.append(inner)
            innermost.update(dict.fromkeys(cpus, inner))
    return machine, innermost


def overlapping_nodes(host: Host) -> frozenset[int]:
    """Give the ids of the nodes that share CPUs with another node; broken firmware makes them."""
    nodes = Counter(cpu for node in host.numa.nodes for cpu in node.cpus)
    shared = CpuSet(cpu for cpu, count in nodes.items() if count > 1)
    return frozenset(node.id for node in host.numa.nodes if not node.cpus.isdisjoint(shared))


def cores_of(cpu: Cpu) -> dict[int, CpuSet]:
    """Give the online CPUs of every core by the document's core number."""
    cpus: dict[int, list[int]] = {}
    for processor in cpu.processors:
        if processor.id in cpu.online and processor.core is not None:
            cpus.setdefault(processor.core, []).append(processor.id)
    return {core: CpuSet(ids) for core, ids in cpus.items()}


def cache_name(cache: Cache) -> str:
    """Name a cache as people do: ``L1d``, ``L1i``, ``L2``."""
    return f"L{cache.level}{_CACHE_TYPES.get(cache.type, '')}"


def _largest_first(group: Group) -> tuple[int, int, int]:
    return -len(group.cpus), LEVELS.index(group.level), group.cpus.first()


def _by_branch(cpus: CpuSet, innermost: Mapping[int, Branch]) -> list[tuple[Branch, CpuSet]]:
    found: dict[int, tuple[Branch, list[int]]] = {}
    for cpu in cpus:
        branch = innermost[cpu]
        found.setdefault(id(branch), (branch, []))[1].append(cpu)
    return [(branch, CpuSet(ids)) for branch, ids in found.values()]


def _groups(host: Host) -> Iterator[Group]:
    """Give the groups that tell something: a die that is its whole socket, or a cluster of one core, does not."""
    online = [processor for processor in host.cpu.processors if processor.id in host.cpu.online]
    core_of = {cpu: cpus for cpus in cores_of(host.cpu).values() for cpu in cpus}
    taken: set[CpuSet] = set()
    for group in (*_nodes(host), *_numbered(online)):
        inside_a_core = group.cpus <= core_of.get(group.cpus.first(), CpuSet())
        if (group.level == "die" and group.cpus in taken) or (
            group.level == "cluster" and (group.cpus in taken or inside_a_core)
        ):
            continue
        if group.level != "node":
            taken.add(group.cpus)
        yield group
    yield from _caches(host.cpu.caches or (), host.cpu.online, core_of)


def _nodes(host: Host) -> Iterator[Group]:
    if host.numa.synthetic:
        return
    overlapping = overlapping_nodes(host)
    for node in host.numa.nodes:
        cpus = node.cpus & host.cpu.online
        if cpus and node.id not in overlapping:
            yield Group(level="node", number=node.id, name=f"NUMA node {node.id}", cpus=cpus)


def _numbered(online: Iterable[Processor]) -> Iterator[Group]:
    """Give drawers, books, sockets, dies and clusters, in this order."""
    places: dict[tuple[int | None, ...], list[int]] = {}
    for processor in online:
        numbers = (processor.drawer, processor.book, processor.socket, processor.die, processor.cluster)
        for depth, number in enumerate(numbers, start=1):
            if number is not None:
                places.setdefault(numbers[:depth], []).append(processor.id)
    for place, ids in sorted(places.items(), key=lambda found: len(found[0])):
        level = _NUMBERED[len(place) - 1]
        yield Group(level=level, number=place[-1], name=f"{level} {place[-1]}", cpus=CpuSet(ids))


def _caches(caches: Iterable[Cache], online: CpuSet, core_of: Mapping[int, CpuSet]) -> Iterator[Group]:
    """Give the caches that several cores share; where torn files tell two of one CPU and level, the larger."""
    seen: dict[str, CpuSet] = {}
    for cache in sorted(caches, key=lambda cache: -len(cache.shared_cpus)):
        cpus, name = cache.shared_cpus & online, cache_name(cache)
        before = seen.get(name, CpuSet())
        if cache.level == 1 or len(cpus) < 2 or not cpus.isdisjoint(before):
            continue
        seen[name] = before | cpus
        if not cpus <= core_of.get(cpus.first(), CpuSet()):
            size = "" if cache.size_bytes is None else f" {format_bytes(cache.size_bytes)}"
            yield Group(level="cache", number=None, name=name + size, cpus=cpus)
