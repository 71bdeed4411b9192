# SPDX-License-Identifier: Apache-2.0
"""Groups of hosts, and the availability zones made of them."""

from typing import Any

import sqlalchemy as sa
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value for server in ("mysql", "mariadb") for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Create ``aggregates``, ``aggregate_hosts`` and ``aggregate_metadata``."""
    _create(
        "aggregates",
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.UniqueConstraint("uuid", name="uniq_aggregates0uuid"),
        sa.UniqueConstraint("name", name="uniq_aggregates0name"),
    )
    _create(
        "aggregate_hosts",
        sa.Column("aggregate_id", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.UniqueConstraint("aggregate_id", "host", name="uniq_aggregate_hosts0aggregate_id0host"),
    )
    repeatable.create_index("ix_aggregate_hosts_host", "aggregate_hosts", ["host"])
    _create(
        "aggregate_metadata",
        sa.Column("aggregate_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("value", sa.String(255), nullable=False),
        sa.UniqueConstraint("aggregate_id", "key", name="uniq_aggregate_metadata0aggregate_id0key"),
    )


def _create(name: str, *items: sa.schema.SchemaItem) -> None:
    repeatable.create_table(
        name,
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        *items,
        sa.Column("created_at", _MOMENT),
        sa.Column("updated_at", _MOMENT),
        sa.Column("deleted_at", _MOMENT),
        sa.Column("deleted", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        **_OPTIONS,
    )
