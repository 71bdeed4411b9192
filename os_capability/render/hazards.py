# SPDX-License-Identifier: Apache-2.0
"""Hazards for a terminal: the gravest first, each with its evidence and what to do; at most 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from os_capability.insight.check import CRITICAL, INFO, WARNING, Hazard
from os_capability.render.terminal import BOLD, COLUMNS, CYAN, RED, YELLOW, painted, plain, wrap
from os_capability.wording import counted

__all__ = ["render_hazards"]

_LABEL = 10
_COLOURS = {CRITICAL: RED, WARNING: YELLOW, INFO: CYAN}
_LABELS = {CRITICAL: "critical", WARNING: "warning", INFO: "note"}


def render_hazards(hazards: Sequence[Hazard], *, colour: bool = False) -> str:
    """Draw hazards and notes below a line that counts them."""
    blocks = [_heading(hazards)]
    blocks += ["\n".join(_block(hazard, colour)) for hazard in hazards]
    return "\n\n".join(blocks)


def _heading(hazards: Sequence[Hazard]) -> str:
    counts = Counter(hazard.severity for hazard in hazards)
    number = counts[CRITICAL] + counts[WARNING]
    parts = [counted(number, "hazard") if number else "no hazards"]
    if counts[CRITICAL]:
        parts.append("critical" if number == 1 else f"{counts[CRITICAL]} of them critical")
    if counts[INFO]:
        parts.append(counted(counts[INFO], "note"))
    return ", ".join(parts)


def _block(hazard: Hazard, colour: bool) -> Iterator[str]:
    label = f"{_LABELS[hazard.severity]:<{_LABEL}}"
    yield painted(label, _COLOURS[hazard.severity], colour=colour) + painted(hazard.code, BOLD, colour=colour)
    for text in (hazard.summary, *(f"- {plain(line)}" for line in hazard.evidence), f"> {hazard.advice}"):
        for line in wrap(text, COLUMNS - _LABEL, "" if text is hazard.summary else "  "):
            yield " " * _LABEL + line
