# SPDX-License-Identifier: Apache-2.0
"""How facts are named in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from os_capability.cpuset import CpuSet

__all__ = ["counted", "cpus_text", "listed", "memory_text", "nodes_text", "ranges"]


def counted(number: int, noun: str) -> str:
    """Give a number with its noun: ``1 CPU``, ``2 CPUs``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def cpus_text(cpus: CpuSet) -> str:
    """Name CPUs: ``CPU 12``, ``CPUs 4-7``, ``no CPU``."""
    if not cpus:
        return "no CPU"
    return f"CPU{'' if len(cpus) == 1 else 's'} {cpus}"


def nodes_text(ids: Iterable[int]) -> str:
    """Name NUMA nodes: ``node 1``, ``nodes 0-2,8``, ``no node``."""
    numbers = set(ids)
    if not numbers:
        return "no node"
    return f"node{'' if len(numbers) == 1 else 's'} {ranges(numbers)}"


def memory_text(kind: str | None) -> str:
    """Name memory by its kind: ``GPU memory``, ``memory of unknown kind``, plain RAM just ``memory``."""
    if kind == "unknown":
        return "memory of unknown kind"
    return "memory" if kind in (None, "dram") else f"{kind.upper()} memory"


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers as the kernel writes CPU lists, however large they are: ``0-3,8``."""
    runs = groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    found = [[number for _, number in run] for _, run in runs]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in found)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Give names as a list that stays short: ``a, b, c, d and 12 more``."""
    shown = names if len(names) <= most + 1 else names[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
