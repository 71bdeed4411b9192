# SPDX-License-Identifier: Apache-2.0
"""What hosts and their NUMA nodes have left, in rows so narrow that a whole fleet is read at once; their sums."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from host_agent.store.schema.base import ID_TYPE, TABLE_OPTIONS, Base, Json

__all__ = ["HostInventoryRow", "InventorySumRow", "NodeInventoryRow", "TraitSetRow"]


class HostInventoryRow(Base):
    """The figures of a host that is not retired: copies of its columns of ``compute_host``, and sums over its nodes.

    ``compute_host`` itself has wide columns, and whoever reads all of it reads hundreds of megabytes.

    Attributes:
        id: as in ``compute_host``.
        free_vcpus, free_memory_mb: what workloads may still be given, see `host_agent.resource_usage`.
        floating_cpus, pinning_cpus, either_cpus: of all nodes, see `NodeInventoryRow`; NULL where one is not known.
        node_free_bytes: of ordinary memory of all nodes; NULL where one is not known.
        is_complete: whether every figure is known that usage is summed up of.
        nodes_digest: of the ``numa_topology``, with the ratio, that the figures of nodes were made of; NULL where
            nobody has made them yet.
    """

    __tablename__ = "host_inventories"
    __table_args__ = (
        Index("ix_host_inventories_host", "host"),
        # The few hosts whose service is not available, and those that are not like most.
        Index("ix_host_inventories_service_id", "service_id"),
        Index("ix_host_inventories_is_complete", "is_complete"),
        Index("ix_host_inventories_shared_storage", "shared_storage"),
        # The best for a demand first.
        Index("ix_host_inventories_free_memory_mb_free_vcpus_id", "free_memory_mb", "free_vcpus", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=False)
    # What all hosts are asked comes first: to find a column, SQLite reads the lengths of those before it.
    service_id: Mapped[int | None]
    free_memory_mb: Mapped[float | None]
    free_vcpus: Mapped[float | None]
    floating_cpus: Mapped[int | None]
    pinning_cpus: Mapped[int | None]
    either_cpus: Mapped[int | None]
    node_free_bytes: Mapped[int | None]
    pcpus: Mapped[int | None]
    trait_set_id: Mapped[int | None]
    is_complete: Mapped[bool]
    shared_storage: Mapped[str | None]
    host: Mapped[str]
    vcpus: Mapped[int | None]
    vcpus_used: Mapped[int | None]
    pcpus_used: Mapped[int | None]
    reserved_host_cpus: Mapped[int | None]
    cpu_allocation_ratio: Mapped[float | None]
    memory_mb: Mapped[int | None]
    memory_mb_used: Mapped[int | None]
    free_ram_mb: Mapped[int | None]
    reserved_host_memory_mb: Mapped[int | None]
    ram_allocation_ratio: Mapped[float | None]
    local_gb: Mapped[int | None]
    local_gb_used: Mapped[int | None]
    free_disk_gb: Mapped[int | None]
    reserved_host_disk_mb: Mapped[int | None]
    disk_allocation_ratio: Mapped[float | None]
    disk_available_least: Mapped[int | None]
    running_vms: Mapped[int | None]
    current_workload: Mapped[int | None]
    nodes_digest: Mapped[str | None] = mapped_column(String(32))


class NodeInventoryRow(Base):
    """The memory of one NUMA node in pages of one size, and the node's CPUs; NULL is not known.

    A row for each node and each size of which the host has any, and for ordinary memory.

    Attributes:
        page_size_bytes: 0 is ordinary memory. First in the key: whoever asks for one size reads no other.
        host_id: as in ``compute_host.id``.
        node_id: the kernel's own.
        free_bytes: what of it one more workload could have.
        floating_cpus: CPUs to float over that no workload has for itself.
        pinning_cpus: CPUs that a workload could have for itself.
        either_cpus: those that count in both.
    """

    __tablename__ = "node_inventories"
    __table_args__ = (
        Index("ix_node_inventories_host_id", "host_id"),
        # Where its key stands, as InnoDB has it anyway.
        {**TABLE_OPTIONS, "sqlite_with_rowid": False},
    )

    page_size_bytes: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    host_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    node_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    free_bytes: Mapped[int | None]
    floating_cpus: Mapped[int | None]
    pinning_cpus: Mapped[int | None]
    either_cpus: Mapped[int | None]


class InventorySumRow(Base):
    """Sums over rows of `HostInventoryRow` with neighbouring ids: the sum over a fleet adds up some hundreds of them.

    Attributes:
        first_id: the least id that a row of these may have.
        hosts, complete_served: hosts whose figures are complete, and those of them with a service.
        vcpu_total to disk_gb_used: of those hosts, as in `host_agent.resource_usage`; disks only where not shared.
        served: hosts with a service.
        served_vcpus to served_current_workload: of those hosts.
    """

    __tablename__ = "inventory_sums"
    __table_args__ = (TABLE_OPTIONS,)

    first_id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=False)
    hosts: Mapped[int] = mapped_column(server_default=text("0"))
    complete_served: Mapped[int] = mapped_column(server_default=text("0"))
    vcpu_total: Mapped[int | None]
    vcpu_reserved: Mapped[int | None]
    vcpu_capacity: Mapped[float | None]
    vcpu_used: Mapped[int | None]
    pcpu_total: Mapped[int | None]
    pcpu_reserved: Mapped[int | None]
    pcpu_capacity: Mapped[float | None]
    pcpu_used: Mapped[int | None]
    memory_mb_total: Mapped[int | None]
    memory_mb_reserved: Mapped[int | None]
    memory_mb_capacity: Mapped[float | None]
    memory_mb_used: Mapped[int | None]
    disk_gb_total: Mapped[int | None]
    disk_gb_reserved: Mapped[int | None]
    disk_gb_capacity: Mapped[float | None]
    disk_gb_used: Mapped[int | None]

    served: Mapped[int] = mapped_column(server_default=text("0"))
    served_vcpus: Mapped[int | None]
    served_vcpus_used: Mapped[int | None]
    served_memory_mb: Mapped[int | None]
    served_memory_mb_used: Mapped[int | None]
    served_free_ram_mb: Mapped[int | None]
    served_local_gb: Mapped[int | None]
    served_local_gb_used: Mapped[int | None]
    served_free_disk_gb: Mapped[int | None]
    served_disk_available_least: Mapped[int | None]
    served_running_vms: Mapped[int | None]
    served_current_workload: Mapped[int | None]


class TraitSetRow(Base):
    """What a host has by OpenStack's standard names: the thousands of a fleet have some dozens of such sets.

    Attributes:
        id: made of the names, so that whoever comes first need not be asked.
        names: sorted, a blank before and after each.
    """

    __tablename__ = "trait_sets"
    __table_args__ = (TABLE_OPTIONS,)

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=False)
    names: Mapped[Json]
