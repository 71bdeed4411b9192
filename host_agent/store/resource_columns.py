# SPDX-License-Identifier: Apache-2.0
"""What a row of a host says of each resource, in SQL: as `host_agent.resource_usage` says it of the row's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, literal

from host_agent.resource_usage import DISK, MEMORY, PCPU, VCPU
from host_agent.store.schema import INVENTORIES

__all__ = ["RESOURCE_COLUMNS", "ResourceColumns", "in_this_order", "resource_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceColumns:
    """One resource of a host; see `host_agent.resource_usage.HostColumns`."""

    total: ColumnElement[Any]
    reserved: ColumnElement[Any]
    ratio: ColumnElement[Any]
    used: ColumnElement[Any]

    @property
    def capacity(self) -> ColumnElement[Any]:
        """What workloads may be given; where more is reserved than there is nothing is left, not less than that."""
        left = self.total - self.reserved
        return case((self.total > self.reserved, left * self.ratio), (self.total <= self.reserved, self.ratio * 0))

    @property
    def free(self) -> ColumnElement[Any]:
        """What workloads may still be given; NULL where that is not known."""
        return self.capacity - (self.used - self.reserved)


def resource_columns(hosts: Table) -> dict[str, ResourceColumns]:
    """Give the resources of a table that has the columns of ``compute_host``, or copies of them."""
    row = hosts.c
    has_dedicated = row.pcpus > 0
    return {
        VCPU: ResourceColumns(
            total=case((has_dedicated, row.vcpus - row.pcpus), else_=row.vcpus),
            reserved=row.reserved_host_cpus,
            ratio=row.cpu_allocation_ratio,
            used=case((has_dedicated, row.vcpus_used - row.pcpus_used), else_=row.vcpus_used),
        ),
        PCPU: ResourceColumns(
            total=row.pcpus,
            reserved=literal(0),
            ratio=literal(1.0),
            used=case((row.pcpus == 0, 0), else_=row.pcpus_used),
        ),
        MEMORY: ResourceColumns(
            total=row.memory_mb,
            reserved=row.reserved_host_memory_mb,
            ratio=row.ram_allocation_ratio,
            used=row.memory_mb_used,
        ),
        DISK: ResourceColumns(
            total=row.local_gb,
            reserved=(row.reserved_host_disk_mb + 1023) // 1024,
            ratio=row.disk_allocation_ratio,
            used=row.local_gb_used,
        ),
    }


def in_this_order(query: Select[Any]) -> Select[Any]:
    """Have MySQL and MariaDB join tables as they are written: it takes all hosts for fewer than a few services."""
    return query.prefix_with("STRAIGHT_JOIN", dialect="mysql").prefix_with("STRAIGHT_JOIN", dialect="mariadb")


RESOURCE_COLUMNS = resource_columns(INVENTORIES)
