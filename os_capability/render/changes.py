# SPDX-License-Identifier: Apache-2.0
"""Changes for a terminal: one a line, with a sign for what was gained, lost or changed."""

from __future__ import annotations

from collections.abc import Sequence

from os_capability.insight.diff import CHANGED, GAINED, LOST, Change
from os_capability.render.terminal import GREEN, RED, YELLOW, painted, plain

__all__ = ["render_changes"]

_SIGNS = {GAINED: "+", LOST: "-", CHANGED: "~"}
_COLOURS = {GAINED: GREEN, LOST: RED, CHANGED: YELLOW}


def render_changes(changes: Sequence[Change], *, colour: bool = False) -> str:
    """Draw changes in their order; a line that says so where there are none."""
    return "\n".join(_line(change, colour) for change in changes) or "nothing changed"


def _line(change: Change, colour: bool) -> str:
    return painted(f"{_SIGNS[change.effect]} {plain(change.message)}", _COLOURS[change.effect], colour=colour)
