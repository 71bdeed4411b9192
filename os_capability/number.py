# SPDX-License-Identifier: Apache-2.0
"""Whole numbers in text that came from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["numbered", "whole_number"]

_MOST_DIGITS_OF_IDS = 6


def whole_number(text: str, most_digits: int) -> int | None:
    """Give the number that a text of at most so many ASCII digits is, ``None`` for any other text."""
    # int() would also take "1_0", "+1" and other scripts' digits, and raises ValueError at more than 4,300 of them.
    return int(text) if len(text) <= most_digits and text.isascii() and text.isdigit() else None


def numbered(names: Iterable[str], prefix: str) -> list[int]:
    """Give the ids of the names ``<prefix><id>``, ascending; others, such as ``cpufreq`` beside ``cpu0``, are left out.

    An id has at most 6 digits.
    """
    ids = (whole_number(name[len(prefix) :], _MOST_DIGITS_OF_IDS) for name in names if name.startswith(prefix))
    return sorted(number for number in ids if number is not None)
