# SPDX-License-Identifier: Apache-2.0
"""Events for tests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from host_agent.event import Event

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def event(number: int = 0, code: str = "memory-lost", **detail: Any) -> Event:
    """Give event `number` of one boot, a second after the one before."""
    return Event(
        code=code,
        message=f"{code} {number}",
        detail=detail,
        at=START + timedelta(seconds=number),
        boot_id="11111111-2222-4333-8444-555555555555",
        sequence=1_000_000 * (number + 1),
    )
