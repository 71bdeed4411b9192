# SPDX-License-Identifier: Apache-2.0
"""The line that ``uptime`` of procps prints: Nova passes it on as it is, and clients take it apart."""

from __future__ import annotations

from datetime import datetime

__all__ = ["uptime_line"]


def uptime_line(now: datetime, up_seconds: float, users: int, load_average: tuple[float, float, float]) -> str:
    """Give the line, as `` 17:37:14 up 12 days,  2:33,  3 users,  load average: 0.33, 0.36, 0.34``.

    Args:
        now: the time of day that it begins with.
        up_seconds: since the boot.
        users: people logged in.
        load_average: over 1, 5 and 15 minutes.
    """
    days, minutes = divmod(int(up_seconds) // 60, 1440)
    since = f"{days} day{_plural(days)}, " if days else ""
    since += f"{minutes // 60:2}:{minutes % 60:02}" if minutes >= 60 else f"{minutes} min"
    one, five, fifteen = load_average
    loads = f"{one:.2f}, {five:.2f}, {fifteen:.2f}"
    # Not strftime, which takes longer than all the rest.
    time = now.time().isoformat("seconds")
    return f" {time} up {since}, {users:2} user{_plural(users)},  load average: {loads}"


def _plural(count: int) -> str:
    return "s" if count > 1 else ""
