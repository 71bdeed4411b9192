# SPDX-License-Identifier: Apache-2.0
"""The tables as SQLAlchemy models; ``migrations/`` makes them, and a test holds the two together.

Names and meanings are those of Nova's ``compute_nodes`` and ``services``. What nobody measures is NULL.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT, MEDIUMTEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "AggregateHostRow",
    "AggregateMetadataRow",
    "AggregateRow",
    "Base",
    "ComputeHostRow",
    "EventRow",
    "FoundWorkloadRow",
    "MigrationRow",
    "ServiceRow",
    "UtcDateTime",
    "WorkloadRow",
]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment kept in UTC without a zone, to the microsecond; Python sees aware datetimes."""

    impl = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Drop the zone after going to UTC."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that it is UTC."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


# SQLite counts up by itself only in a column of exactly the type INTEGER, which holds 64 bits there.
_Id = BigInteger().with_variant(Integer, "sqlite")
# MySQL's TEXT ends at 64 KiB, less than the document of a machine with 1,024 CPUs.
_MediumText = Text().with_variant(MEDIUMTEXT, "mysql", "mariadb")
_LongText = Text().with_variant(LONGTEXT, "mysql", "mariadb")

_Uuid = Annotated[str, mapped_column(String(36))]
_Json = Annotated[str, mapped_column(_MediumText)]

_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
# utf8mb4_bin: two names are equal here exactly when they are on PostgreSQL and SQLite.
_TABLE_OPTIONS = {f"{dialect}_{name}": value for dialect in ("mysql", "mariadb") for name, value in _MYSQL.items()}


class Base(DeclarativeBase):
    """All tables; sizes are 64 bits wide."""

    type_annotation_map = {int: BigInteger, float: Double, str: String(255), datetime: UtcDateTime}  # noqa: RUF012


class ServiceRow(Base):
    """The small heartbeat of one agent, apart from its facts.

    No column that a heartbeat changes is indexed, so that PostgreSQL touches no index then (HOT).

    Attributes:
        boot_id: the boot that holds the row, until it stops in order or is not heard of for too long. Another boot
            under the same uuid is refused as long as the holder is alive.
        contender_boot_id: another boot that claimed the row while its holder was alive: a cloned image.
        contender_host: that machine's host name.
        contended_at: when it did so last.
    """

    __tablename__ = "services"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_services0uuid"),
        UniqueConstraint("host", "binary", name="uniq_services0host0binary"),
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    uuid: Mapped[_Uuid]
    host: Mapped[str]
    binary: Mapped[str]
    topic: Mapped[str]
    report_count: Mapped[int] = mapped_column(server_default=text("0"))
    disabled: Mapped[bool] = mapped_column(server_default=false())
    disabled_reason: Mapped[str | None]
    last_seen_up: Mapped[datetime | None]
    forced_down: Mapped[bool] = mapped_column(server_default=false())
    version: Mapped[int | None]
    boot_id: Mapped[_Uuid | None]
    contender_boot_id: Mapped[_Uuid | None]
    contender_host: Mapped[str | None]
    contended_at: Mapped[datetime | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))


class ComputeHostRow(Base):
    """One host: what it has and what of it is in use. ``*_mb`` is MiB, ``*_kb`` KiB, ``*_gb`` GiB.

    Only what finds the row is NOT NULL: whatever is not known is NULL, in Nova's own columns too.

    Attributes:
        pcpus: online CPUs that the operator keeps for pinning.
        pcpus_used: CPUs that workloads hold for themselves.
        shared_storage: what names the storage of the workloads' disks where other hosts have it as well.
        engines: what runs workloads here and how it answered, as JSON.
        workloads_at: when an agent stored last what runs here, and knew all of it.
        usage_generation: raised by whoever changes what the usage is made of. That is the lock on it as well: two
            nodes of a Galera cluster see each other only by a row that both have changed.
        machine_id: what the operating system calls this installation, see machine-id(5).
        product_uuid: what the firmware calls this hardware; only root may read it.
        sequence: microseconds between the boot `boot_id` and the collection of these facts; never goes back.
        retired_at: when an operator retired the host.
    """

    __tablename__ = "compute_host"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_compute_host0uuid"),
        Index("ix_compute_host_host", "host"),
        # Not unique: a host installed anew has a new uuid under the old name.
        Index("ix_compute_host_hypervisor_hostname", "hypervisor_hostname"),
        # A host that lost its uuid looks for the row it had.
        Index("ix_compute_host_machine_id", "machine_id"),
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    uuid: Mapped[_Uuid]
    service_id: Mapped[int | None]
    host: Mapped[str]
    hypervisor_hostname: Mapped[str]
    hostname: Mapped[str | None]
    hypervisor_type: Mapped[str | None]
    hypervisor_version: Mapped[int | None]
    host_ip: Mapped[str | None]

    vcpus: Mapped[int | None]
    vcpus_used: Mapped[int | None]
    pcpus: Mapped[int | None]
    pcpus_used: Mapped[int | None]
    memory_mb: Mapped[int | None]
    memory_mb_used: Mapped[int | None]
    free_ram_mb: Mapped[int | None]
    local_gb: Mapped[int | None]
    local_gb_used: Mapped[int | None]
    free_disk_gb: Mapped[int | None]
    disk_available_least: Mapped[int | None]
    running_vms: Mapped[int | None]
    current_workload: Mapped[int | None]
    cpu_info: Mapped[_Json | None]
    supported_instances: Mapped[_Json | None]
    metrics: Mapped[_Json | None]
    pci_stats: Mapped[_Json | None]
    extra_resources: Mapped[_Json | None]
    stats: Mapped[_Json | None]
    numa_topology: Mapped[_Json | None]
    cpu_allocation_ratio: Mapped[float | None]
    ram_allocation_ratio: Mapped[float | None]
    disk_allocation_ratio: Mapped[float | None]
    mapped: Mapped[int | None]
    reserved_host_cpus: Mapped[int | None]
    reserved_host_memory_mb: Mapped[int | None]
    reserved_host_disk_mb: Mapped[int | None]
    shared_storage: Mapped[str | None]
    engines: Mapped[_Json | None]
    workloads_at: Mapped[datetime | None]
    usage_generation: Mapped[int | None]

    total_cpu: Mapped[float | None]
    used_cpu: Mapped[float | None]
    no_of_containers: Mapped[int | None]
    running_containers: Mapped[int | None]
    paused_containers: Mapped[int | None]
    stopped_containers: Mapped[int | None]
    mem_total_kb: Mapped[int | None]
    mem_free_kb: Mapped[int | None]
    mem_available_kb: Mapped[int | None]
    buffers_kb: Mapped[int | None]
    cached_kb: Mapped[int | None]
    architecture: Mapped[str | None]
    os_type: Mapped[str | None]
    os: Mapped[str | None]
    kernel_version: Mapped[str | None]
    labels: Mapped[_Json | None]
    runtimes: Mapped[_Json | None]
    enable_cpu_pinning: Mapped[bool | None]
    disk_quota_supported: Mapped[bool | None]

    boot_id: Mapped[_Uuid | None]
    agent_version: Mapped[str | None]
    facts_digest: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[str | None] = mapped_column(_LongText)
    facts_at: Mapped[datetime | None]
    machine_id: Mapped[str | None]
    product_uuid: Mapped[_Uuid | None]
    sequence: Mapped[int | None]
    retired_at: Mapped[datetime | None]

    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))


class EventRow(Base):
    """Something that changed on a host or in the fleet, told by the host or by whoever saw it. ``detail`` is JSON.

    Attributes:
        uuid: made with the event, so that what is delivered twice is stored once.
        host_uuid: no foreign key: a host registers, and is told of, before its facts are there. NULL where the event
            is about no single host.
        host: the host's name at that time.
        at: when it happened, as near as the database's clock can tell.
        boot_id: the boot that told it.
        sequence: microseconds since that boot.
        created_at: when it was stored.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_events0uuid"),
        Index("ix_events_host_uuid_at", "host_uuid", "at"),
        Index("ix_events_at", "at"),
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    uuid: Mapped[_Uuid]
    host_uuid: Mapped[_Uuid | None]
    host: Mapped[str | None]
    at: Mapped[datetime]
    code: Mapped[str]
    message: Mapped[_Json]
    detail: Mapped[_Json]
    boot_id: Mapped[_Uuid | None]
    sequence: Mapped[int | None]
    created_at: Mapped[datetime]


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
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    uuid: Mapped[_Uuid]
    name: Mapped[str | None]
    engine: Mapped[str | None]
    kind: Mapped[str | None]
    state: Mapped[str | None]
    host: Mapped[str | None]
    vcpus: Mapped[float | None]
    cpuset: Mapped[_Json | None]
    memory_bytes: Mapped[int | None]
    hugepages: Mapped[_Json | None]
    disk_bytes: Mapped[int | None]
    numa_nodes: Mapped[_Json | None]
    labels: Mapped[_Json | None]
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
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    host_uuid: Mapped[_Uuid]
    uuid: Mapped[_Uuid]
    name: Mapped[str | None]
    engine: Mapped[str | None]
    kind: Mapped[str | None]
    state: Mapped[str | None]
    vcpus: Mapped[float | None]
    cpuset: Mapped[_Json | None]
    memory_bytes: Mapped[int | None]
    hugepages: Mapped[_Json | None]
    disk_bytes: Mapped[int | None]
    numa_nodes: Mapped[_Json | None]
    labels: Mapped[_Json | None]
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
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    uuid: Mapped[_Uuid]
    workload_uuid: Mapped[_Uuid]
    source_host: Mapped[str | None]
    dest_host: Mapped[str | None]
    status: Mapped[str]
    migration_type: Mapped[str | None]
    vcpus: Mapped[float | None]
    memory_bytes: Mapped[int | None]
    disk_bytes: Mapped[int | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class AggregateRow(Base):
    """A group of hosts that operators made. Rows are removed with it: ``deleted`` stays 0, for Nova's SQL."""

    __tablename__ = "aggregates"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_aggregates0uuid"),
        UniqueConstraint("name", name="uniq_aggregates0name"),
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    uuid: Mapped[_Uuid]
    name: Mapped[str]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))


class AggregateHostRow(Base):
    """One host of an aggregate.

    Attributes:
        host: as in ``compute_host.host``; a host that is removed and comes back is in its aggregates again.
    """

    __tablename__ = "aggregate_hosts"
    __table_args__ = (
        UniqueConstraint("aggregate_id", "host", name="uniq_aggregate_hosts0aggregate_id0host"),
        Index("ix_aggregate_hosts_host", "host"),
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    aggregate_id: Mapped[int]
    host: Mapped[str]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))


class AggregateMetadataRow(Base):
    """One key of an aggregate's metadata; ``availability_zone`` makes its hosts a zone."""

    __tablename__ = "aggregate_metadata"
    __table_args__ = (
        UniqueConstraint("aggregate_id", "key", name="uniq_aggregate_metadata0aggregate_id0key"),
        _TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    aggregate_id: Mapped[int]
    key: Mapped[str]
    value: Mapped[str]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))
