# SPDX-License-Identifier: Apache-2.0
"""The rows of hosts."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from host_agent.liveness import DISABLED, DOWN, RETIRED, STALE, UP, silent_seconds
from host_agent.render.text import (
    BOLD,
    DIM,
    GREEN,
    RED,
    UNSTYLED,
    YELLOW,
    columns,
    painted,
    plain,
    relative,
    rfc3339,
    size,
)

__all__ = ["host_departures", "host_json", "host_list", "host_list_json", "host_table"]

_JSON_COLUMNS = frozenset(
    {
        "cpu_info",
        "engines",
        "extra_resources",
        "facts",
        "labels",
        "metrics",
        "numa_topology",
        "pci_stats",
        "runtimes",
        "stats",
        "supported_instances",
    }
)

# Where each column stands in the table; what no group names comes last, so that a new column is never left out.
_GROUPS: Mapping[str, str] = {
    "host": "hypervisor_hostname hostname host uuid host_ip state disabled_reason disabled forced_down last_seen_up "
    "retired_at machine_id product_uuid service_id",
    "system": "os_type os kernel_version architecture hypervisor_type hypervisor_version boot_id agent_version",
    "cpu": "vcpus vcpus_used pcpus pcpus_used reserved_host_cpus total_cpu used_cpu cpu_allocation_ratio cpu_info",
    "memory": "memory_mb memory_mb_used free_ram_mb reserved_host_memory_mb mem_total_kb mem_free_kb mem_available_kb "
    "buffers_kb cached_kb ram_allocation_ratio",
    "numa": "numa_topology",
    "disk": "local_gb local_gb_used free_disk_gb reserved_host_disk_mb disk_available_least disk_allocation_ratio "
    "disk_quota_supported shared_storage",
    "workloads": "running_vms current_workload no_of_containers running_containers paused_containers "
    "stopped_containers engines workloads_at runtimes supported_instances enable_cpu_pinning labels",
    "row": "id created_at updated_at sequence usage_generation facts_at facts_digest facts mapped deleted deleted_at",
}

# What an operator does, and what never happened: nobody measures it.
_NOT_MEASURED = {"deleted_at", "disabled", "disabled_reason", "forced_down", "last_seen_up", "retired_at"}
# The database's clock at the moment of the answer, from which a state follows; not a fact of the host.
_HIDDEN = {"now"}

_UNITS = {"_kb": 1024, "_mb": 1024**2, "memory_mb_used": 1024**2}


def host_json(row: Mapping[str, object]) -> str:
    """Give one row as a JSON object; columns that hold JSON are decoded, times are RFC 3339 UTC."""
    return json.dumps(_as_json(row), indent=2, ensure_ascii=False)


def host_list_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Give rows as a JSON list."""
    return json.dumps([_as_json(row) for row in rows], indent=2, ensure_ascii=False)


def host_table(row: Mapping[str, object], *, colour: bool = False) -> str:
    """Give one row for a person: grouped, large numbers with their size in words, unmeasured columns in one line."""
    lines: list[str] = []
    for group, names in _grouped(row).items():
        cells = [cell for name in names for cell in _cells(name, row[name])]
        if cells:
            lines.append(painted(group, BOLD, colour=colour))
            lines += [f"  {name:<23} {plain(text)}" for name, text in cells]
    missing = sorted(name for name, value in row.items() if value is None and name not in _NOT_MEASURED)
    if missing:
        lines += textwrap.wrap(f"not measured yet: {', '.join(missing)}", 80, subsequent_indent="  ")
    return "\n".join(lines)


def host_list(rows: Sequence[Mapping[str, object]], *, colour: bool = False) -> str:
    """Give one line for each host, under a heading; each row has its ``state``."""
    heading = ("HOST", "NAME", "STATE", "SEEN", "CPUS", "MEMORY", "NODES", "KERNEL", "UPDATED", "UUID")
    return columns([heading, *(_list_cells(row) for row in rows)], _state_style, colour=colour)


def host_departures(rows: Sequence[Mapping[str, object]]) -> str:
    """Give one line for each host that goes, under a heading; what it could give matters no more."""
    heading = ("HOST", "NAME", "STATE", "SEEN", "UUID")
    names = ("host", "hypervisor_hostname", "state", "", "uuid")
    return columns(
        [heading, *(tuple(plain(_text(row[name])) if name else _seen(row) for name in names) for row in rows)]
    )


def _list_cells(row: Mapping[str, object]) -> tuple[str, ...]:
    nodes = (_decoded("numa_topology", row.get("numa_topology")) or {}).get("nodes")
    memory = row["memory_mb"]
    cells = (
        _text(row["host"]),
        _text(row["hypervisor_hostname"]),
        _text(row["state"]),
        _seen(row),
        _text(row["vcpus"]),
        "-" if not isinstance(memory, int) else size(memory * 1024**2),
        "-" if nodes is None else str(len(nodes)),
        _text(row["kernel_version"]),
        _text(row["updated_at"]),
        _text(row["uuid"]),
    )
    return tuple(plain(cell) for cell in cells)


def _seen(row: Mapping[str, object]) -> str:
    seconds = silent_seconds(row)
    return "-" if seconds is None else relative(seconds)


_STYLES = {UP: GREEN, DOWN: RED, STALE: YELLOW, DISABLED: YELLOW, RETIRED: DIM}
_STATE = 2


def _state_style(column: int, cell: str) -> str:
    return _STYLES.get(cell, UNSTYLED) if column == _STATE else UNSTYLED


def _grouped(row: Mapping[str, object]) -> dict[str, list[str]]:
    groups = {group: [name for name in names.split() if name in row] for group, names in _GROUPS.items()}
    named = {name for names in groups.values() for name in names} | _HIDDEN
    groups["row"] += [name for name in row if name not in named]
    return groups


def _cells(column: str, value: object) -> list[tuple[str, str]]:
    if value is None:
        return []
    decoded = _decoded(column, value)
    if column == "numa_topology":
        return [(f"node {node['id']}", _node(node)) for node in decoded["nodes"]]
    if column == "cpu_info":
        return [(column, _cpu_info(decoded))]
    if column == "engines":
        return [(column, ", ".join(f"{engine['engine']} {engine['status']}" for engine in decoded) or "none")]
    if column == "facts":
        return [(column, f"a document of {len(str(value)):,} characters, in full with -f json")]
    if isinstance(decoded, (dict, list)):
        return [(column, json.dumps(decoded, ensure_ascii=False))]
    return [(column, _text(value) + _in_words(column, value))]


def _node(node: Mapping[str, Any]) -> str:
    parts = [f"CPUs {node['cpuset']}" if node["cpuset"] else "no CPU"]
    if node.get("pinned_cpus"):
        parts.append(f"{node['pinned_cpus']} pinned")
    if node["memory_total_bytes"] is not None:
        parts.append(size(node["memory_total_bytes"]))
    for pages in node["hugepages"] or ():
        if pages["total"]:
            used = "?" if pages["used"] is None else pages["used"]
            parts.append(f"{size(pages['size_bytes'])} pages: {used} of {pages['total']} used")
    return ", ".join(parts)


def _cpu_info(info: Mapping[str, Any]) -> str:
    """Give the processor in one line; its list of flags is what ``-f json`` is for."""
    parts = [str(info[key]) for key in ("model", "vendor", "arch") if info.get(key)]
    parts += [f"{name} {count}" for name, count in (info.get("topology") or {}).items() if count is not None]
    if info.get("features"):
        parts.append(f"{len(info['features'])} features")
    return ", ".join(parts)


def _in_words(column: str, value: object) -> str:
    for ending, unit in _UNITS.items():
        if column.endswith(ending) and isinstance(value, int):
            return f"  ({size(value * unit)})"
    return ""


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value)


def _as_json(row: Mapping[str, object]) -> dict[str, object]:
    return {
        column: rfc3339(value) if isinstance(value, datetime) else _decoded(column, value)
        for column, value in row.items()
        if column not in _HIDDEN
    }


def _decoded(column: str, value: object) -> Any:
    return json.loads(value) if column in _JSON_COLUMNS and isinstance(value, str) else value
