# SPDX-License-Identifier: Apache-2.0
"""What changed on each host."""

from typing import Any

import sqlalchemy as sa
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_MEDIUM_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value for server in ("mysql", "mariadb") for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Create ``events``."""
    repeatable.create_table(
        "events",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("host_uuid", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255)),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("code", sa.String(255), nullable=False),
        sa.Column("message", _MEDIUM_TEXT, nullable=False),
        sa.Column("detail", _MEDIUM_TEXT, nullable=False),
        sa.Column("boot_id", sa.String(36)),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("uuid", name="uniq_events0uuid"),
        **_OPTIONS,
    )
    repeatable.create_index("ix_events_host_uuid_at", "events", ["host_uuid", "at"])
    repeatable.create_index("ix_events_at", "events", ["at"])
