# SPDX-License-Identifier: Apache-2.0
"""What machine a row of ``compute_host`` is, which facts are newer, and whether an operator retired it."""

import sqlalchemy as sa
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Widen ``compute_host``."""
    repeatable.add_columns(
        "compute_host",
        sa.Column("machine_id", sa.String(255)),
        sa.Column("product_uuid", sa.String(36)),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("retired_at", _MOMENT),
    )
    repeatable.create_index("ix_compute_host_machine_id", "compute_host", ["machine_id"])
