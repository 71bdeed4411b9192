# SPDX-License-Identifier: Apache-2.0
"""Host -> ComputeHost: the one place where facts become the columns of ``compute_host``.

Bytes become MiB and KiB here and nowhere else. The names are those of Nova's ``compute_nodes``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from host_agent.errors import InvalidRecord
from os_capability import Host
from os_capability.model import Cpu, NodeHugePages, NumaTopology, Processor

__all__ = ["ComputeHost", "Identity", "compute_host", "facts_digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this host is.

    Attributes:
        uuid: the one kept on disk; it never changes.
        host: the name other tables refer to; it does not follow a rename.
        host_ip: the address other hosts reach this one at.
    """

    uuid: str
    host: str
    host_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeHost:
    """One row of ``compute_host``, less what the store fills in itself.

    Attributes are columns. ``sequence`` is microseconds from the boot to the collection; ``*_mb`` is MiB, ``*_kb`` KiB,
    ``*_gb`` GiB; ``None`` is not measured. ``cpu_info``, ``numa_topology`` and ``facts`` are JSON text.

    Raises:
        InvalidRecord: the host has no CPU, which is a failed collection and no fact.
    """

    uuid: str
    host: str
    host_ip: str
    hostname: str
    hypervisor_hostname: str
    boot_id: str | None
    agent_version: str
    facts_digest: str
    facts: str
    machine_id: str | None
    product_uuid: str | None
    sequence: int

    vcpus: int
    total_cpu: float
    memory_mb: int | None
    mem_total_kb: int | None
    mem_free_kb: int | None
    mem_available_kb: int | None
    buffers_kb: int | None
    cached_kb: int | None
    cpu_info: str
    numa_topology: str
    architecture: str | None
    os_type: str | None
    os: str | None
    kernel_version: str | None

    hypervisor_type: str | None = None
    hypervisor_version: int | None = None
    vcpus_used: int | None = None
    memory_mb_used: int | None = None
    free_ram_mb: int | None = None
    local_gb: int | None = None
    local_gb_used: int | None = None
    free_disk_gb: int | None = None
    disk_available_least: int | None = None
    running_vms: int | None = None
    current_workload: int | None = None
    supported_instances: str | None = None
    metrics: str | None = None
    pci_stats: str | None = None
    extra_resources: str | None = None
    stats: str | None = None
    cpu_allocation_ratio: float | None = None
    ram_allocation_ratio: float | None = None
    disk_allocation_ratio: float | None = None
    used_cpu: float | None = None
    no_of_containers: int | None = None
    running_containers: int | None = None
    paused_containers: int | None = None
    stopped_containers: int | None = None
    labels: str | None = None
    runtimes: str | None = None
    enable_cpu_pinning: bool | None = None
    disk_quota_supported: bool | None = None

    def __post_init__(self) -> None:
        if self.vcpus < 1:
            raise InvalidRecord(f"{self.host}: the facts name no online CPU; the stored row is left as it is")


def compute_host(facts: Host, identity: Identity, agent_version: str, sequence: int) -> ComputeHost:
    """Make the row of a host: sizes in MiB and KiB rounded down, ``vcpus`` the online threads.

    Args:
        facts: what the host can give.
        identity: who it is.
        agent_version: who says so.
        sequence: microseconds since the boot when `facts` were collected.

    Raises:
        InvalidRecord: the facts name no online CPU.
    """
    document = facts.to_dict()
    name = facts.hostname or identity.host
    memory = facts.memory
    return ComputeHost(
        uuid=identity.uuid,
        host=identity.host,
        host_ip=identity.host_ip,
        hostname=name,
        hypervisor_hostname=name,
        boot_id=facts.boot_id,
        agent_version=agent_version,
        facts_digest=facts_digest(document),
        facts=_json(document),
        machine_id=facts.machine_id,
        product_uuid=facts.product_uuid,
        sequence=sequence,
        vcpus=facts.cpu.threads,
        total_cpu=float(facts.cpu.threads),
        memory_mb=_units(_ram_bytes(facts), 1024**2),
        mem_total_kb=_units(memory.total_bytes, 1024),
        mem_free_kb=_units(memory.free_bytes, 1024),
        mem_available_kb=_units(memory.available_bytes, 1024),
        buffers_kb=_units(memory.buffers_bytes, 1024),
        cached_kb=_units(memory.cached_bytes, 1024),
        cpu_info=_cpu_info(facts),
        numa_topology=_numa_topology(facts.numa),
        architecture=facts.system.architecture,
        os_type=facts.system.os_type,
        os=facts.system.os,
        kernel_version=facts.system.kernel,
    )


def _ram_bytes(facts: Host) -> int | None:
    """Give the memory but for nodes where it is no plain RAM, or not known to be: Nova places on every MiB."""
    total = facts.memory.total_bytes
    if total is None:
        return None
    others = (node for node in facts.numa.nodes if not node.is_plain_ram)
    return max(0, total - sum(node.memory_total_bytes or 0 for node in others))


def _units(size_bytes: int | None, unit_bytes: int) -> int | None:
    return None if size_bytes is None else size_bytes // unit_bytes


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _cpu_info(facts: Host) -> str:
    cpu = facts.cpu
    return _json(
        {
            "arch": facts.system.architecture,
            "model": cpu.model,
            "vendor": cpu.vendor,
            "features": None if cpu.flags is None else list(cpu.flags),
            "topology": _topology(cpu, facts.numa),
        }
    )


def _topology(cpu: Cpu, numa: NumaTopology) -> dict[str, int | None]:
    """Give Nova's topology: sockets of each cell, cores of each socket, threads of each core.

    Readers multiply these four to get CPUs, as libvirt does. So a number is given only where it holds for every
    cell, socket or core; on a machine with four nodes in one socket, or a node without CPUs, there is no such number.
    """
    online = [processor for processor in cpu.processors if processor.online]
    sockets_by_node = [(p.node, _socket(p)) for p in online]
    memory_only = any(not node.cpus for node in numa.nodes)
    return {
        "cells": len(numa.nodes),
        "sockets": None if memory_only else _each_has(sockets_by_node),
        "cores": _each_has((_socket(p), p.core) for p in online),
        "threads": _each_has((p.core, p.id) for p in online),
    }


def _socket(processor: Processor) -> Hashable:
    # s390 counts sockets anew in each book, and books in each drawer.
    return None if processor.socket is None else (processor.drawer, processor.book, processor.socket)


def _each_has(pairs: Iterable[tuple[Hashable, Hashable]]) -> int | None:
    """Count the parts of each whole; ``None`` unless all wholes have as many, and no part belongs to two."""
    parts = defaultdict(set)
    for whole, part in pairs:
        if whole is None or part is None:
            return None
        parts[whole].add(part)
    counts = {len(members) for members in parts.values()}
    owners = Counter(part for members in parts.values() for part in members)
    return counts.pop() if len(counts) == 1 and set(owners.values()) == {1} else None


def _numa_topology(numa: NumaTopology) -> str:
    nodes = [
        {
            "id": node.id,
            "cpuset": str(node.cpus),
            "pinned_cpus": None,
            "memory_total_bytes": node.memory_total_bytes,
            "memory_available_bytes": None,
            "hugepages": None if node.hugepages is None else [_hugepages(pool) for pool in node.hugepages],
        }
        for node in numa.nodes
    ]
    return _json({"nodes": nodes})


def _hugepages(pool: NodeHugePages) -> dict[str, int | None]:
    used = None if pool.total is None or pool.free is None else pool.total - pool.free
    return {"size_bytes": pool.size_bytes, "total": pool.total, "used": used}


# What moves by itself while the machine stays the same. Narrow columns of the row carry the figures that matter,
# and are written every time; if they counted here, the wide document would be written every time as well.
# reserved, surplus: counts of huge pages that rise and fall with every process that maps some.
# product_uuid: only root is shown it, so that root's `once` and the service would take turns.
# memory_total_bytes of a node: Firecracker guests (kernel 6.18 seen) count a page once it is first touched, so that
# it grows for as long as they run. Memory plugged in or out shows in memory.total_bytes, which does count.
_VOLATILE = frozenset(
    {
        "collected_at",
        "uptime_seconds",
        "load_average",
        "users",
        "slab_reclaimable_bytes",
        "shmem_bytes",
        "reserved",
        "surplus",
        "memory_total_bytes",
        "product_uuid",
    }
)
_VOLATILE_WORDS = frozenset({"free", "available", "buffers", "cached"})
# A warning that tells of a move between two readings, not of the machine; the moved facts count themselves.
_VOLATILE_WARNING = "topology-changed"


def facts_digest(document: Mapping[str, object]) -> str:
    """Give the SHA-256 (64 hex digits) of a document without what moves by itself.

    Left out at any depth: the moment of collection, uptime, load, users, every figure of free, available, buffered or
    cached memory, the product uuid, and the warning that something moved since the last reading.
    """
    text = json.dumps(_settled(document), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _settled(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _settled(item) for key, item in value.items() if not _is_volatile(key, item)}
    if isinstance(value, (list, tuple)):
        return [_settled(item) for item in value if not _tells_of_a_move(item)]
    return value


def _tells_of_a_move(item: object) -> bool:
    return isinstance(item, Mapping) and item.get("code") == _VOLATILE_WARNING


def _is_volatile(key: str, value: object) -> bool:
    if key in _VOLATILE:
        return True
    # Figures only: `available_estimated` is a property of the kernel, and a vulnerability's name may hold any word.
    is_figure = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    return is_figure and not _VOLATILE_WORDS.isdisjoint(key.split("_"))
