# SPDX-License-Identifier: Apache-2.0
"""Hosts and records for tests, as large as wanted: nodes x sockets x cores x threads."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from host_agent.record import ComputeHost, Identity, compute_host
from os_capability import CpuSet, Host, NumaTopology
from os_capability.model import (
    Cpu,
    HugePages,
    Limits,
    Memory,
    NodeHugePages,
    NumaNode,
    Processor,
    Smt,
    System,
)

GIB = 1024**3


def uuid(number: int = 1) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def record(
    number: int = 1, *, name: str = "node", facts: Host | None = None, sequence: int = 1, **changes: Any
) -> ComputeHost:
    """Give the record of host `number`, whose names and identifiers end in that number."""
    identity = Identity(uuid=uuid(number), host=f"{name}-{number}", host_ip="192.0.2.1")
    host = replace(
        facts or machine(),
        hostname=f"{name}-{number}",
        machine_id=f"{number:032d}",
        product_uuid=f"66666666-7777-4888-8999-{number:012d}",
    )
    return replace(compute_host(host, identity, "0.1.0", sequence), **changes)


def machine(*, nodes: int = 2, cores: int = 2, threads: int = 2, free_bytes: int = GIB, flag: str = "sse2") -> Host:
    """Give a machine of one socket for each NUMA node."""
    processors = tuple(
        Processor(id=cpu, online=True, core=cpu // threads, core_id=cpu // threads, socket=node, node=node)
        for node in range(nodes)
        for cpu in range(node * cores * threads, (node + 1) * cores * threads)
    )
    return Host(
        collected_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        hostname="node-1",
        machine_id="0123456789abcdef0123456789abcdef",
        product_uuid="66666666-7777-4888-8999-aaaaaaaaaaaa",
        boot_id="11111111-2222-4333-8444-555555555555",
        system=_system(),
        cpu=cpu_of(processors, flag),
        memory=_memory(nodes, free_bytes),
        numa=NumaTopology(synthetic=False, nodes=tuple(_node(node, processors, nodes) for node in range(nodes))),
        limits=Limits(cgroup_version=2, cpus=None, cpu_quota=None, memory_bytes=None, affinity=None),
        pci=None,
        warnings=(),
    )


def cpu_of(processors: tuple[Processor, ...], flag: str = "sse2") -> Cpu:
    online = [processor for processor in processors if processor.online]
    present = CpuSet(processor.id for processor in processors)
    return Cpu(
        vendor="GenuineIntel",
        model="Intel Xeon Processor (Skylake)",
        family="6",
        microcode=None,
        flags=("fpu", "vme", flag),
        possible=present,
        present=present,
        online=CpuSet(processor.id for processor in online),
        offline=present - CpuSet(processor.id for processor in online),
        isolated=CpuSet(),
        nohz_full=None,
        sockets=len({processor.socket for processor in online}),
        cores=len({processor.core for processor in online}),
        threads=len(online),
        smt=Smt(control="on", active=True),
        kinds=(),
        processors=processors,
        caches=None,
        vulnerabilities={"spectre_v2": "Mitigation: free of charge"},
    )


def _system() -> System:
    return System(
        os_type="linux",
        os="Debian GNU/Linux 12",
        kernel="6.1.0-18-amd64",
        architecture="x86_64",
        virtualization=None,
        boot_time=datetime(2026, 1, 1, tzinfo=timezone.utc),
        uptime_seconds=97445.25,
        load_average=(0.5, 0.25, 0.125),
        users=1,
        view="host",
        container=None,
        view_evidence=None,
    )


def _memory(nodes: int, free_bytes: int) -> Memory:
    return Memory(
        total_bytes=nodes * 4 * GIB,
        free_bytes=free_bytes,
        available_bytes=free_bytes + 5 * 1024,
        available_estimated=False,
        buffers_bytes=7 * 1024,
        cached_bytes=9 * 1024,
        slab_reclaimable_bytes=1024,
        shmem_bytes=2048,
        swap_total_bytes=GIB,
        swap_free_bytes=GIB,
        hugepages=(HugePages(size_bytes=2048 * 1024, total=8 * nodes, free=5 * nodes, reserved=1, surplus=0),),
    )


def _node(node: int, processors: tuple[Processor, ...], nodes: int) -> NumaNode:
    return NumaNode(
        id=node,
        cpus=CpuSet(processor.id for processor in processors if processor.node == node),
        memory_total_bytes=4 * GIB,
        memory_free_bytes=GIB,
        memory_kind=None,
        memory_kind_evidence=None,
        hugepages=(NodeHugePages(size_bytes=2048 * 1024, total=8, free=5, surplus=0),),
        distances={other: 10 if other == node else 21 for other in range(nodes)},
    )
