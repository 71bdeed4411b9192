# SPDX-License-Identifier: Apache-2.0
"""Reads the NUMA nodes: their memory, huge pages and distances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.linux import paths
from os_capability.linux.hugepages import node_default_pool, parse_pool_size
from os_capability.linux.meminfo import parse_meminfo
from os_capability.linux.node import parse_distances
from os_capability.linux.sources import Sources
from os_capability.linux.topology import Placement
from os_capability.model import Memory, NodeHugePages, NumaNode, NumaTopology

__all__ = ["read_topology", "refresh_topology"]


def read_topology(sources: Sources, placement: Placement, memory: Memory) -> NumaTopology:
    """Read the nodes; a machine that tells of none has one, node 0, with everything."""
    node_cpus = placement.node_cpus
    if not node_cpus:
        return NumaTopology(synthetic=True, nodes=(_whole_machine(placement.online, memory),))
    node_ids = sorted(node_cpus)
    nodes = []
    for node in node_ids:
        moving = _read_moving(sources, node, _default_pool_size(memory))
        distances = sources.text(f"{paths.NODE}/node{node}/distance")
        nodes.append(
            NumaNode(
                id=node,
                cpus=node_cpus[node],
                memory_total_bytes=moving.total_bytes,
                memory_free_bytes=moving.free_bytes,
                memory_kind=None,
                hugepages=moving.hugepages,
                distances=None if distances is None else parse_distances(distances, node_ids),
            )
        )
    return NumaTopology(synthetic=False, nodes=tuple(nodes))


def refresh_topology(sources: Sources, topology: NumaTopology, memory: Memory) -> NumaTopology:
    """Read again what moves by itself; CPUs and distances stay."""
    if topology.synthetic:
        return replace(topology, nodes=(_whole_machine(topology.nodes[0].cpus, memory),))
    default_size = _default_pool_size(memory)
    nodes = []
    for node in topology.nodes:
        moving = _read_moving(sources, node.id, default_size)
        nodes.append(
            replace(
                node,
                memory_total_bytes=moving.total_bytes,
                memory_free_bytes=moving.free_bytes,
                hugepages=moving.hugepages,
            )
        )
    return replace(topology, nodes=tuple(nodes))


def _whole_machine(online: CpuSet, memory: Memory) -> NumaNode:
    pools = memory.hugepages
    return NumaNode(
        id=0,
        cpus=online,
        memory_total_bytes=memory.total_bytes,
        memory_free_bytes=memory.free_bytes,
        memory_kind=None,
        hugepages=None
        if pools is None
        else tuple(
            NodeHugePages(size_bytes=p.size_bytes, total=p.total, free=p.free, surplus=p.surplus) for p in pools
        ),
        distances=None,
    )


class _Moving(NamedTuple):
    """What changes on a node while its topology stays."""

    total_bytes: int | None
    free_bytes: int | None
    hugepages: tuple[NodeHugePages, ...] | None


def _read_moving(sources: Sources, node: int, default_size: int | None) -> _Moving:
    folder = f"{paths.NODE}/node{node}"
    meminfo = sources.parsed(f"{folder}/meminfo", parse_meminfo) or {}
    return _Moving(meminfo.get("MemTotal"), meminfo.get("MemFree"), _read_pools(sources, folder, meminfo, default_size))


def _read_pools(
    sources: Sources, folder: str, meminfo: Mapping[str, int], default_size: int | None
) -> tuple[NodeHugePages, ...] | None:
    pools = []
    for name in sources.names(f"{folder}/hugepages"):
        size = parse_pool_size(name)
        if size is not None:
            pools.append(
                NodeHugePages(
                    size_bytes=size,
                    total=sources.count(f"{folder}/hugepages/{name}/nr_hugepages"),
                    free=sources.count(f"{folder}/hugepages/{name}/free_hugepages"),
                    surplus=sources.count(f"{folder}/hugepages/{name}/surplus_hugepages"),
                )
            )
    if pools:
        return tuple(sorted(pools, key=lambda pool: pool.size_bytes))
    default = node_default_pool(meminfo, default_size)
    return None if default is None else (default,)


def _default_pool_size(memory: Memory) -> int | None:
    return memory.hugepages[0].size_bytes if memory.hugepages and len(memory.hugepages) == 1 else None
