# SPDX-License-Identifier: Apache-2.0
"""Which boot holds a row of ``services``, and which other one claimed it meanwhile."""

import sqlalchemy as sa
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Widen ``services``."""
    repeatable.add_columns(
        "services",
        sa.Column("boot_id", sa.String(36)),
        sa.Column("contender_boot_id", sa.String(36)),
        sa.Column("contender_host", sa.String(255)),
        sa.Column("contended_at", _MOMENT),
    )
