# SPDX-License-Identifier: Apache-2.0
"""Hosts, the heartbeats of their agents, and what happened to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from host_agent.store.schema.base import ID_TYPE, LONG_TEXT, TABLE_OPTIONS, Base, Json, Uuid

__all__ = ["ComputeHostRow", "EventRow", "ServiceRow"]


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
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    uuid: Mapped[Uuid]
    host: Mapped[str]
    binary: Mapped[str]
    topic: Mapped[str]
    report_count: Mapped[int] = mapped_column(server_default=text("0"))
    disabled: Mapped[bool] = mapped_column(server_default=false())
    disabled_reason: Mapped[str | None]
    last_seen_up: Mapped[datetime | None]
    forced_down: Mapped[bool] = mapped_column(server_default=false())
    version: Mapped[int | None]
    boot_id: Mapped[Uuid | None]
    contender_boot_id: Mapped[Uuid | None]
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
        users: people logged in there.
        load_average: over 1, 5 and 15 minutes, as JSON.
        trait_set_id: what the host has by OpenStack's standard names: an id in ``trait_sets``.
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
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    uuid: Mapped[Uuid]
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
    cpu_info: Mapped[Json | None]
    supported_instances: Mapped[Json | None]
    metrics: Mapped[Json | None]
    pci_stats: Mapped[Json | None]
    extra_resources: Mapped[Json | None]
    stats: Mapped[Json | None]
    numa_topology: Mapped[Json | None]
    cpu_allocation_ratio: Mapped[float | None]
    ram_allocation_ratio: Mapped[float | None]
    disk_allocation_ratio: Mapped[float | None]
    mapped: Mapped[int | None]
    reserved_host_cpus: Mapped[int | None]
    reserved_host_memory_mb: Mapped[int | None]
    reserved_host_disk_mb: Mapped[int | None]
    shared_storage: Mapped[str | None]
    engines: Mapped[Json | None]
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
    labels: Mapped[Json | None]
    runtimes: Mapped[Json | None]
    enable_cpu_pinning: Mapped[bool | None]
    disk_quota_supported: Mapped[bool | None]

    boot_id: Mapped[Uuid | None]
    agent_version: Mapped[str | None]
    facts_digest: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[str | None] = mapped_column(LONG_TEXT)
    facts_at: Mapped[datetime | None]
    machine_id: Mapped[str | None]
    product_uuid: Mapped[Uuid | None]
    users: Mapped[int | None]
    load_average: Mapped[str | None]
    trait_set_id: Mapped[int | None]
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
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    uuid: Mapped[Uuid]
    host_uuid: Mapped[Uuid | None]
    host: Mapped[str | None]
    at: Mapped[datetime]
    code: Mapped[str]
    message: Mapped[Json]
    detail: Mapped[Json]
    boot_id: Mapped[Uuid | None]
    sequence: Mapped[int | None]
    created_at: Mapped[datetime]
