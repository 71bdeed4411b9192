# SPDX-License-Identifier: Apache-2.0
"""How busy each host is, which its facts tell only when something else of them changed."""

import sqlalchemy as sa
from host_agent.migrations import repeatable

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Widen ``compute_host``."""
    repeatable.add_columns(
        "compute_host",
        sa.Column("users", sa.BigInteger()),
        sa.Column("load_average", sa.String(255)),
    )
