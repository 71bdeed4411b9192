# SPDX-License-Identifier: Apache-2.0
"""What runs on hosts, or is on its way to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, UniqueConstraint, text

from host_agent.store.schema.base import ID_TYPE, MEDIUM_TEXT, NAME, UUID, UtcDateTime, table

__all__ = ["FOUND_WORKLOADS", "MIGRATIONS", "WORKLOADS"]

# A workload that an orchestrator recorded. What it left out is NULL; so is a size that has no limit.
#
# host: as in ``compute_host.host``; NULL for one that has no host.
# cpuset: as a kernel list.
# hugepages, numa_nodes, labels: JSON.
# missing_since: since when a complete list of what runs on its host lacks it.
# generation: raised by every change of the workload or of a migration of it: the lock on both.
WORKLOADS = table(
    "workloads",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("uuid", UUID, nullable=False),
    Column("name", NAME),
    Column("engine", NAME),
    Column("kind", NAME),
    Column("state", NAME),
    Column("host", NAME),
    Column("vcpus", Double),
    Column("cpuset", MEDIUM_TEXT),
    Column("memory_bytes", BigInteger),
    Column("hugepages", MEDIUM_TEXT),
    Column("disk_bytes", BigInteger),
    Column("numa_nodes", MEDIUM_TEXT),
    Column("labels", MEDIUM_TEXT),
    Column("missing_since", UtcDateTime),
    Column("generation", BigInteger, server_default=text("0"), nullable=False),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    UniqueConstraint("uuid", name="uniq_workloads0uuid"),
    Index("ix_workloads_host", "host"),
)


# A workload that the agent of a host found there. The same one may be found on two hosts.
#
# host_uuid: as in ``compute_host.uuid``.
# found_at: when it was found there first.
FOUND_WORKLOADS = table(
    "found_workloads",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("host_uuid", UUID, nullable=False),
    Column("uuid", UUID, nullable=False),
    Column("name", NAME),
    Column("engine", NAME),
    Column("kind", NAME),
    Column("state", NAME),
    Column("vcpus", Double),
    Column("cpuset", MEDIUM_TEXT),
    Column("memory_bytes", BigInteger),
    Column("hugepages", MEDIUM_TEXT),
    Column("disk_bytes", BigInteger),
    Column("numa_nodes", MEDIUM_TEXT),
    Column("labels", MEDIUM_TEXT),
    Column("found_at", UtcDateTime),
    UniqueConstraint("host_uuid", "uuid", name="uniq_found_workloads0host_uuid0uuid"),
)


# A workload on its way from one host to another, or to another size on the same; finished ones stay as history.
#
# workload_uuid: the workload need not be recorded.
# source_host, dest_host: as in ``compute_host.host``.
# status: as Nova spells it, in lower case.
# vcpus, memory_bytes, disk_bytes: what it takes where it goes; NULL is as much as the workload has.
MIGRATIONS = table(
    "migrations",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("uuid", UUID, nullable=False),
    Column("workload_uuid", UUID, nullable=False),
    Column("source_host", NAME),
    Column("dest_host", NAME),
    Column("status", NAME, nullable=False),
    Column("migration_type", NAME),
    Column("vcpus", Double),
    Column("memory_bytes", BigInteger),
    Column("disk_bytes", BigInteger),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    UniqueConstraint("uuid", name="uniq_migrations0uuid"),
    Index("ix_migrations_workload_uuid", "workload_uuid"),
    # With the status: of the thousands that a host has seen hardly one is in progress.
    Index("ix_migrations_source_host_status", "source_host", "status"),
    Index("ix_migrations_dest_host_status", "dest_host", "status"),
)
