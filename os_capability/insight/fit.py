# SPDX-License-Identifier: Apache-2.0
"""Whether and where a machine can take a demand, or what it lacks.

A shared CPU is one CPU: nothing is overcommitted.
"""

from __future__ import annotations

from dataclasses import dataclass

from os_capability.cpuset import CpuSet
from os_capability.insight.fitting.capacity import Capacity, NodeCapacity, NodeMemory, capacity_of
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.placement import NodeShare, place
from os_capability.insight.fitting.shortage import Shortage, shortages
from os_capability.model import Host

__all__ = ["Demand", "Fit", "NodeShare", "Shortage", "capacity_of", "fit", "fit_capacity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The answer: where the demand goes, or what the machine lacks.

    Attributes:
        nodes: what each node gives, the device's node or the best first; empty when it does not fit.
        shortages: every constraint that fails, ``near`` aside.
        near_unknown: why there is no node near the device, ``None`` where there is one or none is asked for.
        left_out: memory that was not counted because it is no plain RAM, or not known to be.
        unplaced_cpus: online CPUs that were not counted because they lie in no NUMA node, or in several.
    """

    fits: bool
    nodes: tuple[NodeShare, ...]
    shortages: tuple[Shortage, ...]
    near_unknown: str | None
    left_out: tuple[NodeMemory, ...]
    unplaced_cpus: CpuSet


def fit(host: Host, demand: Demand, *, taken: CpuSet | None = None) -> Fit:
    """Tell whether and where `host` can take `demand`, the CPUs in `taken` being somebody's already."""
    return fit_capacity(capacity_of(host, taken=taken), demand)


def fit_capacity(capacity: Capacity, demand: Demand) -> Fit:
    """Tell whether and where a machine can take `demand`, its capacity being prepared once for many demands."""
    near, near_unknown = _near(capacity, demand)
    placed = place(capacity, demand, near)
    return Fit(
        fits=placed is not None and near_unknown is None,
        nodes=placed if placed is not None and near_unknown is None else (),
        shortages=shortages(capacity, demand, near) if placed is None else (),
        near_unknown=near_unknown,
        left_out=capacity.left_out,
        unplaced_cpus=capacity.unplaced_cpus,
    )


def _near(capacity: Capacity, demand: Demand) -> tuple[NodeCapacity | None, str | None]:
    """Give the node of the demand's device, or why there is none."""
    address = demand.near_address
    if address is None:
        return None, None
    if address not in capacity.device_nodes:
        return None, f"there is no PCI device {address}"
    wanted = capacity.device_nodes[address]
    node = next((node for node in capacity.nodes if node.id == wanted), None)
    return node, f"unknown: the machine does not say to which NUMA node {address} is attached" if node is None else None
