# SPDX-License-Identifier: Apache-2.0
"""Reads what shows of what the memory of each NUMA node is made; loaded where there may be other memory than RAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from os_capability.linux import memory_kind, paths
from os_capability.linux.cpuinfo import CpuIdentity
from os_capability.linux.memory_kind import DaxDevice, MemoryKind, NodeMemory
from os_capability.linux.sources import Sources
from os_capability.model import NumaNode
from os_capability.number import numbered

__all__ = ["with_memory_kinds"]


def with_memory_kinds(sources: Sources, nodes: Sequence[NumaNode], cpu: CpuIdentity) -> tuple[NumaNode, ...]:
    """Give the nodes with the kind of their memory; a node without memory, or whose memory is not known, has none."""
    memory = _read_memory(sources, [node for node in nodes if node.memory_total_bytes])
    bandwidth = memory_kind.plain_bandwidth(memory.values())
    mcdram = memory_kind.has_mcdram(cpu.vendor, cpu.family, cpu.model_number)
    kinds = {node: memory_kind.judge(evidence, bandwidth, mcdram=mcdram) for node, evidence in memory.items()}
    return tuple(_with_kind(node, kinds.get(node.id)) for node in nodes)


def _with_kind(node: NumaNode, kind: MemoryKind | None) -> NumaNode:
    return node if kind is None else replace(node, memory_kind=kind.kind, memory_kind_evidence=kind.evidence)


def _read_memory(sources: Sources, nodes: Sequence[NumaNode]) -> dict[int, NodeMemory]:
    dax, gpus, regions = _read_dax(sources), _read_gpus(sources), _read_cxl_regions(sources)
    return {
        node.id: _read_node(sources, node, regions)._replace(gpu=gpus.get(node.id), dax=dax.get(node.id, ()))
        for node in nodes
    }


def _read_node(sources: Sources, node: NumaNode, regions: Mapping[int, str]) -> NodeMemory:
    folder = f"{paths.NODE}/node{node.id}"
    names = () if node.cpus else sources.entries(folder) or ()
    return NodeMemory(
        total_bytes=node.memory_total_bytes or 0,
        # A CPU that is off is not among the node's CPUs, but is one all the same.
        has_cpus=bool(node.cpus or sources.mask(f"{folder}/cpumap") or numbered(names, "cpu")),
        cxl_region=next((regions[block] for block in numbered(names, "memory") if block in regions), None),
        read_bandwidth=_read_bandwidth(sources, folder),
    )


def _read_bandwidth(sources: Sources, folder: str) -> int | None:
    # access0, before Linux 5.10 the only one, may tell of a device's access; access1 is of CPUs alone.
    for access in ("access1", "access0"):
        megabytes = sources.count(f"{folder}/{access}/initiators/read_bandwidth")
        if megabytes is not None:
            return megabytes
    return None


def _read_dax(sources: Sources) -> dict[int, tuple[DaxDevice, ...]]:
    """Read the DAX devices that the kernel uses as memory, by node; the others are files to programs, not memory."""
    found: dict[int, tuple[DaxDevice, ...]] = {}
    for name in sorted(sources.entries(paths.DAX_DEVICES) or ()):
        folder = f"{paths.DAX_DEVICES}/{name}"
        driver = sources.link(f"{folder}/driver")
        target = memory_kind.parse_number(sources.text(f"{folder}/target_node"))
        if target is not None and driver is not None and driver.endswith("/kmem"):
            medium = memory_kind.dax_medium(sources.link(folder) or "")
            size = memory_kind.parse_number(sources.text(f"{folder}/size"))
            found[target] = (*found.get(target, ()), DaxDevice(name, medium, size))
    return found


def _read_gpus(sources: Sources) -> dict[int, str]:
    """Read the NVIDIA GPUs whose memory is a node's: node -> PCI address."""
    found = {}
    for address in sorted(sources.entries(paths.NVIDIA_GPUS) or ()):
        node = memory_kind.parse_gpu_node(sources.text(f"{paths.NVIDIA_GPUS}/{address}/numa_status") or "")
        if node is not None:
            found[node] = address
    return found


def _read_cxl_regions(sources: Sources) -> dict[int, str]:
    """Read the CXL regions by the memory block in which they begin.

    Those that the firmware has set up as ordinary memory have no DAX device; their addresses alone tell of their node.
    """
    names = [name for name in sources.entries(paths.CXL_DEVICES) or () if name.startswith("region")]
    block_size = memory_kind.parse_number(sources.text(paths.MEMORY_BLOCK_SIZE), 16) if names else None
    if not block_size:
        return {}
    found = {}
    for name in sorted(names):
        start = memory_kind.parse_number(sources.text(f"{paths.CXL_DEVICES}/{name}/resource"), 16)
        if start is not None:
            found[start // block_size] = name
    return found
