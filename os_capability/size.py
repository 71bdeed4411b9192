# SPDX-License-Identifier: Apache-2.0
"""Sizes as people read them."""

from __future__ import annotations

__all__ = ["format_bytes"]


def format_bytes(size: int | None) -> str:
    """Give a size for a person: three digits or so, binary units; ``unknown`` for ``None``."""
    if size is None:
        return "unknown"
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if amount < 1024 or unit == "PiB":
            break
        amount /= 1024
    digits = 0 if amount >= 100 or amount == int(amount) else 1
    return f"{amount:.{digits}f} {unit}"
