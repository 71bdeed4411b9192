# SPDX-License-Identifier: Apache-2.0
"""What hosts and their NUMA nodes have left, in rows so narrow that a whole fleet is read at once; their sums."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, String, text

from host_agent.store.schema.base import ID_TYPE, MEDIUM_TEXT, NAME, table

__all__ = ["INVENTORIES", "NODES", "SUMS", "TRAIT_SETS"]

# The figures of a host that is not retired: copies of its columns of ``compute_host``, and sums over its nodes.
#
# ``compute_host`` itself has wide columns, and whoever reads all of it reads hundreds of megabytes.
#
# id: as in ``compute_host``.
# free_vcpus, free_memory_mb: what workloads may still be given, see `host_agent.resource_usage`.
# floating_cpus, pinning_cpus, either_cpus: of all nodes, see ``node_inventories``; NULL where one is not known.
# node_free_bytes: of ordinary memory of all nodes; NULL where one is not known.
# is_complete: whether every figure is known that usage is summed up of.
# nodes_digest: of the ``numa_topology``, with the ratio, that the figures of nodes were made of; NULL where
#     nobody has made them yet.
INVENTORIES = table(
    "host_inventories",
    Column("id", ID_TYPE, primary_key=True, autoincrement=False),
    # What all hosts are asked comes first: to find a column, SQLite reads the lengths of those before it.
    Column("service_id", BigInteger),
    Column("free_memory_mb", Double),
    Column("free_vcpus", Double),
    Column("floating_cpus", BigInteger),
    Column("pinning_cpus", BigInteger),
    Column("either_cpus", BigInteger),
    Column("node_free_bytes", BigInteger),
    Column("pcpus", BigInteger),
    Column("trait_set_id", BigInteger),
    Column("is_complete", Boolean, nullable=False),
    Column("shared_storage", NAME),
    Column("host", NAME, nullable=False),
    Column("vcpus", BigInteger),
    Column("vcpus_used", BigInteger),
    Column("pcpus_used", BigInteger),
    Column("reserved_host_cpus", BigInteger),
    Column("cpu_allocation_ratio", Double),
    Column("memory_mb", BigInteger),
    Column("memory_mb_used", BigInteger),
    Column("free_ram_mb", BigInteger),
    Column("reserved_host_memory_mb", BigInteger),
    Column("ram_allocation_ratio", Double),
    Column("local_gb", BigInteger),
    Column("local_gb_used", BigInteger),
    Column("free_disk_gb", BigInteger),
    Column("reserved_host_disk_mb", BigInteger),
    Column("disk_allocation_ratio", Double),
    Column("disk_available_least", BigInteger),
    Column("running_vms", BigInteger),
    Column("current_workload", BigInteger),
    Column("nodes_digest", String(32)),
    Index("ix_host_inventories_host", "host"),
    # The few hosts whose service is not available, and those that are not like most.
    Index("ix_host_inventories_service_id", "service_id"),
    Index("ix_host_inventories_is_complete", "is_complete"),
    Index("ix_host_inventories_shared_storage", "shared_storage"),
    # The best for a demand first.
    Index("ix_host_inventories_free_memory_mb_free_vcpus_id", "free_memory_mb", "free_vcpus", "id"),
)


# The memory of one NUMA node in pages of one size, and the node's CPUs; NULL is not known.
#
# A row for each node and each size of which the host has any, and for ordinary memory.
#
# page_size_bytes: 0 is ordinary memory. First in the key: whoever asks for one size reads no other.
# host_id: as in ``compute_host.id``.
# node_id: the kernel's own.
# free_bytes: what of it one more workload could have.
# floating_cpus: CPUs to float over that no workload has for itself.
# pinning_cpus: CPUs that a workload could have for itself.
# either_cpus: those that count in both.
NODES = table(
    "node_inventories",
    Column("page_size_bytes", BigInteger, primary_key=True, autoincrement=False),
    Column("host_id", BigInteger, primary_key=True, autoincrement=False),
    Column("node_id", BigInteger, primary_key=True, autoincrement=False),
    Column("free_bytes", BigInteger),
    Column("floating_cpus", BigInteger),
    Column("pinning_cpus", BigInteger),
    Column("either_cpus", BigInteger),
    Index("ix_node_inventories_host_id", "host_id"),
    # Where its key stands, as InnoDB has it anyway.
    sqlite_with_rowid=False,
)


# Sums over rows of ``host_inventories`` with neighbouring ids: the sum over a fleet adds up some hundreds of them.
#
# first_id: the least id that a row of these may have.
# hosts, complete_served: hosts whose figures are complete, and those of them with a service.
# vcpu_total to disk_gb_used: of those hosts, as in `host_agent.resource_usage`; disks only where not shared.
# served: hosts with a service.
# served_vcpus to served_current_workload: of those hosts.
SUMS = table(
    "inventory_sums",
    Column("first_id", ID_TYPE, primary_key=True, autoincrement=False),
    Column("hosts", BigInteger, server_default=text("0"), nullable=False),
    Column("complete_served", BigInteger, server_default=text("0"), nullable=False),
    Column("vcpu_total", BigInteger),
    Column("vcpu_reserved", BigInteger),
    Column("vcpu_capacity", Double),
    Column("vcpu_used", BigInteger),
    Column("pcpu_total", BigInteger),
    Column("pcpu_reserved", BigInteger),
    Column("pcpu_capacity", Double),
    Column("pcpu_used", BigInteger),
    Column("memory_mb_total", BigInteger),
    Column("memory_mb_reserved", BigInteger),
    Column("memory_mb_capacity", Double),
    Column("memory_mb_used", BigInteger),
    Column("disk_gb_total", BigInteger),
    Column("disk_gb_reserved", BigInteger),
    Column("disk_gb_capacity", Double),
    Column("disk_gb_used", BigInteger),
    Column("served", BigInteger, server_default=text("0"), nullable=False),
    Column("served_vcpus", BigInteger),
    Column("served_vcpus_used", BigInteger),
    Column("served_memory_mb", BigInteger),
    Column("served_memory_mb_used", BigInteger),
    Column("served_free_ram_mb", BigInteger),
    Column("served_local_gb", BigInteger),
    Column("served_local_gb_used", BigInteger),
    Column("served_free_disk_gb", BigInteger),
    Column("served_disk_available_least", BigInteger),
    Column("served_running_vms", BigInteger),
    Column("served_current_workload", BigInteger),
)


# What a host has by OpenStack's standard names: the thousands of a fleet have some dozens of such sets.
#
# id: made of the names, so that whoever comes first need not be asked.
# names: sorted, a blank before and after each.
TRAIT_SETS = table(
    "trait_sets",
    Column("id", ID_TYPE, primary_key=True, autoincrement=False),
    Column("names", MEDIUM_TEXT, nullable=False),
)
