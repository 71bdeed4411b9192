# SPDX-License-Identifier: Apache-2.0
"""Amounts of resources, and how full they are, for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from host_agent.render.text import GREEN, RED, UNSTYLED, YELLOW, columns, size
from host_agent.resource_usage import DISK, MEMORY, PCPU, VCPU, ResourceUsage

__all__ = ["LABELS", "OF_CAPACITY", "amount", "of_total", "percentage", "resource_table"]

LABELS = {VCPU: "VCPU", PCPU: "PCPU", MEMORY: "MEMORY", DISK: "DISK"}

OF_CAPACITY = "OF CAPACITY"

_UNIT_BYTES = {MEMORY: 1024**2, DISK: 1024**3}
_BAR = 10
# From here on somebody should look.
_FULL_PERCENT, _NEARLY_FULL_PERCENT = 95, 80


def amount(resource: str, value: float | None) -> str:
    """Give an amount of a resource in words: CPUs as they are, the rest as a size."""
    if value is None:
        return "?"
    if resource not in _UNIT_BYTES:
        return f"{value:.10g}"
    return f"{'-' if value < 0 else ''}{size(round(abs(value) * _UNIT_BYTES[resource]))}"


def percentage(value: float | None) -> str:
    """Give a percentage; where there is nothing, there is none."""
    return "-" if value is None else f"{value:.0f} %"


def of_total(resource: str, one: ResourceUsage) -> str:
    """Give what is used of a total in one cell; both have the same unit."""
    if one.total is None and one.used is None:
        return "?"
    if not one.total and not one.used:
        return "-"
    return f"{amount(resource, one.used)} of {amount(resource, one.total)}, {percentage(one.used_percent)}"


def resource_table(
    heading: Sequence[str],
    lines: Mapping[str, Sequence[str]],
    usages: Mapping[str, ResourceUsage],
    *,
    colour: bool = False,
) -> str:
    """Give a line for each resource under a heading, in whose column `OF_CAPACITY` stands how full it is.

    Args:
        heading: the names of the columns.
        lines: the cells by resource, as many as the heading has; that of `OF_CAPACITY` is filled in here.
        usages: of the resources.
        colour: whether that is drawn as a bar, in the colour of what somebody should look at.
    """
    at, styles, table = heading.index(OF_CAPACITY), {}, [heading]
    for resource, cells in lines.items():
        percent = usages[resource].capacity_used_percent
        full = f"{_bar(percent)} {percentage(percent)}" if colour and percent is not None else percentage(percent)
        styles[full] = _fullness(percent)
        table.append([*cells[:at], full, *cells[at + 1 :]])
    return columns(table, lambda column, cell: styles.get(cell, UNSTYLED) if column == at else UNSTYLED, colour=colour)


def _bar(percent: float) -> str:
    """Draw how full something is; what is overfull is full."""
    filled = min(_BAR, max(0, round(percent * _BAR / 100)))
    return "#" * filled + "-" * (_BAR - filled)


def _fullness(percent: float | None) -> str:
    if percent is None:
        return UNSTYLED
    return RED if percent >= _FULL_PERCENT else YELLOW if percent >= _NEARLY_FULL_PERCENT else GREEN
