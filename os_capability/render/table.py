# SPDX-License-Identifier: Apache-2.0
"""A machine as a table for a terminal: at most 80 columns, plain where there is no colour."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from os_capability.model import Cpu, Host, HugePages, Memory, NodeHugePages, NumaNode, NumaTopology, System
from os_capability.size import format_bytes

__all__ = ["format_bytes", "render_fields", "render_host", "wrap"]

_WIDTH = 80
_LABEL = 12
_BAR = 10
_BOLD, _DIM, _YELLOW, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"
_UNKNOWN = "unknown"


def render_host(host: Host, *, colour: bool = False) -> str:
    """Draw what a person wants to see first: machine, CPUs, memory, then a line per NUMA node."""
    paint = _Paint(colour)
    lines = [
        *_section(paint, "Machine", _machine(host)),
        *_section(paint, "CPUs", _cpus(host.cpu, host.numa)),
        *_section(paint, "Memory", _memory(host.memory)),
        *_section(paint, "Limits", _limits(host)),
        "",
        *_nodes(paint, host.numa),
    ]
    for warning in host.warnings:
        text = wrap(f"! {warning.code}: {warning.message}", _WIDTH)
        lines += [paint(_YELLOW, line) for line in text]
    return "\n".join(lines)


def render_fields(fields: Mapping[str, object]) -> str:
    """Draw chosen fields of the document, one a line: name and value; lists and objects as JSON."""
    width = max(map(len, fields))
    return "\n".join(f"{name:<{width}}  {_value(value)}" for name, value in fields.items())


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Paint:
    """Colours a text, or leaves it plain."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if self._colour else text


def _section(paint: _Paint, label: str, parts: Sequence[str]) -> Iterator[str]:
    lines = [line for part in parts for line in wrap(part, _WIDTH - _LABEL)]
    for at, line in enumerate(lines):
        yield paint(_BOLD, f"{label if at == 0 else '':<{_LABEL}}") + line


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


def _machine(host: Host) -> list[str]:
    system = host.system
    kernel = " ".join(filter(None, ("Linux" if system.os_type == "linux" else system.os_type, system.kernel)))
    lines = [host.hostname or "(no host name)"]
    if system.os:
        lines.append(system.os)
    lines.append(" ".join(filter(None, (kernel, system.architecture))))
    place = _place(system)
    return [*lines, place] if place else lines


def _place(system: System) -> str:
    parts = []
    if system.virtualization:
        parts.append(f"virtual machine ({system.virtualization})")
    if system.view == "container":
        parts.append("seen from a container")
    if system.uptime_seconds is not None:
        parts.append(f"up {_duration(system.uptime_seconds)}")
    if system.load_average:
        parts.append("load " + " ".join(f"{load:.2f}" for load in system.load_average))
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes = int(seconds) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _cpus(cpu: Cpu, numa: NumaTopology) -> list[str]:
    lines = [cpu.model or cpu.vendor or "(model unknown)"]
    counts = [
        _count(cpu.threads, "CPU") + " online",
        _count(cpu.cores, "core"),
        _count(cpu.sockets, "socket"),
        _count(None if numa.synthetic else len(numa.nodes), "NUMA node"),
    ]
    lines.append(", ".join(count for count in counts if count))
    for kind in cpu.kinds:
        threads = f", {kind.threads_per_core} threads per core" if (kind.threads_per_core or 1) > 1 else ""
        lines.append(f"{kind.name} {kind.cpus}{threads}")
    for name, cpus in (("offline", cpu.offline), ("isolated", cpu.isolated), ("nohz_full", cpu.nohz_full)):
        if cpus:
            lines.append(f"{name} {cpus}")
    return lines


def _count(number: int | None, noun: str) -> str:
    return "" if number is None else f"{number} {noun}{'' if number == 1 else 's'}"


def _memory(memory: Memory) -> list[str]:
    if memory.total_bytes is None:
        return [_UNKNOWN]
    idle = sum(_idle_bytes(pool) for pool in memory.hugepages or ())
    total = format_bytes(memory.total_bytes)
    line = f"{total} total"
    if memory.available_bytes is not None:
        used = max(0, memory.total_bytes - memory.available_bytes - idle)
        about = "about " if memory.available_estimated else ""
        line = f"{format_bytes(used)} used of {total}, {about}{format_bytes(memory.available_bytes)} available"
    lines = [line]
    if memory.swap_total_bytes:
        lines.append(f"swap {_swap(memory.swap_total_bytes, memory.swap_free_bytes)}")
    pools = [pool for pool in memory.hugepages or () if pool.total]
    lines += [f"huge pages of {format_bytes(pool.size_bytes)}: {_pool(pool)}" for pool in pools]
    return lines


def _swap(total_bytes: int, free_bytes: int | None) -> str:
    total = format_bytes(total_bytes)
    return f"{total} total" if free_bytes is None else f"{format_bytes(total_bytes - free_bytes)} used of {total}"


def _idle_bytes(pool: HugePages | NodeHugePages) -> int:
    """Give the bytes of a pool's free pages: counted as used they would make an idle node look full."""
    return pool.size_bytes * (pool.free or 0)


def _pool(pool: HugePages) -> str:
    free = _UNKNOWN if pool.free is None else pool.free
    reserved = f", {pool.reserved} of them reserved" if pool.reserved else ""
    surplus = f", {pool.surplus} surplus" if pool.surplus else ""
    return f"{free} free of {pool.total}{reserved}{surplus}"


def _limits(host: Host) -> list[str]:
    """Say what binds this process tighter than the machine does; nothing where nothing does."""
    limits, lines = host.limits, []
    if limits.cpus is not None and not host.cpu.online <= limits.cpus:
        lines.append(f"cgroup CPUs {limits.cpus}")
    if limits.affinity is not None and not host.cpu.online <= limits.affinity and limits.affinity != limits.cpus:
        lines.append(f"affinity {limits.affinity}")
    if limits.cpu_quota is not None:
        lines.append(f"quota of {limits.cpu_quota:g} CPUs")
    if limits.memory_bytes is not None:
        lines.append(f"memory {format_bytes(limits.memory_bytes)}")
    return [", ".join(lines) + " (this process)"] if lines else []


def _nodes(paint: _Paint, numa: NumaTopology) -> Iterator[str]:
    heads = ("NODE", "CPUS", "USED / TOTAL", "", "HUGE PAGES FREE / TOTAL")
    rows = [_node_cells(node) for node in numa.nodes]
    node, cpus, memory, bar, pools = (max(len(row[at]) for row in (heads, *rows)) for at in range(5))
    cpus = min(cpus, max(len("CPUS"), _WIDTH - node - memory - bar - pools - 8))

    def line(row: Sequence[str]) -> str:
        return f"{row[0]:>{node}}  {row[1]:<{cpus}}  {row[2]:>{memory}}  {row[3]:<{bar}}  {row[4]}".rstrip()

    yield paint(_BOLD, line(heads))
    for row in rows:
        first, *more = wrap(row[1], cpus, indent="")
        yield line((row[0], first, *row[2:]))
        for part in more:
            yield line(("", part, "", "", ""))
    if numa.synthetic:
        yield paint(_DIM, "The kernel tells of no NUMA nodes; node 0 stands for the whole machine.")
    elif any(row[3] for row in rows):
        yield paint(_DIM, "A node's used memory includes its page cache; the machine's does not.")


def _node_cells(node: NumaNode) -> tuple[str, ...]:
    memory, bar = _node_memory(node)
    pools = [pool for pool in node.hugepages or () if pool.total]
    text = ", ".join(f"{format_bytes(p.size_bytes)} {'?' if p.free is None else p.free}/{p.total}" for p in pools)
    none = "?" if node.hugepages is None else "none"
    return str(node.id), str(node.cpus) or "none", memory, bar, text or none


def _node_memory(node: NumaNode) -> tuple[str, str]:
    """Give the node's memory as text and as a bar."""
    total, free = node.memory_total_bytes, node.memory_free_bytes
    if not total:
        return (_UNKNOWN if total is None else "none"), ""
    if free is None:
        return format_bytes(total), ""
    idle = sum(_idle_bytes(pool) for pool in node.hugepages or ())
    used = max(0, total - free - idle)
    filled = min(_BAR, -(-used * _BAR // total))
    return f"{format_bytes(used)} / {format_bytes(total)}", "#" * filled + "." * (_BAR - filled)
