# SPDX-License-Identifier: Apache-2.0
"""What hosts have of each resource, and what of it is used: of one host, or of a group of them. Pure values.

Unknown is no number: a host whose figure is not known is left out of that figure, and counted as unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

__all__ = [
    "DISK",
    "MEMORY",
    "PCPU",
    "RESOURCES",
    "VCPU",
    "GroupUsage",
    "HostColumns",
    "ResourceUsage",
    "percent",
    "resources_of",
]

# As Placement calls them: CPUs that workloads share, CPUs that the operator keeps for pinning, MiB, GiB.
VCPU, PCPU, MEMORY, DISK = RESOURCES = ("VCPU", "PCPU", "MEMORY_MB", "DISK_GB")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostColumns:
    """What the row of one host says of one resource; ``None`` is unknown.

    Attributes:
        total: all there is.
        reserved: of it, what is kept for the host itself.
        ratio: how many times the rest may be given away.
        used: what is reserved and what workloads hold.
    """

    total: int | None
    reserved: int | None
    ratio: float | None
    used: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUsage:
    """One resource of one host, or of many.

    Attributes:
        total: all there is.
        reserved: of it, what is kept for the hosts themselves.
        capacity: what workloads may be given: (total - reserved) x the host's allocation ratio, never negative.
        used: what is reserved and what workloads hold.
        free: what workloads may still be given, out of `capacity`; negative where more was given away.
        used_percent: `used` of `total`.
        capacity_used_percent: what workloads hold, of `capacity`.
        unknown: hosts of which the total or the used is not known.
    """

    total: int | None
    reserved: int | None
    capacity: float | None
    used: int | None
    free: float | None
    used_percent: float | None
    capacity_used_percent: float | None
    unknown: int = 0

    @classmethod
    def of_host(cls, host: HostColumns) -> ResourceUsage:
        """Give the usage of a single host."""
        capacity = held = None
        if host.total is not None and host.reserved is not None and host.ratio is not None:
            capacity = max(0, host.total - host.reserved) * host.ratio
        if host.used is not None and host.reserved is not None:
            held = host.used - host.reserved
        return cls(
            total=host.total,
            reserved=host.reserved,
            capacity=capacity,
            used=host.used,
            free=None if capacity is None or held is None else capacity - held,
            used_percent=percent(host.used, host.total),
            capacity_used_percent=percent(held, capacity),
            unknown=int(host.total is None or host.used is None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUsage:
    """A zone, an aggregate or the whole fleet.

    Attributes:
        name: of the zone or the aggregate; ``None`` for the fleet.
        hosts: how many count, retired ones never.
        up, enabled: how many of them are heard, and were not disabled by an operator.
        resources: `ResourceUsage` by the names in `RESOURCES`.
    """

    name: str | None
    hosts: int
    up: int
    enabled: int
    resources: Mapping[str, ResourceUsage] = field(hash=False)

    @classmethod
    def of_no_host(cls, name: str) -> GroupUsage:
        """Give the usage of a group of which no host counts: nobody knows how much of nothing is used."""
        nothing = ResourceUsage.of_host(HostColumns(total=None, reserved=None, ratio=None, used=None))
        resources = dict.fromkeys(RESOURCES, replace(nothing, unknown=0))
        return cls(name=name, hosts=0, up=0, enabled=0, resources=resources)


def percent(part: float | None, whole: float | None) -> float | None:
    """Give a part in percent; of nothing, nobody knows."""
    return None if part is None or not whole else part * 100 / whole


def resources_of(row: Mapping[str, Any]) -> dict[str, HostColumns]:
    """Give what a row of ``compute_host`` says of each resource.

    ``vcpus`` and ``vcpus_used`` are all CPUs: those kept for pinning, where there are any, are taken out of them, since
    their ratio is 1. Nothing of them is reserved.
    """
    pcpus, pinned, vcpus, vcpus_used = (row[name] for name in ("pcpus", "pcpus_used", "vcpus", "vcpus_used"))
    reserved_disk_mb = row["reserved_host_disk_mb"]
    if pcpus:
        vcpus = None if vcpus is None else vcpus - pcpus
        vcpus_used = None if vcpus_used is None or pinned is None else vcpus_used - pinned
    elif pcpus == 0:
        pinned = 0
    return {
        VCPU: HostColumns(
            total=vcpus, reserved=row["reserved_host_cpus"], ratio=row["cpu_allocation_ratio"], used=vcpus_used
        ),
        PCPU: HostColumns(total=pcpus, reserved=0, ratio=1.0, used=pinned),
        MEMORY: HostColumns(
            total=row["memory_mb"],
            reserved=row["reserved_host_memory_mb"],
            ratio=row["ram_allocation_ratio"],
            used=row["memory_mb_used"],
        ),
        DISK: HostColumns(
            total=row["local_gb"],
            reserved=None if reserved_disk_mb is None else ceil(reserved_disk_mb / 1024),
            ratio=row["disk_allocation_ratio"],
            used=row["local_gb_used"],
        ),
    }
