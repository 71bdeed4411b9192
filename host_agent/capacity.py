# SPDX-License-Identifier: Apache-2.0
"""Capacity: what a host offers to workloads, from its facts and from what its operator keeps back.

The names, the defaults and the meanings are Nova's; docs/capacity.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from host_agent.errors import ConfigError
from host_agent.numa import HostNuma, PagePool
from host_agent.workloads.discovery import DiskSpace
from os_capability import CpuSet, Host

if TYPE_CHECKING:
    from host_agent.settings import CapacitySettings

__all__ = [
    "DISK_GB",
    "MEMORY_MB",
    "PCPU",
    "VCPU",
    "Capacity",
    "Inventory",
    "capacity",
    "plain_ram_bytes",
    "refuse_impossible",
]

# Placement's resource classes, each with its unit: a CPU, MiB, GiB.
VCPU = "VCPU"
PCPU = "PCPU"
MEMORY_MB = "MEMORY_MB"
DISK_GB = "DISK_GB"

# Nova's options initial_*_allocation_ratio.
_INITIAL_CPU_RATIO = 4.0
_INITIAL_RAM_RATIO = 1.0
_INITIAL_DISK_RATIO = 1.0

_MIB = 1024**2
_GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What there is of one resource class, in its unit.

    Attributes:
        resource_class: Placement's name.
        total: all there is.
        reserved: what of it is kept for the host; never more than `total`.
        ratio: how many times the rest may be given away.
    """

    resource_class: str
    total: int
    reserved: int
    ratio: float

    @property
    def capacity(self) -> int:
        """How much can be given away."""
        return int((self.total - self.reserved) * self.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a host offers now.

    Attributes:
        shared_cpus: online ones that workloads without CPUs of their own float over (VCPU).
        dedicated_cpus: online ones that workloads are pinned to (PCPU).
        memory_bytes: plain RAM, huge pages among it; ``None`` is unknown.
        numa: the nodes, with the operator's sets and reserved pages, and nothing held.
        disk: where workloads live; ``None`` where it could not be measured.
        reserved_cpus: kept for the host, of the shared ones.
        reserved_memory_bytes: kept for the host by ``reserved_host_memory_mb`` alone.
        reserved_pages_bytes: kept for the host in huge pages; not among `reserved_memory_bytes`.
        reserved_disk_bytes: kept for the host.
        cpu_ratio, ram_ratio, disk_ratio: how many times each may be given away.
        enable_cpu_pinning: whether containers may be pinned.
        labels: what the operator says of the CPUs, the memory and the disks.
        warnings: what the settings ask for and the machine does not have any more, a line each.
    """

    shared_cpus: CpuSet
    dedicated_cpus: CpuSet
    memory_bytes: int | None
    numa: HostNuma
    disk: DiskSpace | None
    reserved_cpus: int
    reserved_memory_bytes: int
    reserved_pages_bytes: int
    reserved_disk_bytes: int
    cpu_ratio: float
    ram_ratio: float
    disk_ratio: float
    enable_cpu_pinning: bool
    labels: Mapping[str, str] = field(hash=False)
    warnings: tuple[str, ...] = ()

    @property
    def usable_cpus(self) -> CpuSet:
        """The CPUs that workloads may use, floating or pinned."""
        return self.shared_cpus | self.dedicated_cpus

    @property
    def hugepages(self) -> tuple[PagePool, ...]:
        """The huge pages of all nodes, by ascending size; a sum of which one part is unknown is unknown."""
        pools = [pool for cell in self.numa.cells for pool in cell.hugepages or ()]
        return tuple(
            PagePool(
                size_bytes=size,
                total=_sum(pool.total for pool in pools if pool.size_bytes == size),
                taken=_sum(pool.taken for pool in pools if pool.size_bytes == size),
                reserved=sum(pool.reserved for pool in pools if pool.size_bytes == size),
            )
            for size in sorted({pool.size_bytes for pool in pools})
        )

    @property
    def ordinary_memory_bytes(self) -> int | None:
        """The memory outside huge page pools, idle ones too: they are not used, and not to be had as such either."""
        pools = _sum(None if pool.total is None else pool.total * pool.size_bytes for pool in self.hugepages)
        return None if self.memory_bytes is None or pools is None else max(0, self.memory_bytes - pools)

    def inventories(self) -> tuple[Inventory, ...]:
        """Give what there is for Placement, a class each; what is unknown or nothing is left out.

        ``MEMORY_MB`` reserves `reserved_memory_bytes` and `reserved_pages_bytes`: Placement has one class for both.
        ``PCPU`` is given away once, and nothing of it is reserved.
        """
        memory = None if self.memory_bytes is None else self.memory_bytes // _MIB
        disk = None if self.disk is None else self.disk.total_bytes // _GIB
        reserved_memory = _round_up(self.reserved_memory_bytes + self.reserved_pages_bytes, _MIB)
        offered = (
            (VCPU, len(self.shared_cpus), self.reserved_cpus, self.cpu_ratio),
            (PCPU, len(self.dedicated_cpus), 0, 1.0),
            (MEMORY_MB, memory, reserved_memory, self.ram_ratio),
            (DISK_GB, disk, _round_up(self.reserved_disk_bytes, _GIB), self.disk_ratio),
        )
        return tuple(
            Inventory(resource_class=name, total=total, reserved=min(reserved, total), ratio=ratio)
            for name, total, reserved, ratio in offered
            if total
        )


def capacity(host: Host, settings: CapacitySettings, disk: DiskSpace | None) -> Capacity:
    """Give what `host` offers now: CPUs of the operator's sets that are not online do not count.

    Args:
        host: its facts.
        settings: what its operator keeps back.
        disk: where workloads live, ``None`` where that could not be measured.
    """
    online, dedicated, shared = host.cpu.online, settings.cpu_dedicated_set, settings.cpu_shared_set
    floating = shared if shared is not None else online if dedicated is None else CpuSet()
    offered = Capacity(
        shared_cpus=floating & online,
        dedicated_cpus=CpuSet() if dedicated is None else dedicated & online,
        memory_bytes=plain_ram_bytes(host),
        numa=HostNuma.measured(
            host.numa,
            memory_bytes=host.memory.total_bytes,
            dedicated_cpus=dedicated,
            shared_cpus=shared,
            reserved_pages=settings.reserved_huge_pages,
        ),
        disk=disk,
        reserved_cpus=settings.reserved_host_cpus,
        reserved_memory_bytes=settings.reserved_host_memory_mb * _MIB,
        reserved_pages_bytes=sum(pages.size_bytes * pages.count for pages in settings.reserved_huge_pages),
        reserved_disk_bytes=settings.reserved_host_disk_mb * _MIB,
        cpu_ratio=settings.cpu_allocation_ratio or _INITIAL_CPU_RATIO,
        ram_ratio=settings.ram_allocation_ratio or _INITIAL_RAM_RATIO,
        disk_ratio=settings.disk_allocation_ratio or _INITIAL_DISK_RATIO,
        enable_cpu_pinning=settings.enable_cpu_pinning,
        labels=dict(_labels(settings)),
        warnings=(*_absent_cpus(host, settings), *_absent_pages(host, settings), *_absent_disk(settings, disk)),
    )
    return replace(offered, warnings=(*offered.warnings, *_excess(offered)))


def refuse_impossible(host: Host, settings: CapacitySettings) -> None:
    """Refuse settings that name CPUs or huge pages which `host` does not have; meant for the first look at it.

    Raises:
        ConfigError: names each of them.
    """
    reasons = [*_absent_cpus(host, settings), *_absent_pages(host, settings)]
    if reasons:
        raise ConfigError("; ".join(reasons))


def plain_ram_bytes(host: Host) -> int | None:
    """Give the memory but for nodes where it is no plain RAM, or not known to be: Nova places on every MiB."""
    total = host.memory.total_bytes
    if total is None:
        return None
    others = (node for node in host.numa.nodes if not node.is_plain_ram)
    return max(0, total - sum(node.memory_total_bytes or 0 for node in others))


def _absent_cpus(host: Host, settings: CapacitySettings) -> Iterator[str]:
    cpu = host.cpu
    for name in ("cpu_dedicated_set", "cpu_shared_set"):
        wanted: CpuSet = getattr(settings, name) or CpuSet()
        reasons = [
            f"{'CPU' if len(cpus) == 1 else 'CPUs'} {cpus} {'is' if len(cpus) == 1 else 'are'} {state}"
            for cpus, state in ((wanted - cpu.present - cpu.online, "not there"), (wanted & cpu.offline, "offline"))
            if cpus
        ]
        if reasons:
            yield f"[compute] {name} = {wanted}: {' and '.join(reasons)}; online are {cpu.online}"


def _absent_pages(host: Host, settings: CapacitySettings) -> Iterator[str]:
    nodes = {node.id: node for node in host.numa.nodes}
    for wanted in settings.reserved_huge_pages:
        place = f"[DEFAULT] reserved_huge_pages = {wanted}:"
        node = nodes.get(wanted.node)
        if node is None:
            yield f"{place} there is no NUMA node {wanted.node}; there are {', '.join(map(str, nodes))}"
            continue
        if node.hugepages is None:
            yield f"{place} the machine does not tell of huge pages on node {node.id}"
            continue
        totals = {pool.size_bytes: pool.total for pool in node.hugepages}
        total = totals.get(wanted.size_bytes, 0)
        if total is not None and total < wanted.count:
            sizes = ", ".join(f"{number} of {size // 1024} KiB" for size, number in totals.items())
            yield f"{place} node {node.id} has {total} such pages; it has {sizes or 'no huge pages'}"


def _absent_disk(settings: CapacitySettings, disk: DiskSpace | None) -> Iterator[str]:
    if settings.instances_path is not None and disk is None:
        paths = ",".join(settings.instances_path)
        yield f"[compute] instances_path = {paths}: nothing there can be measured, so that the disk is not known"


def _excess(offered: Capacity) -> Iterator[str]:
    """Tell of what is kept back and more than there is: nothing of it is left for workloads then."""
    memory = None if offered.memory_bytes is None else offered.memory_bytes - offered.reserved_pages_bytes
    disk = None if offered.disk is None else offered.disk.total_bytes
    for name, reserved, total, unit_bytes, unit in (
        ("reserved_host_cpus", offered.reserved_cpus, len(offered.shared_cpus) or None, 1, "CPUs"),
        ("reserved_host_memory_mb", offered.reserved_memory_bytes, memory, _MIB, "MiB"),
        ("reserved_host_disk_mb", offered.reserved_disk_bytes, disk, _MIB, "MiB"),
    ):
        if total is not None and reserved > total:
            yield (
                f"[DEFAULT] {name} = {reserved // unit_bytes}: "
                f"this machine has {total // unit_bytes} {unit}, so that workloads get none"
            )


def _labels(settings: CapacitySettings) -> Iterator[tuple[str, str]]:
    for subject in ("cpu", "memory", "disk"):
        given: Mapping[str, str] = getattr(settings, f"{subject}_labels") or {}
        for key, value in given.items():
            yield f"{subject}.{key}", value


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Add up; a sum of which one part is unknown is unknown."""
    known = 0
    for number in numbers:
        if number is None:
            return None
        known += number
    return known


def _round_up(size_bytes: int, unit_bytes: int) -> int:
    return -(-size_bytes // unit_bytes)
