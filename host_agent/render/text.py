# SPDX-License-Identifier: Apache-2.0
"""What every text for a person needs: sizes, times and columns, and nothing that would steer a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone

__all__ = [
    "BOLD",
    "DIM",
    "GREEN",
    "RED",
    "UNSTYLED",
    "YELLOW",
    "columns",
    "duration",
    "painted",
    "plain",
    "relative",
    "rfc3339",
    "size",
]

# ECMA-48, select graphic rendition.
UNSTYLED, BOLD, DIM, RED, GREEN, YELLOW = "", "1", "2", "31", "32", "33"

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def painted(text: str, style: str, *, colour: bool) -> str:
    """Give a text in a style, or as it is where there is no colour."""
    return f"\x1b[{style}m{text}\x1b[0m" if colour and style else text


def plain(text: str) -> str:
    """Give a text that other machines have written without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def size(size_bytes: int) -> str:
    """Give a size in words."""
    amount = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} TiB"


def duration(seconds: float) -> str:
    """Give a length of time in its greatest unit, or its two greatest: ``12 s``, ``5 min``, ``3 d 2 h``."""
    rest, parts = int(max(0.0, seconds)), []
    for length, unit in _UNITS:
        if rest >= length:
            parts.append(f"{rest // length} {unit}")
            rest %= length
    return " ".join(parts[:2]) or f"{rest} s"


def relative(seconds: float | None) -> str:
    """Say how long ago something was; what lies in the future by another clock is now."""
    return "never" if seconds is None else f"{duration(seconds)} ago"


def rfc3339(moment: datetime) -> str:
    """Spell a time of the database, which is UTC whether or not the value says so."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds") + "Z"


def columns(
    table: Sequence[Sequence[str]], style: Callable[[int, str], str] | None = None, *, colour: bool = False
) -> str:
    """Give rows, the heading among them, as lines of aligned columns.

    Args:
        table: the rows, equally long.
        style: gives the style of a cell below the heading, by its place in the row and its text.
        colour: whether there are styles at all.
    """
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    lines = []
    for number, row in enumerate(table):
        cells = [
            painted(f"{cell:<{width}}", BOLD if number == 0 else style(at, cell) if style else UNSTYLED, colour=colour)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
