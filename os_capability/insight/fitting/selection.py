# SPDX-License-Identifier: Apache-2.0
"""Which NUMA nodes of a machine to take, so many at a time, so that they meet a demand and lie near each other.

Trying every set of nodes would take for ever on a machine of many nodes where some have the CPUs and others the memory.
So the search for near ones stops after so many steps, and the nodes are added up one after the other instead: for each
number of CPUs that some nodes reach together, only those with the most memory are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import nlargest
from itertools import combinations, islice
from typing import NamedTuple

from os_capability.insight.fitting.capacity import NodeCapacity
from os_capability.insight.fitting.supply import Sums, Supply

__all__ = ["Nodes", "Selection"]

Nodes = tuple[NodeCapacity, ...]

# The largest that a firmware's table can hold; it also means "not reachable" (ACPI, System Locality Information Table).
_UNKNOWN_DISTANCE = 255
# To choose the nearest from: with more of them a machine of 128 nodes would be asked for a quarter of a second.
_ENOUGH_SETS = 8
_MOST_STEPS = 2000
_MOST_REMEMBERED = 500


class _Reached(NamedTuple):
    """Some nodes, and what they have in sum."""

    nodes: Nodes
    sums: Sums


class Selection:
    """Finds sets of nodes that meet one demand, of one number of nodes after the other."""

    __slots__ = ("_any", "_most", "_most_steps", "_near", "_steps", "_supply")

    def __init__(self, supply: Supply, near: NodeCapacity | None, most: int, *, most_steps: int = _MOST_STEPS) -> None:
        """Take `near` into every set, and no more than `most` nodes; look for near ones in `most_steps` or fewer."""
        self._supply = supply
        self._near = near
        self._most = most
        self._most_steps = most_steps
        self._steps = 0
        self._any: dict[int, Nodes] | None = None

    def nodes(self, size: int) -> Nodes | None:
        """Give `size` nodes that meet the demand, ``None`` where there are none; to be asked of ascending sizes."""
        every = self._supply.capacity.nodes
        seeds = every if self._near is None else (self._near,)
        if size == 1:
            return next(((seed,) for seed in seeds if self._supply.meets((seed,))), None)
        if size == len(every):
            nodes = (seeds[0], *_by_distance(every, seeds[0]))
            return nodes if self._supply.meets(nodes) else None
        if not self._supply.may_meet((), size) or (self._any is not None and size not in self._any):
            return None
        self._steps = self._most_steps
        grown = (self._grown((seed,), _by_distance(every, seed), size) for seed in seeds)
        found = min(islice(filter(None, grown), _ENOUGH_SETS), key=_spread, default=None)
        return found if found is not None or self._steps > 0 else self._any_nodes().get(size)

    def _grown(self, chosen: Nodes, others: Nodes, size: int) -> Nodes | None:
        """Give the first set of `size` nodes, `chosen` and some of `others`, that meets the demand."""
        self._steps -= 1
        if len(chosen) == size:
            return chosen if self._supply.meets(chosen) else None
        if not self._supply.may_meet(chosen, size - len(chosen)):
            return None
        for at, node in enumerate(others):
            if self._steps <= 0:
                return None
            nodes = self._grown((*chosen, node), others[at + 1 :], size)
            if nodes is not None:
                return nodes
        return None

    def _any_nodes(self) -> dict[int, Nodes]:
        """Give nodes that meet the demand by their number, wherever they lie."""
        if self._any is None:
            self._any = {}
            # Memory is enough by what is free, or by the room there is.
            for term in (_free, _room):
                for size, nodes in self._added_up(term):
                    self._any.setdefault(size, nodes)
        return self._any

    def _added_up(self, term: Callable[[Sums], int]) -> Iterator[tuple[int, Nodes]]:
        supply, near = self._supply, self._near
        start: Nodes = () if near is None else (near,)
        sums = supply.sums(start)
        reached: list[dict[tuple[int, ...], _Reached]] = [{} for _ in range(self._most + 1)]
        reached[len(start)][supply.cpus_towards(start, sums)] = _Reached(start, sums)
        for node in supply.capacity.nodes:
            if node is near or not any(supply.of(node)):
                continue
            for size in range(self._most, len(start), -1):
                larger = reached[size]
                for before in reached[size - 1].values():
                    nodes, sums = (*before.nodes, node), before.sums.plus(supply.of(node))
                    cpus = supply.cpus_towards(nodes, sums)
                    if cpus not in larger or term(larger[cpus].sums) < term(sums):
                        larger[cpus] = _Reached(nodes, sums)
                if len(larger) > _MOST_REMEMBERED:
                    best = nlargest(
                        _MOST_REMEMBERED, larger.items(), key=lambda pair: (sum(pair[0]), term(pair[1].sums))
                    )
                    reached[size] = dict(best)
        for size, sets in enumerate(reached):
            yield from ((size, found.nodes) for found in sets.values() if supply.meets(found.nodes))


def _free(sums: Sums) -> int:
    return sums.free


def _room(sums: Sums) -> int:
    return sums.room


def _by_distance(nodes: Nodes, seed: NodeCapacity) -> Nodes:
    return tuple(sorted((node for node in nodes if node is not seed), key=lambda node: _distance(seed, node)))


def _distance(one: NodeCapacity, other: NodeCapacity) -> int:
    return (one.distances or {}).get(other.id, _UNKNOWN_DISTANCE)


def _spread(nodes: Nodes) -> int:
    return sum(_distance(one, other) for one, other in combinations(nodes, 2))
