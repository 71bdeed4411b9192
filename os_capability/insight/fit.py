# SPDX-License-Identifier: Apache-2.0
"""Whether and where a machine can take a demand, or what it lacks.

A shared CPU is one CPU: nothing is overcommitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from os_capability.cpuset import CpuSet
from os_capability.insight.fitting.capacity import Capacity, NodeCapacity, UncountedMemory, capacity_of
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.placement import NodeShare, place
from os_capability.insight.fitting.shortage import Shortage, memory_shortage_unknown, shortages
from os_capability.model import Host

__all__ = ["Demand", "Fit", "NodeShare", "Shortage", "capacity_of", "fit", "fit_capacity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The answer: where the demand goes, or what the machine lacks.

    Attributes:
        fits: whether the demand fits for certain.
        answer: ``yes`` where it fits, ``no`` where it does not, ``unknown`` where it depends on what nobody tells.
        nodes: what each node gives, the device's node or the best first; empty when it does not fit.
        shortages: every constraint that fails, ``near`` aside.
        near_unknown: why there is no node near the device, ``None`` where there is one or none is asked for.
        left_out: memory that was not counted because it is no plain RAM, or not known to be.
        nodeless_memory_bytes: memory of the machine that none of its several nodes counts yet.
        unplaced_cpus: online CPUs that were not counted because they lie in no NUMA node, or in several.
        notes: what the answer does not consider, a sentence each.
    """

    fits: bool
    answer: Literal["yes", "no", "unknown"]
    nodes: tuple[NodeShare, ...]
    shortages: tuple[Shortage, ...]
    near_unknown: str | None
    left_out: tuple[UncountedMemory, ...]
    nodeless_memory_bytes: int
    unplaced_cpus: CpuSet
    notes: tuple[str, ...]


def fit(host: Host, demand: Demand, *, taken: CpuSet | None = None) -> Fit:
    """Tell whether and where `host` can take `demand`, the CPUs in `taken` being somebody's already."""
    return fit_capacity(capacity_of(host, taken=taken), demand)


def fit_capacity(capacity: Capacity, demand: Demand) -> Fit:
    """Tell whether and where a machine can take `demand`, its capacity being prepared once for many demands."""
    near = _near_node(capacity, demand)
    near_unknown = None if near is not None else _near_unknown(capacity, demand)
    placed = place(capacity, demand, near)
    lacking = _shortages(capacity, demand, near) if placed is None else ()
    fits = placed is not None and near_unknown is None
    refused = _has_no_device(capacity, demand) or any(shortage.short is not None for shortage in lacking)
    return Fit(
        fits=fits,
        answer="yes" if fits else "no" if refused else "unknown",
        nodes=placed if placed is not None and fits else (),
        shortages=lacking,
        near_unknown=near_unknown,
        left_out=capacity.left_out,
        nodeless_memory_bytes=capacity.nodeless_memory_bytes,
        unplaced_cpus=capacity.unplaced_cpus,
        notes=capacity.notes,
    )


def _shortages(capacity: Capacity, demand: Demand, near: NodeCapacity | None) -> tuple[Shortage, ...]:
    if not capacity.nodeless_memory_bytes or demand.hugepage_size_bytes is not None:
        return shortages(capacity, demand, near)
    # What is refused even then is refused for certain.
    best = capacity.at_best()
    near = None if near is None else _near_node(best, demand)
    if place(best, demand, near) is not None:
        return (memory_shortage_unknown(capacity, demand),)
    return shortages(best, demand, near)


def _near_node(capacity: Capacity, demand: Demand) -> NodeCapacity | None:
    wanted = None if demand.near_address is None else capacity.device_nodes.get(demand.near_address)
    return None if wanted is None else next((node for node in capacity.nodes if node.id == wanted), None)


def _has_no_device(capacity: Capacity, demand: Demand) -> bool:
    return demand.near_address is not None and demand.near_address not in capacity.device_nodes


def _near_unknown(capacity: Capacity, demand: Demand) -> str | None:
    """Tell why there is no node of the demand's device."""
    if demand.near_address is None:
        return None
    if _has_no_device(capacity, demand):
        return f"there is no PCI device {demand.near_address}"
    return f"unknown: the machine does not say to which NUMA node {demand.near_address} is attached"
