# SPDX-License-Identifier: Apache-2.0
"""Reads the NUMA nodes: their memory and what it is made of, huge pages and distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from os_capability.cpuset import CpuSet
from os_capability.linux import paths
from os_capability.linux.cpuinfo import CpuIdentity
from os_capability.linux.hugepages import node_default_pool, parse_pool_size
from os_capability.linux.meminfo import parse_memory
from os_capability.linux.node import parse_distances
from os_capability.linux.sources import Sources
from os_capability.linux.topology import Placement
from os_capability.model import Memory, NodeHugePages, NumaNode, NumaTopology
from os_capability.whole_machine import whole_machine

__all__ = ["read_topology", "refresh_topology"]


def read_topology(sources: Sources, placement: Placement, memory: Memory, identity: CpuIdentity) -> NumaTopology:
    """Read the nodes; a machine that tells of none has one, node 0, with everything."""
    node_cpus = placement.node_cpus
    if not node_cpus:
        return whole_machine(placement.online, memory)
    node_ids = sorted(node_cpus)
    nodes = []
    for node in node_ids:
        folder = f"{paths.NODE}/node{node}"
        pools = sources.entries(f"{folder}/hugepages") or ()
        sizes = sorted(size for size in map(parse_pool_size, pools) if size is not None)
        distances = sources.text(f"{folder}/distance")
        table = None if distances is None else parse_distances(distances, node_ids)
        nodes.append(_read_node(sources, node, node_cpus[node], table, sizes, memory))
    return NumaTopology(synthetic=False, nodes=_with_memory_kinds(sources, nodes, identity))


def _with_memory_kinds(sources: Sources, nodes: Sequence[NumaNode], identity: CpuIdentity) -> tuple[NumaNode, ...]:
    if sources.entries(paths.DAX_DEVICES) or any(node.memory_total_bytes and not node.cpus for node in nodes):
        # Few machines have memory that is anything but RAM; the others need not load what judges it.
        from os_capability.linux.readers.memory_kind import with_memory_kinds

        return with_memory_kinds(sources, nodes, identity)
    return tuple(
        replace(node, memory_kind="dram", memory_kind_evidence="it has CPUs") if node.memory_total_bytes else node
        for node in nodes
    )


def refresh_topology(sources: Sources, topology: NumaTopology, memory: Memory) -> NumaTopology:
    """Read again what moves by itself; CPUs, distances, kinds of memory and the sizes of huge pages there are stay."""
    if topology.synthetic:
        return whole_machine(topology.nodes[0].cpus, memory)
    nodes = []
    for node in topology.nodes:
        sizes = [pool.size_bytes for pool in node.hugepages or ()]
        now = _read_node(sources, node.id, node.cpus, node.distances, sizes, memory)
        if now.memory_total_bytes:
            now = replace(now, memory_kind=node.memory_kind, memory_kind_evidence=node.memory_kind_evidence)
        nodes.append(now)
    return NumaTopology(synthetic=False, nodes=tuple(nodes))


def _read_node(
    sources: Sources,
    node: int,
    cpus: CpuSet,
    distances: Mapping[int, int] | None,
    pool_sizes: Sequence[int],
    memory: Memory,
) -> NumaNode:
    folder = f"{paths.NODE}/node{node}"
    meminfo = sources.parsed(f"{folder}/meminfo", parse_memory) or {}
    return NumaNode(
        id=node,
        cpus=cpus,
        memory_total_bytes=meminfo.get("MemTotal"),
        memory_free_bytes=meminfo.get("MemFree"),
        memory_kind=None,
        memory_kind_evidence=None,
        hugepages=_read_pools(sources, f"{folder}/hugepages", pool_sizes) or _default_pools(meminfo, memory),
        distances=distances,
    )


def _read_pools(sources: Sources, folder: str, sizes: Sequence[int]) -> tuple[NodeHugePages, ...]:
    pools = []
    for size in sizes:
        pool = f"{folder}/hugepages-{size // 1024}kB"
        total = sources.count(f"{pool}/nr_hugepages")
        free = sources.count(f"{pool}/free_hugepages")
        surplus = sources.count(f"{pool}/surplus_hugepages")
        if (total, free, surplus) != (None, None, None):
            pools.append(NodeHugePages(size_bytes=size, total=total, free=free, surplus=surplus))
    return tuple(pools)


def _default_pools(meminfo: Mapping[str, int], memory: Memory) -> tuple[NodeHugePages, ...] | None:
    """Give the one pool that kernels before 2.6.32, without such folders, tell of in the node's meminfo."""
    default_size = memory.hugepages[0].size_bytes if memory.hugepages and len(memory.hugepages) == 1 else None
    pool = node_default_pool(meminfo, default_size)
    return None if pool is None else (pool,)
