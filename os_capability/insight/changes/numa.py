# SPDX-License-Identifier: Apache-2.0
"""What changed about NUMA nodes and memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from os_capability.cpuset import CpuSet
from os_capability.insight.changes.change import CHANGED, GAINED, LOST, Change, altered
from os_capability.model import Host, HugePages, NodeHugePages, NumaNode
from os_capability.size import format_bytes
from os_capability.wording import counted, cpus_text, listed

__all__ = [
    "NodePairs",
    "distance_changes",
    "hugepage_changes",
    "memory_changes",
    "node_changes",
    "node_memory_changes",
    "pair_nodes",
]

_MIB, _GIB = 1 << 20, 1 << 30
# What the kernel keeps for itself differs by a few MiB from boot to boot, and more from version to version. The least
# that is plugged in or out is a block of 128 MiB.
_DRIFT_SHARE, _DRIFT_BYTES = 0.005, 64 * _MIB
# Older kernels count up to 3.4 % too much on the nodes; beyond that a node's figure is not what it has.
_SUM_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePairs:
    """The nodes of two hosts by id.

    Attributes:
        are_comparable: False where just one of them tells of nodes; the lists are empty then.
        gone, new: the nodes of the one or the other alone.
        both: the others, old and new.
        moved_cpus: the CPUs that went or came with their node.
    """

    are_comparable: bool
    gone: tuple[NumaNode, ...]
    new: tuple[NumaNode, ...]
    both: tuple[tuple[NumaNode, NumaNode], ...]
    moved_cpus: CpuSet


def pair_nodes(old: Host, new: Host) -> NodePairs:
    """Hold the nodes of two hosts side by side."""
    are_comparable = old.numa.synthetic == new.numa.synthetic
    before = {node.id: node for node in old.numa.nodes if are_comparable}
    after = {node.id: node for node in new.numa.nodes if are_comparable}
    gone = tuple(before[node] for node in sorted(before.keys() - after.keys()))
    added = tuple(after[node] for node in sorted(after.keys() - before.keys()))
    return NodePairs(
        are_comparable=are_comparable,
        gone=gone,
        new=added,
        both=tuple((before[node], after[node]) for node in sorted(before.keys() & after.keys())),
        moved_cpus=(CpuSet.union(node.cpus for node in gone) - new.cpu.online)
        | (CpuSet.union(node.cpus for node in added) - old.cpu.online),
    )


def memory_changes(old: Host, new: Host) -> list[Change]:
    """Tell what memory and swap the machine gained or lost."""
    before, after = old.memory, new.memory
    changes = _size_change("memory", "the machine", {}, before.total_bytes, after.total_bytes)
    return changes + altered(
        "swap-changed", "swap", before.swap_total_bytes, after.swap_total_bytes, words=_size_or_none
    )


def _size_or_none(size: int) -> str:
    return format_bytes(size) if size else "none"


def _size_change(code: str, subject: str, where: dict[str, object], old: int | None, new: int | None) -> list[Change]:
    if old is None or new is None or abs(new - old) <= _drift(max(old, new)):
        return []
    effect = GAINED if new > old else LOST
    message = f"{subject} {effect} {_about(abs(new - old))} ({_about(old)} -> {_about(new)})"
    return [Change(code=f"{code}-{effect}", effect=effect, message=message, detail={**where, "old": old, "new": new})]


def _about(size: int) -> str:
    """Give a size without its drift, so that a DIMM of 16 GiB is said to be that and not 16.1 GiB."""
    whole = round(size / _GIB) * _GIB
    return _size_or_none(whole if whole and abs(size - whole) <= _drift(size) else size)


def _drift(size: int) -> float:
    return max(_DRIFT_BYTES, size * _DRIFT_SHARE)


def node_changes(old: Host, new: Host, pairs: NodePairs) -> list[Change]:
    """Tell which nodes came and went, each with its CPUs and memory."""
    if not pairs.are_comparable:
        if new.numa.synthetic:
            code, effect, message = "numa-lost", LOST, "the kernel no longer tells of NUMA nodes"
        else:
            code, effect = "numa-gained", GAINED
            message = f"the kernel now tells of {counted(len(new.numa.nodes), 'NUMA node')}"
        nodes = (old if new.numa.synthetic else new).numa.nodes
        return [Change(code=code, effect=effect, message=message, detail={"nodes": [node.id for node in nodes]})]
    return [
        *(_node_change("node-removed", LOST, "is gone", node) for node in pairs.gone),
        *(_node_change("node-added", GAINED, "is new", node) for node in pairs.new),
    ]


def _node_change(code: str, effect: str, verb: str, node: NumaNode) -> Change:
    size = node.memory_total_bytes
    memory = "unknown memory" if size is None else "no memory" if size == 0 else _about(size)
    detail = {"node": node.id, "cpus": str(node.cpus), "memory_total_bytes": size}
    message = f"node {node.id} {verb}, with {cpus_text(node.cpus)} and {memory}"
    return Change(code=code, effect=effect, message=message, detail=detail)


def node_memory_changes(old: Host, new: Host, pairs: NodePairs) -> list[Change]:
    """Tell what memory each node gained or lost, and what it is made of now.

    Node figures that do not add up to the machine's are not compared: a kernel that initialises memory as it is asked
    for counts more of it on the nodes with every minute, while the machine's total stands still.
    """
    comparable = _adds_up(old) and _adds_up(new)
    changes = []
    for before, after in pairs.both:
        where: dict[str, object] = {"node": before.id}
        sizes = before.memory_total_bytes, after.memory_total_bytes
        if comparable and not new.numa.synthetic:
            changes += _size_change("node-memory", f"node {before.id}", where, *sizes)
        subject = f"memory of node {before.id}:"
        changes += altered("node-memory-kind-changed", subject, before.memory_kind, after.memory_kind, where=where)
    return changes


def _adds_up(host: Host) -> bool:
    total = host.memory.total_bytes
    sizes = [node.memory_total_bytes for node in host.numa.nodes if node.memory_total_bytes is not None]
    return total is None or abs(sum(sizes) - total) <= max(total * _SUM_SHARE, _DRIFT_BYTES)


def hugepage_changes(old: Host, new: Host, pairs: NodePairs) -> list[Change]:
    """Tell which pools were resized, node by node where the nodes tell, else of the machine; surplus pages aside."""
    with_pools = [(before, after) for before, after in pairs.both if None not in (before.hugepages, after.hugepages)]
    if new.numa.synthetic or not with_pools:
        return _pool_changes("", {}, old.memory.hugepages, new.memory.hugepages)
    return [
        change
        for before, after in with_pools
        for change in _pool_changes(f" on node {before.id}", {"node": before.id}, before.hugepages, after.hugepages)
    ]


def _pool_changes(
    place: str,
    where: dict[str, object],
    old: tuple[HugePages, ...] | tuple[NodeHugePages, ...] | None,
    new: tuple[HugePages, ...] | tuple[NodeHugePages, ...] | None,
) -> list[Change]:
    if old is None or new is None:
        return []
    before, after = _persistent_pages(old), _persistent_pages(new)
    changes = []
    for size in sorted(before.keys() | after.keys()):
        then, now = before.get(size, 0), after.get(size, 0)
        if then is None or now is None or then == now:
            continue
        effect = GAINED if now > then else LOST
        message = f"{format_bytes(size)} huge pages{place}: {then} -> {now}"
        detail = {**where, "size_bytes": size, "old": then, "new": now}
        changes.append(Change(code=f"hugepages-{effect}", effect=effect, message=message, detail=detail))
    return changes


def _persistent_pages(pools: Iterable[HugePages | NodeHugePages]) -> dict[int, int | None]:
    return {pool.size_bytes: None if pool.total is None else pool.total - (pool.surplus or 0) for pool in pools}


def distance_changes(pairs: NodePairs) -> list[Change]:
    """Tell which nodes are nearer or farther now."""
    moved = {
        (before.id, other): (before.distances[other], after.distances[other])
        for before, after in pairs.both
        if before.distances and after.distances
        for other in sorted(before.distances.keys() & after.distances.keys())
        if before.distances[other] != after.distances[other]
    }
    if not moved:
        return []
    # Both ways alike is said once.
    once = [pair for pair in moved if pair[0] <= pair[1] or moved.get((pair[1], pair[0])) != moved[pair]]
    said = [f"node {one} to {other} {moved[one, other][0]} -> {moved[one, other][1]}" for one, other in once]
    rows = [{"from": one, "to": other, "old": old, "new": new} for (one, other), (old, new) in moved.items()]
    message = f"distances: {listed(said)}"
    return [Change(code="distances-changed", effect=CHANGED, message=message, detail={"distances": rows})]
