# SPDX-License-Identifier: Apache-2.0
"""What runs on hosts, or is on its way to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from host_agent.store.schema.base import ID_TYPE, TABLE_OPTIONS, Base, Json, Uuid

__all__ = ["FoundWorkloadRow", "MigrationRow", "WorkloadRow"]


class WorkloadRow(Base):
    """A workload that an orchestrator recorded. What it left out is NULL; so is a size that has no limit.

    Attributes:
        host: as in ``compute_host.host``; NULL for one that has no host.
        cpuset: as a kernel list.
        hugepages, numa_nodes, labels: JSON.
        missing_since: since when a complete list of what runs on its host lacks it.
        generation: raised by every change of the workload or of a migration of it: the lock on both.
    """

    __tablename__ = "workloads"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_workloads0uuid"),
        Index("ix_workloads_host", "host"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    uuid: Mapped[Uuid]
    name: Mapped[str | None]
    engine: Mapped[str | None]
    kind: Mapped[str | None]
    state: Mapped[str | None]
    host: Mapped[str | None]
    vcpus: Mapped[float | None]
    cpuset: Mapped[Json | None]
    memory_bytes: Mapped[int | None]
    hugepages: Mapped[Json | None]
    disk_bytes: Mapped[int | None]
    numa_nodes: Mapped[Json | None]
    labels: Mapped[Json | None]
    missing_since: Mapped[datetime | None]
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class FoundWorkloadRow(Base):
    """A workload that the agent of a host found there. The same one may be found on two hosts.

    Attributes:
        host_uuid: as in ``compute_host.uuid``.
        found_at: when it was found there first.
    """

    __tablename__ = "found_workloads"
    __table_args__ = (
        UniqueConstraint("host_uuid", "uuid", name="uniq_found_workloads0host_uuid0uuid"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    host_uuid: Mapped[Uuid]
    uuid: Mapped[Uuid]
    name: Mapped[str | None]
    engine: Mapped[str | None]
    kind: Mapped[str | None]
    state: Mapped[str | None]
    vcpus: Mapped[float | None]
    cpuset: Mapped[Json | None]
    memory_bytes: Mapped[int | None]
    hugepages: Mapped[Json | None]
    disk_bytes: Mapped[int | None]
    numa_nodes: Mapped[Json | None]
    labels: Mapped[Json | None]
    found_at: Mapped[datetime | None]


class MigrationRow(Base):
    """A workload on its way from one host to another, or to another size on the same; finished ones stay as history.

    Attributes:
        workload_uuid: the workload need not be recorded.
        source_host, dest_host: as in ``compute_host.host``.
        status: as Nova spells it, in lower case.
        vcpus, memory_bytes, disk_bytes: what it takes where it goes; NULL is as much as the workload has.
    """

    __tablename__ = "migrations"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_migrations0uuid"),
        Index("ix_migrations_workload_uuid", "workload_uuid"),
        # With the status: of the thousands that a host has seen hardly one is in progress.
        Index("ix_migrations_source_host_status", "source_host", "status"),
        Index("ix_migrations_dest_host_status", "dest_host", "status"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    uuid: Mapped[Uuid]
    workload_uuid: Mapped[Uuid]
    source_host: Mapped[str | None]
    dest_host: Mapped[str | None]
    status: Mapped[str]
    migration_type: Mapped[str | None]
    vcpus: Mapped[float | None]
    memory_bytes: Mapped[int | None]
    disk_bytes: Mapped[int | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
