# SPDX-License-Identifier: Apache-2.0
"""Times as Nova writes them: in UTC without saying so, to the microsecond."""

from __future__ import annotations

from datetime import datetime

__all__ = ["time_text"]


def time_text(moment: object) -> str | None:
    """Write a time of the database; ``None`` stays."""
    # Not by strftime, which takes several times as long: a list of services has one for each host.
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") if isinstance(moment, datetime) else None
