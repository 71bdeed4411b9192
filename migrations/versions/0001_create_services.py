# SPDX-License-Identifier: Apache-2.0
"""The heartbeats of the agents, in the shape of Nova's ``services``."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value for server in ("mysql", "mariadb") for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Create ``services``."""
    repeatable.create_table(
        "services",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("binary", sa.String(255), nullable=False),
        sa.Column("topic", sa.String(255), nullable=False),
        sa.Column("report_count", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("disabled_reason", sa.String(255)),
        sa.Column("last_seen_up", _MOMENT),
        sa.Column("forced_down", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("version", sa.BigInteger()),
        sa.Column("created_at", _MOMENT),
        sa.Column("updated_at", _MOMENT),
        sa.Column("deleted_at", _MOMENT),
        sa.Column("deleted", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.UniqueConstraint("uuid", name="uniq_services0uuid"),
        sa.UniqueConstraint("host", "binary", name="uniq_services0host0binary"),
        **_OPTIONS,
    )
    if op.get_bind().dialect.name == "postgresql":
        # Room on each page for the rows' next versions, so that an update touches no index (HOT).
        op.execute("ALTER TABLE services SET (fillfactor = 50)")
