# SPDX-License-Identifier: Apache-2.0
"""Whether a host can be counted on, from its stored row and the database's clock alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

__all__ = ["DISABLED", "DOWN", "RETIRED", "STALE", "UP", "silent_seconds", "state"]

RETIRED, DOWN, DISABLED, STALE, UP = "retired", "down", "disabled", "stale", "up"


def state(row: Mapping[str, object], *, down_after_seconds: float, stale_after_seconds: float) -> str:
    """Give the state of a host; of several that hold, the first of these.

    *retired*: an operator took it out of service. *down*: it was not heard of for `down_after_seconds`, or never, or an
    operator forced it down. *disabled*: by an operator. *stale*: it is alive, and its row was not written for
    `stale_after_seconds`, or nobody knows when. *up*: everything else.

    Args:
        row: as the store lists hosts.
        down_after_seconds: the option ``down_after``.
        stale_after_seconds: three times the option ``full_interval``.
    """
    if row["retired_at"] is not None:
        return RETIRED
    silent = silent_seconds(row)
    if row["forced_down"] or silent is None or silent > down_after_seconds:
        return DOWN
    if row["disabled"]:
        return DISABLED
    written = _age_seconds(row, "updated_at")
    return STALE if written is None or written > stale_after_seconds else UP


def silent_seconds(row: Mapping[str, object]) -> float | None:
    """Give for how long a host was not heard of; ``None`` where it never was, or has no service."""
    return _age_seconds(row, "last_seen_up")


def _age_seconds(row: Mapping[str, object], column: str) -> float | None:
    then, now = row[column], row["now"]
    if not isinstance(then, datetime) or not isinstance(now, datetime):
        return None
    # After a failover the new server's clock may be behind the one that wrote.
    return max(0.0, (now - then).total_seconds())
