# SPDX-License-Identifier: Apache-2.0
"""Changes for a terminal: one a line, with a sign for what was gained, lost or changed."""

from __future__ import annotations

from collections.abc import Sequence

from os_capability.insight.diff import CHANGED, GAINED, LOST, Change
from os_capability.render.contents import plain

__all__ = ["render_changes"]

_SIGNS = {GAINED: "+", LOST: "-", CHANGED: "~"}
_COLOURS = {GAINED: "\x1b[32m", LOST: "\x1b[31m", CHANGED: "\x1b[33m"}
_RESET = "\x1b[0m"


def render_changes(changes: Sequence[Change], *, colour: bool = False) -> str:
    """Draw changes in their order; a line that says so where there are none."""
    return "\n".join(_line(change, colour) for change in changes) or "nothing changed"


def _line(change: Change, colour: bool) -> str:
    line = f"{_SIGNS[change.effect]} {plain(change.message)}"
    return f"{_COLOURS[change.effect]}{line}{_RESET}" if colour else line
