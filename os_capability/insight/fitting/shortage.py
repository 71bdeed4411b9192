# SPDX-License-Identifier: Apache-2.0
"""What a machine lacks for a demand it cannot take, and how much of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from os_capability.insight.fitting.capacity import Capacity, NodeCapacity
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.supply import Sums, Supply

__all__ = ["Shortage", "memory_shortage_unknown", "shortages"]

Nodes = tuple[NodeCapacity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A constraint that does not hold, and by how much.

    Attributes:
        constraint: ``pcpus``, ``vcpus``, ``memory_bytes`` or ``hugepages``, which is also the unit of the numbers.
        free: how much there is on `nodes`, ``None`` where that is unknown; at most so much where nodes do not count all
            of the machine's memory yet.
        withheld: how much more is free there but not for this: isolated CPUs, or reserved huge pages.
        short: with so much more on these nodes the constraint would hold; ``None`` where that is unknown.
        nodes: the ids of the nodes that come closest; empty where none has plain RAM, or huge pages of the size.
        alone: whether it fails whatever the rest of the demand is; else only together with the rest, on `nodes`.
        unknown_nodes: the ids of the nodes that do not tell the figure, and so might have it.
    """

    constraint: str
    needed: int
    free: int | None
    withheld: int
    short: int | None
    nodes: tuple[int, ...]
    alone: bool
    unknown_nodes: tuple[int, ...]


def shortages(capacity: Capacity, demand: Demand, near: NodeCapacity | None) -> tuple[Shortage, ...]:
    """Give every constraint that fails by itself, else those that fail on the nodes that come closest to the whole."""
    needed = _needed(demand)
    candidates = list(_candidates(capacity, demand, near))
    free = [(nodes, _free(supply, nodes, pcpus=0)) for supply, nodes in candidates]
    failing = []
    for constraint, number in needed.items():
        nodes, most = max(free, key=lambda pair, name=constraint: pair[1][name])  # type: ignore[misc]
        if most[constraint] < number:
            failing.append(_shortage(capacity, demand, constraint, most[constraint], nodes, alone=True))
    if failing:
        return tuple(failing)
    together = [(nodes, _free(supply, nodes, pcpus=demand.pcpus)) for supply, nodes in candidates]
    certain = [constraint for constraint in needed if not _unknown_nodes(capacity, demand, constraint)]
    nodes, left = min(together, key=lambda pair: _failing(pair[1], needed, certain))
    return tuple(
        _shortage(capacity, demand, constraint, left[constraint], nodes, alone=False)
        for constraint, number in needed.items()
        if left[constraint] < number
    )


def memory_shortage_unknown(capacity: Capacity, demand: Demand) -> Shortage:
    """Give the shortage of a demand that fits only if memory that no node counts yet lies where it is needed."""
    nodes = tuple(sorted(node.id for node in capacity.nodes if node.has_plain_ram))
    return Shortage(
        constraint="memory_bytes",
        needed=demand.memory_bytes,
        free=None,
        withheld=0,
        short=None,
        nodes=nodes,
        alone=True,
        unknown_nodes=nodes,
    )


def _failing(free: dict[str, int], needed: dict[str, int], certain: Sequence[str]) -> tuple[int, int]:
    """Give how many constraints fail for certain, and how many in all."""
    failing = [constraint for constraint, number in needed.items() if number > free[constraint]]
    return sum(constraint in certain for constraint in failing), len(failing)


def _needed(demand: Demand) -> dict[str, int]:
    memory = {"memory_bytes": demand.memory_bytes} if demand.hugepage_size_bytes is None else {}
    pages = {} if demand.hugepage_size_bytes is None else {"hugepages": demand.hugepages}
    return {"pcpus": demand.pcpus, "vcpus": demand.vcpus, **memory, **pages}


def _free(supply: Supply, nodes: Nodes, *, pcpus: int) -> dict[str, int]:
    """Give what `nodes` have towards each constraint, when `pcpus` CPUs of theirs are dedicated."""
    sums = supply.sums(nodes)
    used = supply.shared_used(nodes, max(0, min(pcpus, sums.dedicable) - sums.dedicable_isolated))
    memory = "memory_bytes" if supply.demand.hugepage_size_bytes is None else "hugepages"
    return {"pcpus": sums.dedicable, "vcpus": sums.sharable - used, memory: supply.memory(sums)}


def _candidates(capacity: Capacity, demand: Demand, near: NodeCapacity | None) -> Iterator[tuple[Supply, Nodes]]:
    """Give the sets of nodes that have the most of something; for one constraint alone one of them is the best."""
    size = min(demand.numa_nodes or len(capacity.nodes), len(capacity.nodes))
    first = () if near is None else (near,)
    others = [node for node in capacity.nodes if node is not near]
    for kind in capacity.kinds:
        supply = Supply(capacity, demand, kind)
        for amount in _AMOUNTS:
            yield supply, (*first, *_most(amount, others, supply)[: size - len(first)])


def _most(amount: Callable[[Sums], int], nodes: Iterable[NodeCapacity], supply: Supply) -> list[NodeCapacity]:
    return sorted(nodes, key=lambda node: amount(supply.of(node)), reverse=True)


# What dedicated CPUs, shared CPUs, and memory in its two terms are limited by.
_AMOUNTS: tuple[Callable[[Sums], int], ...] = (
    lambda sums: sums.dedicable,
    lambda sums: sums.sharable,
    lambda sums: sums.free,
    lambda sums: sums.room,
)


def _shortage(capacity: Capacity, demand: Demand, constraint: str, free: int, nodes: Nodes, *, alone: bool) -> Shortage:
    needed, unknown = _needed(demand)[constraint], _unknown_nodes(capacity, demand, constraint)
    return Shortage(
        constraint=constraint,
        needed=needed,
        free=None if unknown else free,
        withheld=0 if unknown else _withheld(capacity, demand, constraint, nodes),
        short=None if unknown else needed - free,
        nodes=_counted_nodes(capacity, demand, constraint, nodes),
        alone=alone,
        unknown_nodes=unknown,
    )


def _withheld(capacity: Capacity, demand: Demand, constraint: str, nodes: Nodes) -> int:
    size = demand.hugepage_size_bytes
    if constraint == "hugepages" and size is not None:
        pages = sum((node.free_pages or {}).get(size) or 0 for node in nodes)
        return min(pages, capacity.reserved_pages.get(size) or 0)
    if constraint == "vcpus":
        return sum(node.cores[kind, "prefer"].isolated_count for node in nodes for kind in capacity.kinds)
    return 0


def _counted_nodes(capacity: Capacity, demand: Demand, constraint: str, nodes: Nodes) -> tuple[int, ...]:
    """Give the ids of those of `nodes` that count; none where the whole machine has no such memory."""
    if constraint in ("memory_bytes", "hugepages"):
        size = demand.hugepage_size_bytes
        has_pages = size is None or capacity.has_pages_of(size)
        if not has_pages or not any(node.has_plain_ram for node in capacity.nodes):
            return ()
        nodes = tuple(node for node in nodes if node.has_plain_ram) or nodes
    return tuple(sorted(node.id for node in nodes))


def _unknown_nodes(capacity: Capacity, demand: Demand, constraint: str) -> tuple[int, ...]:
    """Give the nodes that might have more than they tell."""
    size = demand.hugepage_size_bytes
    unsure: Iterable[int] = ()
    if constraint == "hugepages" and size is not None:
        reserved_unknown = capacity.reserved_pages.get(size) is None
        unsure = (
            node.id
            for node in capacity.nodes
            if node.free_pages is None
            or (size in node.free_pages and (reserved_unknown or node.free_pages[size] is None))
        )
    elif constraint == "memory_bytes":
        rest_unknown = capacity.memory_available_bytes is None or capacity.memory_room_bytes is None
        unsure = (
            node.id
            for node in capacity.nodes
            if node.memory_free_bytes is None or (node.memory_free_bytes and rest_unknown)
        )
    elif constraint == "pcpus" and demand.cpu_threads != "prefer":
        unsure = (node.id for node in capacity.nodes if node.cores_unknown)
    return tuple(sorted(unsure))
