# SPDX-License-Identifier: Apache-2.0
"""Whether a process that wrote its number down is still the one that has it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_running", "started_ticks"]


def started_ticks(pid: int) -> int | None:
    """Give when a process was started, in clock ticks since the boot; ``None`` where that cannot be seen."""
    stat = _stat(pid)
    return None if stat is None else stat[1]


def is_running(pid: int, ticks: int | None) -> bool:
    """Tell whether the process `pid` that was started at `ticks` still runs: its number may be another's by now."""
    stat = _stat(pid)
    if stat is None or ticks is None:
        return _exists(pid)
    state, known = stat
    return known == ticks and state not in "ZX"


def _stat(pid: int) -> tuple[str, int] | None:
    """Give state and start of a process, the fields 3 and 22 of its stat in proc(5)."""
    try:
        # The command's name, in parentheses, may hold blanks and parentheses itself.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # it is gone, proc is mounted with hidepid, or there is none
        return None
    return fields[0], int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
