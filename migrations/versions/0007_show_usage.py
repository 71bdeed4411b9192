# SPDX-License-Identifier: Apache-2.0
"""What of each host is kept back, what its workloads hold, and how its engines answered."""

import sqlalchemy as sa
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_MEDIUM_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Widen ``compute_host``."""
    repeatable.add_columns(
        "compute_host",
        sa.Column("pcpus", sa.BigInteger()),
        sa.Column("pcpus_used", sa.BigInteger()),
        sa.Column("reserved_host_cpus", sa.BigInteger()),
        sa.Column("reserved_host_memory_mb", sa.BigInteger()),
        sa.Column("reserved_host_disk_mb", sa.BigInteger()),
        sa.Column("shared_storage", sa.String(255)),
        sa.Column("engines", _MEDIUM_TEXT),
        sa.Column("workloads_at", _MOMENT),
        sa.Column("usage_generation", sa.BigInteger()),
    )
