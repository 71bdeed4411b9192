# SPDX-License-Identifier: Apache-2.0
"""Sizes as people read and write them."""

from __future__ import annotations

import re

from os_capability.errors import InvalidSize

__all__ = ["format_bytes", "parse_size"]


def format_bytes(size: int | None, *, round_up: bool = False) -> str:
    """Give a size for a person: three digits or so, no idle ``.0``, binary units; ``unknown`` for ``None``.

    Rounded up where less than `size` would be too little.
    """
    if size is None:
        return "unknown"
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if amount < 1024 or unit == "PiB":
            break
        amount /= 1024
    digits = 0 if amount >= 100 or amount == int(amount) else 1
    if round_up:
        amount = -(-amount * 10**digits // 1) / 10**digits
    return f"{amount:.{digits}f}".removesuffix(".0") + f" {unit}"


def parse_size(text: str) -> int:
    """Give the bytes of a size: ``1048576``, ``512M``, ``4G``, ``4Gi``, ``4GiB``; the units are powers of 1,024.

    Raises:
        InvalidSize: it is anything else; ``4GB`` too, because people mean two different sizes by it.
    """
    found = re.fullmatch(r"([0-9]{1,18})(?:([KMGTP])(?:iB?)?)?", text, re.ASCII | re.IGNORECASE)
    if found is None:
        raise InvalidSize(text)
    number, unit = found.groups()
    return int(number) << 10 * " KMGTP".index((unit or " ").upper())
