# SPDX-License-Identifier: Apache-2.0
"""The clock that orders what this boot reports: it survives a restart of the agent and no step of the wall clock."""

from __future__ import annotations

import time

__all__ = ["sequence"]

# Linux counts a suspension too; elsewhere there is only the clock that stops meanwhile. Either begins anew at a boot.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def sequence() -> int:
    """Give the microseconds since this machine was started."""
    return time.clock_gettime_ns(_CLOCK) // 1000
