# SPDX-License-Identifier: Apache-2.0
"""The one node that stands for a machine whose system tells of no NUMA nodes."""

from __future__ import annotations

from os_capability.cpuset import CpuSet
from os_capability.model import Memory, NodeHugePages, NumaNode, NumaTopology

__all__ = ["whole_machine"]


def whole_machine(online: CpuSet, memory: Memory) -> NumaTopology:
    """Give the topology with node 0, which holds all online CPUs and all memory, taken for plain RAM."""
    pools = memory.hugepages
    node = NumaNode(
        id=0,
        cpus=online,
        memory_total_bytes=memory.total_bytes,
        memory_free_bytes=memory.free_bytes,
        memory_kind="dram" if memory.total_bytes else None,
        memory_kind_evidence="the kernel tells of no nodes" if memory.total_bytes else None,
        hugepages=None
        if pools is None
        else tuple(
            NodeHugePages(size_bytes=pool.size_bytes, total=pool.total, free=pool.free, surplus=pool.surplus)
            for pool in pools
        ),
        distances=None,
    )
    return NumaTopology(synthetic=True, nodes=(node,))
