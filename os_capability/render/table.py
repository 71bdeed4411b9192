# SPDX-License-Identifier: Apache-2.0
"""A machine as a table for a terminal: at most 80 columns, plain where there is no colour."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from os_capability.model import Cpu, Host, HugePages, Memory, NumaNode, NumaTopology, System
from os_capability.render.terminal import BOLD, COLUMNS, DIM, YELLOW, painted, plain, warning_lines, wrap
from os_capability.size import format_bytes
from os_capability.wording import counted, cpus_text, memory_text

__all__ = ["render_fields", "render_host"]

_LABEL = 12
_BAR_LENGTH = 10
_UNKNOWN = "unknown"
_GAP = "  "
# The places of these cells in a node's row, and to which side each cell of it is aligned.
_CPUS, _BAR = 1, 3
_ALIGNED = "><><<<"
_KINDS = {None: "", "dram": "RAM", "hbm": "HBM", "cxl": "CXL", "gpu": "GPU"}


def render_host(host: Host, *, colour: bool = False) -> str:
    """Draw what a person wants to see first: machine, CPUs, memory, then a line per NUMA node."""
    lines = [
        *_section("Machine", _machine(host), colour),
        *_section("CPUs", _cpus(host.cpu, host.numa), colour),
        *_section("Memory", _memory(host.memory, host.numa), colour),
        *_section("Limits", _limits(host), colour),
        "",
        *_nodes(host.numa, colour),
        *(painted(line, YELLOW, colour=colour) for line in warning_lines(host.warnings)),
    ]
    return "\n".join(lines)


def render_fields(fields: Mapping[str, object]) -> str:
    """Draw chosen fields of the document, one a line: name and value; lists and objects as JSON."""
    width = max(map(len, fields))
    return "\n".join(f"{name:<{width}}  {_value(value)}" for name, value in fields.items())


def _value(value: object) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _section(label: str, parts: Sequence[str], colour: bool) -> Iterator[str]:
    lines = [line for part in parts for line in wrap(plain(part), COLUMNS - _LABEL)]
    for at, line in enumerate(lines):
        yield painted(f"{label if at == 0 else '':<{_LABEL}}", BOLD, colour=colour) + line


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
    nodes = None if numa.synthetic else len(numa.nodes)
    counts = ((cpu.cores, "core"), (cpu.sockets, "socket"), (nodes, "NUMA node"))
    known = [counted(number, noun) for number, noun in counts if number is not None]
    lines.append(", ".join([f"{counted(cpu.threads, 'CPU')} online", *known]))
    for kind in cpu.kinds:
        threads = f", {kind.threads_per_core} threads per core" if (kind.threads_per_core or 1) > 1 else ""
        lines.append(f"{kind.name} {cpus_text(kind.cpus)}{threads}")
    for name, cpus in (("offline", cpu.offline), ("isolated", cpu.isolated), ("nohz_full", cpu.nohz_full)):
        if cpus:
            lines.append(f"{name} {cpus_text(cpus)}")
    return lines


def _memory(memory: Memory, numa: NumaTopology) -> list[str]:
    if memory.total_bytes is None:
        return [_UNKNOWN]
    idle = sum(pool.idle_bytes or 0 for pool in memory.hugepages or ())
    total = format_bytes(memory.total_bytes)
    line = f"{total} total"
    if memory.available_bytes is not None:
        used = max(0, memory.total_bytes - memory.available_bytes - idle)
        about = "about " if memory.available_estimated else ""
        line = f"{format_bytes(used)} used of {total}, {about}{format_bytes(memory.available_bytes)} available"
    lines = [line]
    if special := _special_memory(numa):
        lines.append(f"of it {special}")
    if memory.swap_total_bytes:
        lines.append(f"swap {_swap(memory.swap_total_bytes, memory.swap_free_bytes)}")
    pools = [pool for pool in memory.hugepages or () if pool.total]
    lines += [f"huge pages of {format_bytes(pool.size_bytes)}: {_pool(pool)}" for pool in pools]
    return lines


def _special_memory(numa: NumaTopology) -> str:
    """Say how much is no plain RAM, which the machine's total contains: ``12 GiB GPU memory``."""
    sizes: dict[str | None, int] = {}
    for node in numa.nodes:
        if node.memory_total_bytes and not node.is_plain_ram:
            sizes[node.memory_kind] = sizes.get(node.memory_kind, 0) + node.memory_total_bytes
    return ", ".join(f"{format_bytes(size)} {memory_text(kind)}" for kind, size in sizes.items())


def _swap(total_bytes: int, free_bytes: int | None) -> str:
    total = format_bytes(total_bytes)
    return f"{total} total" if free_bytes is None else f"{format_bytes(total_bytes - free_bytes)} used of {total}"


def _pool(pool: HugePages) -> str:
    free = _UNKNOWN if pool.free is None else pool.free
    reserved = f", {pool.reserved} of them reserved" if pool.reserved else ""
    surplus = f", {pool.surplus} surplus" if pool.surplus else ""
    return f"{free} free of {pool.total}{reserved}{surplus}"


def _limits(host: Host) -> list[str]:
    """Say what binds this process tighter than the machine does; nothing where nothing does."""
    limits, lines = host.limits, []
    if limits.cpus is not None and not host.cpu.online <= limits.cpus:
        lines.append(f"cgroup {cpus_text(limits.cpus)}")
    if limits.affinity is not None and not host.cpu.online <= limits.affinity and limits.affinity != limits.cpus:
        lines.append(f"affinity {cpus_text(limits.affinity)}")
    if limits.cpu_quota is not None:
        lines.append(f"quota of {limits.cpu_quota:g} CPUs")
    if limits.memory_bytes is not None:
        lines.append(f"memory {format_bytes(limits.memory_bytes)}")
    return [", ".join(lines) + " (this process)"] if lines else []


def _nodes(numa: NumaTopology, colour: bool) -> Iterator[str]:
    # Where all memory is plain RAM, nobody asks what kind it is.
    with_kinds = not all(node.is_plain_ram for node in numa.nodes)
    heads = ("NODE", "CPUS", "USED / TOTAL", "", "KIND" if with_kinds else "", "HUGE PAGES FREE / TOTAL")
    rows = [_node_cells(node, with_kinds) for node in numa.nodes]
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    others = sum(width + len(_GAP) for width in widths if width) - widths[_CPUS] - len(_GAP)
    widths[_CPUS] = min(widths[_CPUS], max(len(heads[_CPUS]), COLUMNS - others))
    yield painted(_line(heads, widths), BOLD, colour=colour)
    for row in rows:
        first, *more = wrap(row[_CPUS], widths[_CPUS], indent="")
        yield _line((row[0], first, *row[_CPUS + 1 :]), widths)
        for part in more:
            yield _line(("", part, "", "", "", ""), widths)
    if numa.synthetic:
        yield painted("The kernel tells of no NUMA nodes; node 0 stands for the whole machine.", DIM, colour=colour)
    elif any(row[_BAR] for row in rows):
        yield painted("A node's used memory includes its page cache; the machine's does not.", DIM, colour=colour)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    aligned = zip(row, widths, _ALIGNED, strict=True)
    return _GAP.join(f"{cell:{side}{width}}" for cell, width, side in aligned if width).rstrip()


def _node_cells(node: NumaNode, with_kinds: bool) -> tuple[str, ...]:
    memory, bar = _node_memory(node)
    kind = _KINDS.get(node.memory_kind, _UNKNOWN) if with_kinds else ""
    pools = [pool for pool in node.hugepages or () if pool.total]
    text = ", ".join(f"{format_bytes(p.size_bytes)} {'?' if p.free is None else p.free}/{p.total}" for p in pools)
    none = "?" if node.hugepages is None else "none"
    return str(node.id), str(node.cpus) or "none", memory, bar, kind, text or none


def _node_memory(node: NumaNode) -> tuple[str, str]:
    """Give the node's memory as text and as a bar."""
    total, free = node.memory_total_bytes, node.memory_free_bytes
    if not total:
        return (_UNKNOWN if total is None else "none"), ""
    if free is None:
        return format_bytes(total), ""
    idle = sum(pool.idle_bytes or 0 for pool in node.hugepages or ())
    used = max(0, total - free - idle)
    filled = min(_BAR_LENGTH, -(-used * _BAR_LENGTH // total))
    return f"{format_bytes(used)} / {format_bytes(total)}", "#" * filled + "." * (_BAR_LENGTH - filled)
