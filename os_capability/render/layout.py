# SPDX-License-Identifier: Apache-2.0
"""A machine laid out as boxes in boxes, the same for the terminal and for SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from os_capability.cpuset import CpuSet
from os_capability.model import Host, NumaNode
from os_capability.render.contents import (
    EMPTY,
    device_lines,
    kind_signs,
    legend,
    machine_bars,
    machine_notes,
    node_bars,
    node_facts,
)
from os_capability.render.drawing import Box, Core, Drawing, Listed, Thread
from os_capability.render.folding import fold
from os_capability.render.nesting import Branch, cores_of, nest, overlapping_nodes
from os_capability.render.terminal import plain
from os_capability.wording import cpus_text, ranges

__all__ = ["layout"]

# So many nodes without CPUs and memory have a box of their own.
_MOST_EMPTY = 2


def layout(host: Host) -> Drawing:
    """Lay a machine out: nodes, sockets, dies, shared caches, clusters, cores and threads as their CPU sets nest.

    Every online and every offline CPU is in exactly one core or list of the drawing.
    """
    signs = kind_signs(host.cpu)
    machine = fold(_machine(host, signs))
    return Drawing(machine=machine, legend=tuple(legend(host.cpu, machine, signs)))


def _machine(host: Host, signs: Mapping[str, str]) -> Box:
    tree, innermost = nest(host)
    own: defaultdict[int, list[Core | Listed]] = defaultdict(list)
    for cpus in _cpus_without_core(host, innermost):
        own[id(innermost[cpus.cpus.first()])].append(cpus)
    for branch, core in _cores(host, innermost, signs):
        own[id(branch)].append(core)
    unplaced: list[Core] = []
    for place, offline in _offline(host, tree):
        (unplaced if place is None else own[id(place)]).append(offline)
    return Box(
        levels=("machine",),
        numbers=(None,),
        title=plain(host.hostname or "machine"),
        cpus=host.cpu.online | host.cpu.offline,
        facts=tuple(group.name for group, _ in tree.groups),
        notes=tuple(machine_notes(host)),
        bars=tuple(machine_bars(host)),
        devices=tuple(device_lines(host, None)),
        parts=(*_parts(tree, own, host), *_nodes_apart(host), *_unplaced(unplaced)),
    )


def _parts(branch: Branch, own: Mapping[int, Sequence[Core | Listed]], host: Host) -> tuple[Core | Box | Listed, ...]:
    boxes = [_box(inner, own, host) for inner in sorted(branch.branches, key=lambda inner: inner.order)]
    return (*own.get(id(branch), ()), *boxes)


def _box(branch: Branch, own: Mapping[int, Sequence[Core | Listed]], host: Host) -> Box:
    named = [group for group, _ in branch.groups if group.level != "cache"]
    caches = [group.name for group, _ in branch.groups if group.level == "cache"]
    nodes = [host.numa.node(group.number) for group in named if group.level == "node" and group.number is not None]
    title = " · ".join(group.name for group in named) or caches.pop(0)
    parts = _parts(branch, own, host)
    crossing = [group.name for group, is_part in branch.groups if is_part]
    return Box(
        levels=tuple(group.level for group, _ in branch.groups),
        numbers=tuple(group.number for group, _ in branch.groups),
        title=title,
        cpus=CpuSet.union((branch.cpus, *(part.cpus for part in parts))),
        facts=(*caches, *(fact for node in nodes for fact in node_facts(host, node))),
        notes=tuple(f"only a part of {name}" for name in crossing),
        bars=tuple(bar for node in nodes for bar in node_bars(node)),
        devices=tuple(line for node in nodes for line in device_lines(host, node.id)),
        parts=parts,
    )


def _cores(host: Host, innermost: Mapping[int, Branch], signs: Mapping[str, str]) -> Iterator[tuple[Branch, Core]]:
    """Give every core and the branch it lies in; one that crosses a border, in parts."""
    isolated = host.cpu.isolated or CpuSet()
    kinds = {processor.id: processor.kind for processor in host.cpu.processors}
    for number, cpus in cores_of(host.cpu).items():
        threads: dict[int, list[Thread]] = {}
        for cpu in cpus:
            thread = Thread(cpu=cpu, online=True, isolated=cpu in isolated)
            threads.setdefault(id(innermost[cpu]), []).append(thread)
        for together in threads.values():
            first = together[0].cpu
            mark = signs.get(kinds[first] or "", "")
            yield innermost[first], Core(number=number, mark=mark, threads=tuple(together))


def _cpus_without_core(host: Host, innermost: Mapping[int, Branch]) -> Iterator[Listed]:
    """Give the CPUs of which nobody knows which share a core, a list for each branch."""
    placed = CpuSet.union(cores_of(host.cpu).values())
    found: dict[int, list[int]] = {}
    for cpu in host.cpu.online - placed:
        found.setdefault(id(innermost[cpu]), []).append(cpu)
    for ids in found.values():
        cpus = CpuSet(ids)
        isolated = cpus & (host.cpu.isolated or CpuSet())
        text = f"{cpus_text(cpus)}, cores unknown"
        yield Listed(text=f"{text}; isolated {isolated}" if isolated else text, cpus=cpus)


def _offline(host: Host, tree: Branch) -> Iterator[tuple[Branch | None, Core]]:
    """Give every offline CPU and its branch, ``None`` where the kernel no longer tells its place."""
    branches = {(group.level, group.number): branch for branch in tree for group, _ in branch.groups}
    processors = {processor.id: processor for processor in host.cpu.processors}
    isolated = host.cpu.isolated or CpuSet()
    for cpu in host.cpu.offline:
        known = processors.get(cpu)
        place = (branches.get(("node", known.node)) or branches.get(("socket", known.socket))) if known else None
        yield place, Core(number=None, mark="", threads=(Thread(cpu=cpu, online=False, isolated=cpu in isolated),))


def _unplaced(offline: Sequence[Core]) -> Iterator[Box]:
    if offline:
        cpus = CpuSet.union(core.cpus for core in offline)
        yield Box(levels=("offline",), numbers=(None,), title="offline, place unknown", cpus=cpus, parts=tuple(offline))


def _nodes_apart(host: Host) -> Iterator[Box | Listed]:
    """Give the nodes that hold no CPUs of their own: memory only, or sharing their CPUs with other nodes."""
    overlapping = overlapping_nodes(host)
    nodes = () if host.numa.synthetic else host.numa.nodes
    boxes = {node.id: _node_apart(host, node) for node in nodes if not node.cpus or node.id in overlapping}
    # A GPU has a node for each of its parts that could be given away, which is empty until it is.
    empty = [node for node, box in boxes.items() if box.facts == EMPTY and not (box.bars or box.devices)]
    listed = empty if len(empty) > _MOST_EMPTY else []
    yield from (box for node, box in boxes.items() if node not in listed)
    if listed:
        yield Listed(text=f"NUMA nodes {ranges(listed)}: {', '.join(EMPTY)}", cpus=CpuSet())


def _node_apart(host: Host, node: NumaNode) -> Box:
    return Box(
        levels=("memory",),
        numbers=(node.id,),
        title=f"NUMA node {node.id}",
        cpus=CpuSet(),
        facts=tuple(node_facts(host, node)),
        notes=(f"{cpus_text(node.cpus)}, in other nodes too",) if node.cpus else (),
        bars=tuple(node_bars(node)),
        devices=tuple(device_lines(host, node.id)),
    )
