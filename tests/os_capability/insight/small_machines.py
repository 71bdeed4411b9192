# SPDX-License-Identifier: Apache-2.0
"""Machines small enough to try every placement on: a few cores on up to three nodes, memory of a few bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from os_capability import CpuSet, Host, collect
from os_capability.model import CpuKind, HugePages, Limits, NodeHugePages, NumaNode, PciDevice, Processor
from tests.os_capability.conftest import HOSTS


@dataclass(frozen=True, kw_only=True)
class Core:
    """A core of one kind with as many threads, numbered on from the core before it."""

    threads: int = 2
    kind: str | None = None


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node; huge pages, by their size, are all free."""

    cores: Sequence[Core] = ()
    total: int | None = 0
    free: int | None = 0
    kind: str | None = "dram"
    pages: Mapping[int, int | None] = field(default_factory=dict)
    distances: Mapping[int, int] | None = None


_TEMPLATE = collect(str(HOSTS / "x86_64-plain" / "root"), "sysfs")


def machine(
    *nodes: Node,
    isolated: str = "",
    offline: str = "",
    available: int | None = None,
    total: int | None = None,
    reserved: Mapping[int, int | None] | None = None,
    devices: Mapping[str, int | None] | None = None,
) -> Host:
    """Give a host with nodes 0, 1 ...; all memory is counted on a node, and what is free is available, unless said
    otherwise.
    """
    off = CpuSet.parse_list(offline)
    processors = tuple(_processors(nodes, off))
    online = CpuSet(cpu.id for cpu in processors if cpu.online)
    kinds = dict.fromkeys(cpu.kind for cpu in processors if cpu.kind)
    cpu = replace(
        _TEMPLATE.cpu,
        online=online,
        offline=off,
        present=online | off,
        isolated=CpuSet.parse_list(isolated),
        threads=len(online),
        processors=processors,
        kinds=tuple(
            CpuKind(name=kind, cpus=CpuSet(c.id for c in processors if c.kind == kind), threads_per_core=None)
            for kind in kinds
        ),
    )
    free = sum(node.free or 0 for node in nodes)
    totals = [node.total for node in nodes if node.total is not None]
    memory = replace(
        _TEMPLATE.memory,
        total_bytes=sum(totals) if total is None and len(totals) == len(nodes) else total,
        free_bytes=free,
        available_bytes=free if available is None else available,
    )
    sizes = sorted({size for node in nodes for size in node.pages})
    pools = tuple(
        HugePages(size_bytes=size, total=None, free=None, reserved=(reserved or {}).get(size, 0), surplus=0)
        for size in sizes
    )
    return replace(
        _TEMPLATE,
        cpu=cpu,
        memory=replace(memory, hugepages=pools),
        numa=replace(
            _TEMPLATE.numa,
            synthetic=False,
            nodes=tuple(_node(at, node, cpu.processors) for at, node in enumerate(nodes)),
        ),
        limits=Limits(),
        pci=tuple(_device(address, node) for address, node in (devices or {}).items()),
    )


def _processors(nodes: Sequence[Node], off: CpuSet) -> list[Processor]:
    processors: list[Processor] = []
    core_number = 0
    for node_id, node in enumerate(nodes):
        for core in node.cores:
            for _ in range(core.threads):
                cpu = len(processors)
                online = cpu not in off
                processors.append(
                    Processor(
                        id=cpu,
                        online=online,
                        core=core_number if online else None,
                        node=node_id,
                        kind=core.kind,
                    )
                )
            core_number += 1
    return processors


def _node(node_id: int, node: Node, processors: Sequence[Processor]) -> NumaNode:
    return NumaNode(
        id=node_id,
        cpus=CpuSet(cpu.id for cpu in processors if cpu.online and cpu.node == node_id),
        memory_total_bytes=node.total,
        memory_free_bytes=node.free,
        memory_kind=node.kind,
        memory_kind_evidence=None,
        hugepages=tuple(
            NodeHugePages(size_bytes=size, total=pages, free=pages, surplus=0) for size, pages in node.pages.items()
        ),
        distances=node.distances,
    )


def _device(address: str, node: int | None) -> PciDevice:
    return PciDevice(
        address=address,
        vendor_id=None,
        product_id=None,
        class_id="020000",
        kind="network",
        node=node,
        sriov=None,
        physical_function=None,
        sriov_total_vfs=None,
        sriov_num_vfs=None,
        driver=None,
        iommu_group=None,
    )
