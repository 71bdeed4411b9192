# SPDX-License-Identifier: Apache-2.0
"""What each host and each of its NUMA nodes has left, in narrow rows, sums over them, and what traits there are."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MEDIUM_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value for server in ("mysql", "mariadb") for name, value in _MYSQL.items()
}
# Nova sums these up over hosts with a service.
_SERVED = (
    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used"),
    *("free_disk_gb", "disk_available_least", "running_vms", "current_workload"),
)
_AMOUNTS = (
    *_SERVED,
    *("pcpus", "pcpus_used", "reserved_host_cpus", "reserved_host_memory_mb", "reserved_host_disk_mb"),
)
_RATIOS = ("cpu_allocation_ratio", "ram_allocation_ratio", "disk_allocation_ratio")
_COPIED = ("id", "host", "service_id", "trait_set_id", "shared_storage", *_AMOUNTS, *_RATIOS)
_OF_NODES = ("floating_cpus", "pinning_cpus", "either_cpus")
_SUMMED = [
    f"{resource}_{figure}"
    for resource in ("vcpu", "pcpu", "memory_mb", "disk_gb")
    for figure in ("total", "reserved", "capacity", "used")
]
# So many hosts are in one row of sums.
_NEIGHBOURS = 256


def upgrade() -> None:
    """Create the tables, and fill those of hosts and sums. What is of nodes and traits comes with the next reports."""
    repeatable.add_columns("compute_host", sa.Column("trait_set_id", sa.BigInteger()))
    _create_host_inventories()
    repeatable.create_table(
        "node_inventories",
        *(_key(name, sa.BigInteger()) for name in ("page_size_bytes", "host_id", "node_id")),
        *(sa.Column(name, sa.BigInteger()) for name in ("free_bytes", *_OF_NODES)),
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    repeatable.create_index("ix_node_inventories_host_id", "node_inventories", ["host_id"])
    repeatable.create_table(
        "inventory_sums",
        _key("first_id"),
        *(_count(name) for name in ("hosts", "complete_served", "served")),
        *(sa.Column(name, sa.Double() if name.endswith("_capacity") else sa.BigInteger()) for name in _SUMMED),
        *(sa.Column(f"served_{name}", sa.BigInteger()) for name in _SERVED),
        **_OPTIONS,
    )
    repeatable.create_table("trait_sets", _key("id"), sa.Column("names", _MEDIUM_TEXT, nullable=False), **_OPTIONS)
    _fill()


def _create_host_inventories() -> None:
    name = "host_inventories"
    repeatable.create_table(
        name,
        _key("id"),
        # What all hosts are asked comes first: to find a column, SQLite reads the lengths of those before it.
        sa.Column("service_id", sa.BigInteger()),
        sa.Column("free_memory_mb", sa.Double()),
        sa.Column("free_vcpus", sa.Double()),
        *(sa.Column(amount, sa.BigInteger()) for amount in (*_OF_NODES, "node_free_bytes", "pcpus", "trait_set_id")),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("shared_storage", sa.String(255)),
        sa.Column("host", sa.String(255), nullable=False),
        *(sa.Column(amount, sa.BigInteger()) for amount in _AMOUNTS if amount != "pcpus"),
        *(sa.Column(ratio, sa.Double()) for ratio in _RATIOS),
        sa.Column("nodes_digest", sa.String(32)),
        **_OPTIONS,
    )
    for column in ("host", "service_id", "is_complete", "shared_storage"):
        repeatable.create_index(f"ix_{name}_{column}", name, [column])
    best = ["free_memory_mb", "free_vcpus", "id"]
    repeatable.create_index(f"ix_{name}_{'_'.join(best)}", name, best)


def _fill() -> None:
    """Fill the tables anew, whatever an upgrade that was cut off left in them."""
    hosts = sa.table("compute_host", *map(sa.column, _COPIED))
    own = {name: _free(*_resources(hosts)[name]) for name in ("vcpu", "memory_mb")}
    needed = [name for name in _AMOUNTS if not name.startswith(("free_", "disk_", "running_", "current_"))]
    made = {
        "is_complete": sa.and_(*(hosts.c[name].is_not(None) for name in (*needed, *_RATIOS))),
        "free_vcpus": own["vcpu"],
        "free_memory_mb": own["memory_mb"],
    }
    _replace("host_inventories", [*_COPIED, *made], sa.select(*hosts.c, *made.values()).where(_is_in_service()))
    inventories = sa.table("host_inventories", *map(sa.column, (*_COPIED, "is_complete")))
    row, complete = inventories.c, inventories.c.is_complete
    first = (row.id - row.id % _NEIGHBOURS).label("first_id")
    sums: dict[str, Any] = {
        "hosts": sa.func.count(sa.case((complete, row.id))),
        "complete_served": sa.func.count(sa.case((complete, row.service_id))),
        "served": sa.func.count(row.service_id),
    }
    for resource, (total, reserved, ratio, used) in _resources(inventories).items():
        counts = sa.and_(complete, row.shared_storage.is_(None)) if resource == "disk_gb" else complete
        given = {"total": total, "reserved": reserved, "capacity": _capacity(total, reserved, ratio), "used": used}
        sums |= {f"{resource}_{figure}": sa.func.sum(sa.case((counts, value))) for figure, value in given.items()}
    sums |= {f"served_{name}": sa.func.sum(sa.case((row.service_id.is_not(None), row[name]))) for name in _SERVED}
    _replace("inventory_sums", ["first_id", *sums], sa.select(first, *sums.values()).group_by(sa.text("1")))


def _resources(hosts: sa.TableClause) -> dict[str, tuple[Any, Any, Any, Any]]:
    """Give total, reserved, ratio and used of each resource."""
    row = hosts.c
    pinned = row.pcpus > 0
    return {
        "vcpu": (
            sa.case((pinned, row.vcpus - row.pcpus), else_=row.vcpus),
            row.reserved_host_cpus,
            row.cpu_allocation_ratio,
            sa.case((pinned, row.vcpus_used - row.pcpus_used), else_=row.vcpus_used),
        ),
        "pcpu": (row.pcpus, sa.literal(0), sa.literal(1.0), sa.case((row.pcpus == 0, 0), else_=row.pcpus_used)),
        "memory_mb": (row.memory_mb, row.reserved_host_memory_mb, row.ram_allocation_ratio, row.memory_mb_used),
        "disk_gb": (
            row.local_gb,
            (row.reserved_host_disk_mb + 1023) // 1024,
            row.disk_allocation_ratio,
            row.local_gb_used,
        ),
    }


def _capacity(total: Any, reserved: Any, ratio: Any) -> Any:
    return sa.case((total > reserved, (total - reserved) * ratio), (total <= reserved, ratio * 0))


def _free(total: Any, reserved: Any, ratio: Any, used: Any) -> Any:
    return _capacity(total, reserved, ratio) - (used - reserved)


def _is_in_service() -> sa.ColumnElement[bool]:
    return sa.column("retired_at").is_(None)


def _replace(name: str, columns: list[str], source: sa.Select[Any]) -> None:
    table = sa.table(name, *map(sa.column, columns))
    op.execute(sa.delete(table))
    op.execute(sa.insert(table).from_select(columns, source))


def _key(name: str, kind: sa.types.TypeEngine[int] = _ID) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
