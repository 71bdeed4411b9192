# SPDX-License-Identifier: Apache-2.0
"""What is used of one host, and where each number comes from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from host_agent.numa import HostNuma, NumaCell
from host_agent.render.amounts import LABELS, OF_CAPACITY, amount, percentage, resource_table
from host_agent.render.text import BOLD, RED, UNSTYLED, YELLOW, columns, painted, plain, relative, size
from host_agent.resource_usage import DISK, MEMORY, PCPU, VCPU, HostColumns, ResourceUsage, resources_of
from host_agent.usage import INCOMING, ORPHAN, OUTGOING, RECORDED, Holding, Usage
from host_agent.workloads.workload import Workload

__all__ = ["host_line", "usage_text"]

# In this order, and what one and several of each are called.
_SOURCES = {
    RECORDED: ("recorded", "recorded"),
    INCOMING: ("incoming migration", "incoming migrations"),
    OUTGOING: ("outgoing migration", "outgoing migrations"),
    ORPHAN: ("orphan", "orphans"),
}
_UNITS_OF_BYTES = {MEMORY: 1024**2, DISK: 1024**3}
_HEADING = ("RESOURCE", "TOTAL", "RESERVED", "RATIO", "CAPACITY", "USED", "FREE", "USED %", OF_CAPACITY, "FROM")


def host_line(row: Mapping[str, Any], zone: str, aggregates: Sequence[str], *, colour: bool = False) -> str:
    """Say in a line which host it is, how it fares, and what groups it is in.

    Args:
        row: of the host, as the store lists it, with its ``state``.
        zone: its availability zone.
        aggregates: the names of those it is in.
        colour: whether a person looks at it on a terminal.
    """
    parts = [painted(plain(str(row["host"])), BOLD, colour=colour), str(row["state"]), f"uuid {row['uuid']}"]
    parts.append(f"availability zone {plain(zone)}")
    if aggregates:
        parts.append(f"aggregates {', '.join(map(plain, aggregates))}")
    return ", ".join(parts)


def usage_text(row: Mapping[str, Any], usage: Usage, *, colour: bool = False) -> str:
    """Explain the usage of a host: its resources, its NUMA nodes, its workloads, and how its engines answered.

    Args:
        row: of the host, as the store lists it.
        usage: what its workloads hold.
        colour: whether a person looks at it on a terminal: bars, and colours where somebody should look.
    """
    engines = json.loads(row["engines"]) if row["engines"] else []
    parts = [_resources(row, usage, colour), _nodes(usage.numa, colour), _workloads(usage.holdings, row, colour)]
    parts.append(_engines(engines, row, colour))
    return "\n\n".join(part for part in parts if part)


def _resources(row: Mapping[str, Any], usage: Usage, colour: bool) -> str:
    hosts = resources_of(row)
    # Most hosts keep no CPUs for pinning.
    shown = {name: host for name, host in hosts.items() if name != PCPU or host.total}
    usages = {name: ResourceUsage.of_host(host) for name, host in shown.items()}
    lines = {
        name: _resource(name, host.ratio, usages[name], _from(name, host, _held(name, row, usage), usage))
        for name, host in shown.items()
    }
    return resource_table(_HEADING, lines, usages, colour=colour)


def _resource(name: str, ratio: float | None, one: ResourceUsage, origin: str) -> tuple[str, ...]:
    return (
        LABELS[name],
        amount(name, one.total),
        amount(name, one.reserved),
        "?" if ratio is None else f"{ratio:g}",
        *(amount(name, value) for value in (one.capacity, one.used, one.free)),
        percentage(one.used_percent),
        "",
        origin,
    )


def _from(name: str, host: HostColumns, held: Callable[[Workload], float | None], usage: Usage) -> str:
    """Say what a used number is made of: what is reserved, and how many workloads of each kind hold some of it."""
    parts = [f"reserved {amount(name, host.reserved)}"] if host.reserved else []
    holding = [one for one in usage.holdings if held(one.workload)]
    if holding:
        parts.append(_counted(holding))
    unlimited = sum(held(one.workload) is None for one in usage.holdings)
    if unlimited:
        parts.append(f"{unlimited} without a known limit")
    return " + ".join(parts) or "-"


def _counted(holdings: Sequence[Holding]) -> str:
    """Say how many there are of each source."""
    counts = Counter(holding.source for holding in holdings)
    return ", ".join(
        f"{counts[source]} {one if counts[source] == 1 else several}"
        for source, (one, several) in _SOURCES.items()
        if counts[source]
    )


def _held(name: str, row: Mapping[str, Any], usage: Usage) -> Callable[[Workload], float | None]:
    """Give the function that tells what a workload holds of a resource, in its unit."""

    def pinned(workload: Workload) -> int:
        return 0 if usage.numa is None or not row["pcpus"] else len(usage.numa.pins(workload))

    def sized(workload: Workload) -> float | None:
        held = workload.memory_bytes if name == MEMORY else workload.disk_bytes
        return None if held is None else held / _UNITS_OF_BYTES[name]

    if name == VCPU:
        return lambda workload: None if workload.vcpus is None else max(0, workload.vcpus - pinned(workload))
    return pinned if name == PCPU else sized


def _nodes(numa: HostNuma | None, colour: bool) -> str:
    if numa is None or not numa.cells:
        return ""
    heading = ("NODE", "CPUS", "PINNED", "FREE CPUS", "MEMORY", "AVAILABLE", "HUGE PAGES")
    return columns([heading, *(_node(cell) for cell in numa.cells)], colour=colour)


def _node(cell: NumaCell) -> tuple[str, ...]:
    pools = [
        f"{size(pool.size_bytes)}: {'?' if pool.free is None else pool.free} of {pool.total} free"
        for pool in cell.hugepages or ()
        if pool.total
    ]
    return (
        str(cell.id),
        str(cell.cpuset) or "-",
        "?" if cell.pinned_cpus is None else str(cell.pinned_cpus) or "-",
        str(cell.free_cpus) or "-",
        _size(cell.memory_total_bytes),
        _size(cell.memory_available_bytes),
        ", ".join(pools) or "-",
    )


def _workloads(holdings: Sequence[Holding], row: Mapping[str, Any], colour: bool) -> str:
    if not holdings:
        return _no_workloads(row)
    heading = ("WORKLOAD", "ENGINE", "STATE", "VCPUS", "CPUS", "MEMORY", "DISK", "WHY IT COUNTS", "UUID")
    whys = heading.index("WHY IT COUNTS")

    def style(column: int, cell: str) -> str:
        if column != whys:
            return UNSTYLED
        return RED if "missing" in cell else YELLOW if cell.startswith(ORPHAN) else UNSTYLED

    missing = sum(holding.is_missing for holding in holdings)
    noun = "workload" if len(holdings) == 1 else "workloads"
    title = f"{len(holdings)} {noun}: {_counted(holdings)}" + (f"; {missing} missing" if missing else "")
    table = columns([heading, *(_workload(holding) for holding in holdings)], style, colour=colour)
    return f"{painted(title, BOLD, colour=colour)}\n{table}"


def _no_workloads(row: Mapping[str, Any]) -> str:
    """Say why there is none to show."""
    if row["retired_at"] is not None:
        return "retired: what is used stands as it was, and no workload is counted until the host is back"
    return "no workloads are known: no agent could look yet" if row["workloads_at"] is None else "no workloads"


def _workload(holding: Holding) -> tuple[str, ...]:
    workload = holding.workload
    cells = (
        workload.name or "-",
        workload.engine or "-",
        workload.state or "-",
        "?" if workload.vcpus is None else f"{workload.vcpus:g}",
        "any" if workload.cpuset is None else str(workload.cpuset),
        _size(workload.memory_bytes),
        _size(workload.disk_bytes),
        _why(holding),
        workload.uuid,
    )
    return tuple(plain(cell) for cell in cells)


def _why(holding: Holding) -> str:
    """Say why a workload counts here, and what is odd about it."""
    elsewhere = "" if holding.recorded_host is None else f", recorded for {holding.recorded_host}"
    if holding.source == RECORDED:
        return "recorded, missing" if holding.is_missing else "recorded"
    if holding.source == ORPHAN:
        return f"{ORPHAN}{elsewhere}"
    ends = [move.source_host if holding.source == INCOMING else move.dest_host for move in holding.migrations]
    towards = "from" if holding.source == INCOMING else "to"
    return f"{holding.source} {towards} {', '.join(end or '?' for end in ends)}{elsewhere}"


def _engines(engines: Iterable[Mapping[str, Any]], row: Mapping[str, Any], colour: bool) -> str:
    heading = ("ENGINE", "STATUS", "SEEN", "LIST", "REASON")
    passed = _since(row)
    lines = [
        (
            str(engine["engine"]),
            str(engine["status"]),
            _seen(passed, engine["age_seconds"]),
            "complete" if engine["complete"] else "may lack some",
            plain(str(engine["reason"] or "")),
        )
        for engine in engines
    ]

    def style(column: int, cell: str) -> str:
        return YELLOW if column == 1 and cell != "answered" else UNSTYLED

    return columns([heading, *lines], style, colour=colour) if lines else ""


def _seen(passed: float | None, age_seconds: float | None) -> str:
    if age_seconds is None:
        return "never"
    return "?" if passed is None else relative(passed + age_seconds)


def _since(row: Mapping[str, Any]) -> float | None:
    """Give the seconds since the agent told last what runs here."""
    then, now = row["workloads_at"], row["now"]
    return max(0.0, (now - then).total_seconds()) if isinstance(then, datetime) else None


def _size(size_bytes: int | None) -> str:
    return "?" if size_bytes is None else size(size_bytes)
