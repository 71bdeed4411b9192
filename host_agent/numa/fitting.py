# SPDX-License-Identifier: Apache-2.0
"""Which NUMA nodes take a demand beside all that workloads hold: the library's answer over what is left."""

from __future__ import annotations

from collections.abc import Iterable

from host_agent.numa.cell import NumaCell
from os_capability import CpuSet
from os_capability.insight.fit import Demand, fit_capacity
from os_capability.insight.fitting.capacity import THREAD_POLICIES, Capacity, Cores, NodeCapacity

__all__ = ["fitting_nodes"]


def fitting_nodes(cells: Iterable[NumaCell], demand: Demand) -> frozenset[int] | None:
    """Give the ids of the nodes that take `demand`, as few as can be; ``None`` where none can for certain."""
    # As in the library: nodes with CPUs first, the smaller before the larger, so that the first that fits is the best.
    nodes = sorted((_left(cell) for cell in cells), key=lambda node: (not _cpus(node), _cpus(node), node.id))
    capacity = Capacity(
        nodes=tuple(nodes),
        kinds=(None,),
        memory_available_bytes=None,
        memory_room_bytes=None,
        nodeless_memory_bytes=0,
        # What the operator keeps has left the nodes' free pages already.
        reserved_pages={size: 0 for node in nodes for size in node.free_pages or {}},
        device_nodes={},
        left_out=(),
        unplaced_cpus=CpuSet(),
        notes=(),
    )
    answer = fit_capacity(capacity, demand)
    return frozenset(share.node for share in answer.nodes) if answer.fits else None


def _left(cell: NumaCell) -> NodeCapacity:
    pinnable = cell.free_cpus
    floating = cell.floating_cpus - (cell.pinned_cpus or CpuSet())
    # To the library, isolated CPUs are those that nothing floats over; one core stands for all of a node.
    alone, either = pinnable - floating, pinnable & floating
    cores = Cores(isolated=(alone,), shared=(either,), isolated_count=len(alone), shared_count=len(either))
    is_plain_ram = cell.memory_kind in (None, "dram")
    return NodeCapacity(
        id=cell.id,
        cores={(None, policy): cores for policy in THREAD_POLICIES},
        shared_cpus=floating,
        shared_count=len(floating),
        cores_unknown=False,
        has_plain_ram=is_plain_ram and cell.memory_total_bytes != 0,
        memory_free_bytes=cell.memory_available_bytes if is_plain_ram else 0,
        memory_room_bytes=cell.memory_available_bytes if is_plain_ram else 0,
        free_pages=_free_pages(cell) if is_plain_ram else {},
        distances=None,
    )


def _free_pages(cell: NumaCell) -> dict[int, int | None] | None:
    return None if cell.hugepages is None else {pool.size_bytes: pool.free for pool in cell.hugepages}


def _cpus(node: NodeCapacity) -> int:
    return len(node.shared_cpus) + node.cores[None, "prefer"].isolated_count
