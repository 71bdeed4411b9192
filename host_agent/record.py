# SPDX-License-Identifier: Apache-2.0
"""Host -> ComputeHost: the one place where facts become the columns of ``compute_host``.

Bytes become MiB and KiB here and nowhere else. The names are those of Nova's ``compute_nodes``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from host_agent.capacity import Capacity, plain_ram_bytes
from host_agent.cpu_info import cpu_info
from host_agent.errors import InvalidRecord
from host_agent.facts_digest import facts_digest
from host_agent.numa import HostNuma
from host_agent.workloads.counts import counts
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, UNREADABLE
from os_capability import Host
from os_capability.insight.traits import traits

__all__ = ["ComputeHost", "Identity", "compute_host"]

_MIB = 1024**2
_GIB = 1024**3
# Of several engines the first that is here gives its name to the host: virtual machines come before containers.
_HYPERVISORS = ("libvirt", "docker", "podman")


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
    """One row of ``compute_host``, less what the store fills in itself: its own times, and what is used.

    Attributes are columns. ``vcpus`` are CPUs that workloads may use, ``pcpus`` those of them that are dedicated,
    ``total_cpu`` all that are online. ``numa_topology`` has nothing held. ``sequence`` is microseconds from the boot to
    the collection; ``*_mb`` is MiB, ``*_kb`` KiB, ``*_gb`` GiB; ``None`` is not measured. ``cpu_info``,
    ``numa_topology``, ``facts``, ``load_average``, ``labels``, ``runtimes`` and ``engines`` are JSON text.
    ``traits`` are OpenStack's names of what the host has, sorted; in their place the column ``trait_set_id`` stands.

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
    users: int | None
    load_average: str | None
    traits: tuple[str, ...]

    pcpus: int | None = None
    reserved_host_cpus: int | None = None
    reserved_host_memory_mb: int | None = None
    reserved_host_disk_mb: int | None = None
    cpu_allocation_ratio: float | None = None
    ram_allocation_ratio: float | None = None
    disk_allocation_ratio: float | None = None
    local_gb: int | None = None
    disk_available_least: int | None = None
    shared_storage: str | None = None
    hypervisor_type: str | None = None
    hypervisor_version: int | None = None
    supported_instances: str | None = None
    metrics: str | None = None
    pci_stats: str | None = None
    extra_resources: str | None = None
    stats: str | None = None
    no_of_containers: int | None = None
    running_containers: int | None = None
    paused_containers: int | None = None
    stopped_containers: int | None = None
    labels: str | None = None
    runtimes: str | None = None
    engines: str | None = None
    enable_cpu_pinning: bool | None = None
    disk_quota_supported: bool | None = None

    def __post_init__(self) -> None:
        if self.total_cpu < 1:
            raise InvalidRecord(f"{self.host}: the facts name no online CPU; the stored row is left as it is")

    @property
    def trait_set_id(self) -> int:
        """Which set of traits the host has: 63 bits of the digest of their names."""
        return _trait_set_id(self.traits)


def compute_host(
    facts: Host,
    identity: Identity,
    agent_version: str,
    sequence: int,
    capacity: Capacity | None = None,
    discovery: Discovery | None = None,
) -> ComputeHost:
    """Make the row of a host: sizes in MiB and KiB rounded down, what is reserved in MiB and GiB rounded up.

    Args:
        facts: what the host has.
        identity: who it is.
        agent_version: who says so.
        sequence: microseconds since the boot when `facts` were collected.
        capacity: what it offers of that to workloads; without, its columns are ``None`` and ``vcpus`` all online CPUs.
        discovery: what runs there; without, its columns are ``None``.

    Raises:
        InvalidRecord: the facts name no online CPU.
    """
    document = facts.to_dict()
    name = facts.hostname or identity.host
    numa = HostNuma.measured(facts.numa, memory_bytes=facts.memory.total_bytes) if capacity is None else capacity.numa
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
        vcpus=facts.cpu.threads if capacity is None else len(capacity.usable_cpus),
        numa_topology=numa.to_json(),
        labels=_labels(capacity, discovery),
        **_measured(facts),
        **_offered(capacity, discovery),
        **_found(discovery),
    )


def _measured(facts: Host) -> dict[str, Any]:
    """Give the columns of what the host has."""
    memory, system = facts.memory, facts.system
    return {
        "total_cpu": float(facts.cpu.threads),
        "cpu_info": cpu_info(facts),
        "architecture": system.architecture,
        "os_type": system.os_type,
        "os": system.os,
        "kernel_version": system.kernel,
        "users": system.users,
        "traits": traits(facts),
        "load_average": None if system.load_average is None else _json(system.load_average),
        "memory_mb": _units(plain_ram_bytes(facts), _MIB),
        "mem_total_kb": _units(memory.total_bytes, 1024),
        "mem_free_kb": _units(memory.free_bytes, 1024),
        "mem_available_kb": _units(memory.available_bytes, 1024),
        "buffers_kb": _units(memory.buffers_bytes, 1024),
        "cached_kb": _units(memory.cached_bytes, 1024),
    }


def _offered(capacity: Capacity | None, discovery: Discovery | None) -> dict[str, Any]:
    """Give the columns of what the host offers to workloads."""
    if capacity is None:
        return {}
    disk = capacity.disk
    growth = 0 if discovery is None else discovery.disk_overcommitted_bytes
    return {
        "pcpus": len(capacity.dedicated_cpus),
        "reserved_host_cpus": capacity.reserved_cpus,
        "reserved_host_memory_mb": capacity.reserved_memory_bytes // _MIB,
        "reserved_host_disk_mb": capacity.reserved_disk_bytes // _MIB,
        "cpu_allocation_ratio": capacity.cpu_ratio,
        "ram_allocation_ratio": capacity.ram_ratio,
        "disk_allocation_ratio": capacity.disk_ratio,
        "enable_cpu_pinning": capacity.enable_cpu_pinning,
        "local_gb": None if disk is None else disk.total_bytes // _GIB,
        "disk_available_least": None if disk is None else (disk.free_bytes - growth) // _GIB,
        "shared_storage": None if disk is None else disk.shared_storage,
    }


def _found(discovery: Discovery | None) -> dict[str, Any]:
    """Give the columns of the engines and of what they run."""
    if discovery is None:
        return {}
    containers = counts(discovery)
    reports = {seen.report.engine: seen.report for seen in discovery.engines}
    hypervisors = [reports[name] for name in _HYPERVISORS if name in reports and reports[name].hypervisor_type]
    runtimes = [report.runtimes for report in reports.values() if report.runtimes is not None]
    quotas = {report.disk_quota_supported for report in reports.values()} - {None}
    return {
        "hypervisor_type": hypervisors[0].hypervisor_type if hypervisors else None,
        "hypervisor_version": hypervisors[0].hypervisor_version if hypervisors else None,
        "no_of_containers": containers.total,
        "running_containers": containers.running,
        "paused_containers": containers.paused,
        "stopped_containers": containers.stopped,
        # Without an engine there is certainly none; an engine that does not tell may have some.
        "runtimes": _json(sorted(set().union(*runtimes))) if runtimes or not reports else None,
        "engines": _json([_engine(seen, discovery.complete) for seen in discovery.engines]),
        "disk_quota_supported": any(quotas) if quotas else None,
    }


def _engine(seen: SeenEngine, complete: frozenset[str]) -> dict[str, object]:
    report = seen.report
    return {
        "engine": report.engine,
        "status": report.status if seen.trouble is None else UNREADABLE,
        "reason": seen.trouble or report.reason,
        # Of what it told last; nothing where it never told anything.
        "age_seconds": round(seen.age_seconds) if report.status == ANSWERED else None,
        "complete": report.engine in complete,
    }


def _labels(capacity: Capacity | None, discovery: Discovery | None) -> str | None:
    """Give the engines' labels and, before these, the operator's own."""
    if capacity is None and discovery is None:
        return None
    labels: dict[str, str] = {}
    for seen in () if discovery is None else discovery.engines:
        labels |= seen.report.labels or {}
    return _json(labels | ({} if capacity is None else dict(capacity.labels)))


@lru_cache(maxsize=64)
def _trait_set_id(traits: tuple[str, ...]) -> int:
    digest = hashlib.blake2b(" ".join(traits).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _units(size_bytes: int | None, unit_bytes: int) -> int | None:
    return None if size_bytes is None else size_bytes // unit_bytes


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
