# SPDX-License-Identifier: Apache-2.0
"""What is used of a zone, an aggregate or the fleet: one line for each host, and their sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from host_agent.render.amounts import LABELS, OF_CAPACITY, amount, of_total, percentage, resource_table
from host_agent.render.text import BOLD, columns, painted, plain
from host_agent.resource_usage import PCPU, RESOURCES, GroupUsage, ResourceUsage, resources_of

__all__ = ["group_text"]

_HEADING = ("RESOURCE", "TOTAL", "RESERVED", "CAPACITY", "USED", "FREE", "USED %", OF_CAPACITY, "UNKNOWN")


def group_text(title: str, rows: Sequence[Mapping[str, Any]], group: GroupUsage, *, colour: bool = False) -> str:
    """Give one line for each host of a group, under a heading, and what they have together.

    Args:
        title: what the group is.
        rows: of its hosts, as the store lists them, each with its ``state``.
        group: what they have together.
        colour: whether a person looks at it on a terminal: bars, and colours where somebody should look.
    """
    has_pinning = any(row["pcpus"] for row in rows)
    names = [name for name in RESOURCES if name != PCPU or has_pinning]
    title = f"{plain(title)}: {_counted(group)}"
    parts = [_hosts(rows, names, colour)] if rows else []
    if group.hosts:
        lines = {name: _resource(name, group.resources[name]) for name in names}
        table = resource_table(_HEADING, lines, group.resources, colour=colour)
        parts.append(f"{painted(title, BOLD, colour=colour)}\n{table}")
    else:
        parts.append(title)
    return "\n\n".join(parts)


def _counted(group: GroupUsage) -> str:
    return f"{_hosts_in_words(group.hosts)}, {group.up} up, {group.enabled} enabled"


def _hosts_in_words(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def _hosts(rows: Sequence[Mapping[str, Any]], names: Sequence[str], colour: bool) -> str:
    heading = ("HOST", "STATE", *(LABELS[name] for name in names), "VMS", "CONTAINERS")
    return columns([heading, *(_host(row, names) for row in rows)], colour=colour)


def _host(row: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    resources = resources_of(row)
    used = [of_total(name, ResourceUsage.of_host(resources[name])) for name in names]
    counts = [row["running_vms"], row["running_containers"]]
    shown = ("?" if count is None else str(count) for count in counts)
    return (plain(str(row["host"])), str(row["state"]), *used, *shown)


def _resource(name: str, one: ResourceUsage) -> tuple[str, ...]:
    return (
        LABELS[name],
        *(amount(name, value) for value in (one.total, one.reserved, one.capacity, one.used, one.free)),
        percentage(one.used_percent),
        "",
        _hosts_in_words(one.unknown) if one.unknown else "-",
    )
