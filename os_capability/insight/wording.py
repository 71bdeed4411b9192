# SPDX-License-Identifier: Apache-2.0
"""How facts are named in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from os_capability.cpuset import CpuSet

__all__ = ["counted", "cpus_text", "listed"]


def counted(number: int, noun: str) -> str:
    """Give a number with its noun: ``1 CPU``, ``2 CPUs``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def cpus_text(cpus: CpuSet) -> str:
    """Name CPUs: ``CPU 12``, ``CPUs 4-7``, ``no CPU``."""
    if not cpus:
        return "no CPU"
    return f"CPU{'' if len(cpus) == 1 else 's'} {cpus}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Give names as a list that stays short: ``a, b, c, d and 12 more``."""
    shown = names if len(names) <= most + 1 else names[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
