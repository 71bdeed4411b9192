# SPDX-License-Identifier: Apache-2.0
"""The moment of a reading, and how long the system has been up by then."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["now", "uptime_seconds"]


def now() -> datetime:
    """Give this moment in UTC, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def uptime_seconds(boot_time: datetime | None, at: datetime) -> float | None:
    """Give the seconds since the system started; 0 where its clock was set back to before that."""
    return None if boot_time is None else max(0.0, (at - boot_time).total_seconds())
