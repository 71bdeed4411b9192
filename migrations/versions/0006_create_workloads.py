# SPDX-License-Identifier: Apache-2.0
"""What orchestrators say runs on each host, what was found there, and what is on its way."""

from typing import Any

import sqlalchemy as sa
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_MEDIUM_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value for server in ("mysql", "mariadb") for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Create ``workloads``, ``found_workloads`` and ``migrations``."""
    _create(
        "workloads",
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255)),
        *_workload_columns(),
        sa.Column("missing_since", _MOMENT),
        sa.Column("generation", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", _MOMENT),
        sa.Column("updated_at", _MOMENT),
        sa.UniqueConstraint("uuid", name="uniq_workloads0uuid"),
    )
    repeatable.create_index("ix_workloads_host", "workloads", ["host"])
    _create(
        "found_workloads",
        sa.Column("host_uuid", sa.String(36), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        *_workload_columns(),
        sa.Column("found_at", _MOMENT),
        sa.UniqueConstraint("host_uuid", "uuid", name="uniq_found_workloads0host_uuid0uuid"),
    )
    _create(
        "migrations",
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("workload_uuid", sa.String(36), nullable=False),
        sa.Column("source_host", sa.String(255)),
        sa.Column("dest_host", sa.String(255)),
        sa.Column("status", sa.String(255), nullable=False),
        sa.Column("migration_type", sa.String(255)),
        sa.Column("vcpus", sa.Double()),
        sa.Column("memory_bytes", sa.BigInteger()),
        sa.Column("disk_bytes", sa.BigInteger()),
        sa.Column("created_at", _MOMENT),
        sa.Column("updated_at", _MOMENT),
        sa.UniqueConstraint("uuid", name="uniq_migrations0uuid"),
    )
    repeatable.create_index("ix_migrations_workload_uuid", "migrations", ["workload_uuid"])
    repeatable.create_index("ix_migrations_source_host_status", "migrations", ["source_host", "status"])
    repeatable.create_index("ix_migrations_dest_host_status", "migrations", ["dest_host", "status"])


def _create(name: str, *items: sa.schema.SchemaItem) -> None:
    repeatable.create_table(name, sa.Column("id", _ID, primary_key=True, autoincrement=True), *items, **_OPTIONS)


def _workload_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("name", sa.String(255)),
        sa.Column("engine", sa.String(255)),
        sa.Column("kind", sa.String(255)),
        sa.Column("state", sa.String(255)),
        sa.Column("vcpus", sa.Double()),
        sa.Column("cpuset", _MEDIUM_TEXT),
        sa.Column("memory_bytes", sa.BigInteger()),
        sa.Column("hugepages", _MEDIUM_TEXT),
        sa.Column("disk_bytes", sa.BigInteger()),
        sa.Column("numa_nodes", _MEDIUM_TEXT),
        sa.Column("labels", _MEDIUM_TEXT),
    ]
