# SPDX-License-Identifier: Apache-2.0
"""NUMA nodes as the JSON text of the column ``numa_topology``, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeVar

from host_agent.numa.cell import NumaCell, PagePool
from os_capability import CpuSet

__all__ = ["cells_of", "text_of"]

T = TypeVar("T")


def text_of(cells: Iterable[NumaCell]) -> str:
    """Give the JSON text of `cells`: equal cells give equal texts."""
    return json.dumps({"nodes": [_cell(cell) for cell in cells]}, separators=(",", ":"))


def cells_of(text: str) -> tuple[NumaCell, ...]:
    """Read back what `text_of` gave, or an older agent, which knew neither the operator's sets nor what is held.

    Raises:
        ValueError: it is something else.
    """
    document = json.loads(text)
    nodes = document.get("nodes") if isinstance(document, Mapping) else None
    if not isinstance(nodes, list):
        raise ValueError("the NUMA topology has no nodes")
    return tuple(_read_cell(_mapping(node)) for node in nodes)


def _cell(cell: NumaCell) -> dict[str, object]:
    return {
        "id": cell.id,
        "cpuset": str(cell.cpuset),
        "pinned_cpus": _list(cell.pinned_cpus),
        "memory_total_bytes": cell.memory_total_bytes,
        "memory_available_bytes": cell.memory_available_bytes,
        "hugepages": None if cell.hugepages is None else [_pool(pool) for pool in cell.hugepages],
        "dedicated_cpus": _list(cell.dedicated_cpus),
        "shared_cpus": _list(cell.shared_cpus),
        "memory_kind": cell.memory_kind,
        "held_bytes": cell.held_bytes,
        # Only where more than one workload has the same CPU, which no scheduler should have let happen.
        "pins": {str(cpu): number for cpu, number in cell.pins or () if number > 1},
    }


def _pool(pool: PagePool) -> dict[str, object]:
    return {
        "size_bytes": pool.size_bytes,
        "total": pool.total,
        "used": pool.used,
        "taken": pool.taken,
        "reserved": pool.reserved,
        "allocated": pool.allocated,
    }


def _list(cpus: CpuSet | None) -> str | None:
    return None if cpus is None else str(cpus)


def _read_cell(node: Mapping[str, object]) -> NumaCell:
    pinned, pools = _cpus(node, "pinned_cpus"), node.get("hugepages")
    numbers = {} if node.get("pins") is None else _mapping(node["pins"])
    if pools is not None and not isinstance(pools, list):
        raise ValueError(f"the huge pages of a NUMA node are {pools!r}")
    return NumaCell(
        id=_needed(node, "id", int),
        cpuset=CpuSet.parse_list(_needed(node, "cpuset", str)),
        dedicated_cpus=_cpus(node, "dedicated_cpus"),
        shared_cpus=_cpus(node, "shared_cpus"),
        pins=None if pinned is None else tuple((cpu, _optional(numbers, str(cpu), int) or 1) for cpu in pinned),
        memory_total_bytes=_optional(node, "memory_total_bytes", int),
        memory_kind=_optional(node, "memory_kind", str),
        held_bytes=_optional(node, "held_bytes", int) or 0,
        hugepages=None if pools is None else tuple(_read_pool(_mapping(pool)) for pool in pools),
    )


def _read_pool(pool: Mapping[str, object]) -> PagePool:
    return PagePool(
        size_bytes=_needed(pool, "size_bytes", int),
        total=_optional(pool, "total", int),
        taken=_optional(pool, "taken" if "taken" in pool else "used", int),
        reserved=_optional(pool, "reserved", int) or 0,
        allocated=_optional(pool, "allocated", int) or 0,
    )


def _cpus(node: Mapping[str, object], key: str) -> CpuSet | None:
    text = _optional(node, key, str)
    return None if text is None else CpuSet.parse_list(text)


def _needed(data: Mapping[str, object], key: str, kind: type[T]) -> T:
    value = _optional(data, key, kind)
    if value is None:
        raise ValueError(f"a NUMA node has no {key}")
    return value


def _optional(data: Mapping[str, object], key: str, kind: type[T]) -> T | None:
    value = data.get(key)
    if value is not None and not isinstance(value, kind):
        raise ValueError(f"{key} of a NUMA node is {value!r}")
    return value


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no part of a NUMA topology")
    return value
