# SPDX-License-Identifier: Apache-2.0
"""Who may use the API where no Keystone says so."""

from typing import Any

import sqlalchemy as sa
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value for server in ("mysql", "mariadb") for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Create ``api_tokens``."""
    repeatable.create_table(
        "api_tokens",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(255), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.UniqueConstraint("uuid", name="uniq_api_tokens0uuid"),
        sa.UniqueConstraint("name", name="uniq_api_tokens0name"),
        sa.UniqueConstraint("token_hash", name="uniq_api_tokens0token_hash"),
        **_OPTIONS,
    )
