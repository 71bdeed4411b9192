# SPDX-License-Identifier: Apache-2.0
"""What every text for a terminal needs: lines that fit, colours, and nothing that would steer the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from os_capability.model import HostWarning

__all__ = [
    "BOLD",
    "COLUMNS",
    "CYAN",
    "DIM",
    "GREEN",
    "RED",
    "UNSTYLED",
    "YELLOW",
    "painted",
    "plain",
    "warning_lines",
    "wrap",
]

# Where nobody asks how wide the terminal is.
COLUMNS = 80
# ECMA-48, select graphic rendition.
UNSTYLED, BOLD, DIM, RED, GREEN, YELLOW, CYAN = "", "1", "2", "31", "32", "33", "36"


def painted(text: str, style: str, *, colour: bool) -> str:
    """Give a text in a style, or as it is where there is no colour."""
    return f"\x1b[{style}m{text}\x1b[0m" if colour and style else text


def plain(text: str) -> str:
    """Give a text of the machine without what would steer a terminal or break an XML file."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def warning_lines(
    warnings: Iterable[HostWarning], width: int = COLUMNS, text_width: Callable[[str], int] = len
) -> list[str]:
    """Give the reader's warnings as lines of at most `width` columns."""
    texts = (plain(f"! {warning.code}: {warning.message}") for warning in warnings)
    return [line for text in texts for line in wrap(text, width, text_width=text_width)]


def wrap(text: str, width: int, indent: str = "  ", text_width: Callable[[str], int] = len) -> list[str]:
    """Break a text at blanks, and after commas for CPU lists, which have none.

    A longer word breaks after a slash, as paths have them, or anywhere.
    """
    lines = [""]
    for piece in text.replace(" ", " \0").replace(",", ",\0").split("\0"):
        if lines[-1].strip() and text_width(lines[-1] + piece.rstrip()) > width:
            lines.append(indent)
        lines[-1] += piece
        while text_width(lines[-1].rstrip()) > width and len(lines[-1]) > len(indent) + 1:
            fits = (at for at in range(len(lines[-1]), 0, -1) if text_width(lines[-1][:at]) <= width)
            most = max(next(fits, 0), len(indent) + 1)
            after_slash = lines[-1].rfind("/", 0, most) + 1
            cut = after_slash if after_slash > most // 2 else most
            lines[-1:] = [lines[-1][:cut], indent + lines[-1][cut:]]
    return [line.rstrip() for line in lines]
