# SPDX-License-Identifier: Apache-2.0
"""Events that are about no single host."""

import sqlalchemy as sa
from host_agent.migrations import repeatable

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Let ``events.host_uuid`` be NULL."""
    repeatable.allow_null("events", "host_uuid", sa.String(36))
