# SPDX-License-Identifier: Apache-2.0
"""Hosts, the heartbeats of their agents, and what happened to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, String, UniqueConstraint, false, text

from host_agent.store.schema.base import ID_TYPE, LONG_TEXT, MEDIUM_TEXT, NAME, UUID, UtcDateTime, table

__all__ = ["EVENTS", "HOSTS", "SERVICES"]

# The small heartbeat of one agent, apart from its facts.
#
# No column that a heartbeat changes is indexed, so that PostgreSQL touches no index then (HOT).
#
# boot_id: the boot that holds the row, until it stops in order or is not heard of for too long. Another boot
#     under the same uuid is refused as long as the holder is alive.
# contender_boot_id: another boot that claimed the row while its holder was alive: a cloned image.
# contender_host: that machine's host name.
# contended_at: when it did so last.
SERVICES = table(
    "services",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("uuid", UUID, nullable=False),
    Column("host", NAME, nullable=False),
    Column("binary", NAME, nullable=False),
    Column("topic", NAME, nullable=False),
    Column("report_count", BigInteger, server_default=text("0"), nullable=False),
    Column("disabled", Boolean, server_default=false(), nullable=False),
    Column("disabled_reason", NAME),
    Column("last_seen_up", UtcDateTime),
    Column("forced_down", Boolean, server_default=false(), nullable=False),
    Column("version", BigInteger),
    Column("boot_id", UUID),
    Column("contender_boot_id", UUID),
    Column("contender_host", NAME),
    Column("contended_at", UtcDateTime),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("deleted", BigInteger, server_default=text("0"), nullable=False),
    UniqueConstraint("uuid", name="uniq_services0uuid"),
    UniqueConstraint("host", "binary", name="uniq_services0host0binary"),
)


# One host: what it has and what of it is in use. ``*_mb`` is MiB, ``*_kb`` KiB, ``*_gb`` GiB.
#
# Only what finds the row is NOT NULL: whatever is not known is NULL, in Nova's own columns too.
#
# pcpus: online CPUs that the operator keeps for pinning.
# pcpus_used: CPUs that workloads hold for themselves.
# shared_storage: what names the storage of the workloads' disks where other hosts have it as well.
# engines: what runs workloads here and how it answered, as JSON.
# workloads_at: when an agent stored last what runs here, and knew all of it.
# usage_generation: raised by whoever changes what the usage is made of. That is the lock on it as well: two
#     nodes of a Galera cluster see each other only by a row that both have changed.
# machine_id: what the operating system calls this installation, see machine-id(5).
# product_uuid: what the firmware calls this hardware; only root may read it.
# users: people logged in there.
# load_average: over 1, 5 and 15 minutes, as JSON.
# trait_set_id: what the host has by OpenStack's standard names: an id in ``trait_sets``.
# sequence: microseconds between the boot `boot_id` and the collection of these facts; never goes back.
# retired_at: when an operator retired the host.
HOSTS = table(
    "compute_host",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("uuid", UUID, nullable=False),
    Column("service_id", BigInteger),
    Column("host", NAME, nullable=False),
    Column("hypervisor_hostname", NAME, nullable=False),
    Column("hostname", NAME),
    Column("hypervisor_type", NAME),
    Column("hypervisor_version", BigInteger),
    Column("host_ip", NAME),
    Column("vcpus", BigInteger),
    Column("vcpus_used", BigInteger),
    Column("pcpus", BigInteger),
    Column("pcpus_used", BigInteger),
    Column("memory_mb", BigInteger),
    Column("memory_mb_used", BigInteger),
    Column("free_ram_mb", BigInteger),
    Column("local_gb", BigInteger),
    Column("local_gb_used", BigInteger),
    Column("free_disk_gb", BigInteger),
    Column("disk_available_least", BigInteger),
    Column("running_vms", BigInteger),
    Column("current_workload", BigInteger),
    Column("cpu_info", MEDIUM_TEXT),
    Column("supported_instances", MEDIUM_TEXT),
    Column("metrics", MEDIUM_TEXT),
    Column("pci_stats", MEDIUM_TEXT),
    Column("extra_resources", MEDIUM_TEXT),
    Column("stats", MEDIUM_TEXT),
    Column("numa_topology", MEDIUM_TEXT),
    Column("cpu_allocation_ratio", Double),
    Column("ram_allocation_ratio", Double),
    Column("disk_allocation_ratio", Double),
    Column("mapped", BigInteger),
    Column("reserved_host_cpus", BigInteger),
    Column("reserved_host_memory_mb", BigInteger),
    Column("reserved_host_disk_mb", BigInteger),
    Column("shared_storage", NAME),
    Column("engines", MEDIUM_TEXT),
    Column("workloads_at", UtcDateTime),
    Column("usage_generation", BigInteger),
    Column("total_cpu", Double),
    Column("used_cpu", Double),
    Column("no_of_containers", BigInteger),
    Column("running_containers", BigInteger),
    Column("paused_containers", BigInteger),
    Column("stopped_containers", BigInteger),
    Column("mem_total_kb", BigInteger),
    Column("mem_free_kb", BigInteger),
    Column("mem_available_kb", BigInteger),
    Column("buffers_kb", BigInteger),
    Column("cached_kb", BigInteger),
    Column("architecture", NAME),
    Column("os_type", NAME),
    Column("os", NAME),
    Column("kernel_version", NAME),
    Column("labels", MEDIUM_TEXT),
    Column("runtimes", MEDIUM_TEXT),
    Column("enable_cpu_pinning", Boolean),
    Column("disk_quota_supported", Boolean),
    Column("boot_id", UUID),
    Column("agent_version", NAME),
    Column("facts_digest", String(64)),
    Column("facts", LONG_TEXT),
    Column("facts_at", UtcDateTime),
    Column("machine_id", NAME),
    Column("product_uuid", UUID),
    Column("users", BigInteger),
    Column("load_average", NAME),
    Column("trait_set_id", BigInteger),
    Column("sequence", BigInteger),
    Column("retired_at", UtcDateTime),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("deleted", BigInteger, server_default=text("0"), nullable=False),
    UniqueConstraint("uuid", name="uniq_compute_host0uuid"),
    Index("ix_compute_host_host", "host"),
    # Not unique: a host installed anew has a new uuid under the old name.
    Index("ix_compute_host_hypervisor_hostname", "hypervisor_hostname"),
    # A host that lost its uuid looks for the row it had.
    Index("ix_compute_host_machine_id", "machine_id"),
)


# Something that changed on a host or in the fleet, told by the host or by whoever saw it. ``detail`` is JSON.
#
# uuid: made with the event, so that what is delivered twice is stored once.
# host_uuid: no foreign key: a host registers, and is told of, before its facts are there. NULL where the event
#     is about no single host.
# host: the host's name at that time.
# at: when it happened, as near as the database's clock can tell.
# boot_id: the boot that told it.
# sequence: microseconds since that boot.
# created_at: when it was stored.
EVENTS = table(
    "events",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("uuid", UUID, nullable=False),
    Column("host_uuid", UUID),
    Column("host", NAME),
    Column("at", UtcDateTime, nullable=False),
    Column("code", NAME, nullable=False),
    Column("message", MEDIUM_TEXT, nullable=False),
    Column("detail", MEDIUM_TEXT, nullable=False),
    Column("boot_id", UUID),
    Column("sequence", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("uuid", name="uniq_events0uuid"),
    Index("ix_events_host_uuid_at", "host_uuid", "at"),
    Index("ix_events_at", "at"),
)
