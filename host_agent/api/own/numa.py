# SPDX-License-Identifier: Apache-2.0
"""``/v1/hosts/{host}/numa``: the nodes of a host, what each has and what workloads hold of it."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from host_agent.api.operation import READER, Call, Operation, Schema, Variant
from host_agent.api.own.hosts import one_host
from host_agent.api.own.paging import query_schema
from host_agent.api.own.schemas import TIME, UUID, or_null
from host_agent.api.own.times import time_text
from host_agent.numa import HostNuma, NumaCell, PagePool
from os_capability import CpuSet

__all__ = ["SHOW"]

# Why a member of the answer may be null, by its path without the places in lists: told for those that are.
_REASONS = {
    "synthetic": "the host has not told its facts yet",
    "nodes": "the host has not told its facts yet",
    "nodes.sockets": "the machine does not tell which socket some of the CPUs are in",
    "nodes.cores": "the machine does not tell which CPUs share a core",
    "nodes.siblings": "the machine does not tell which CPUs share a core",
    "nodes.dedicated_cpus": "the operator keeps no set of CPUs for pinning: any may be pinned",
    "nodes.shared_cpus": "the operator keeps no set of CPUs for floating",
    "nodes.pinned_cpus": "nobody has counted yet what is pinned here",
    "nodes.memory_kind": "the machine does not tell what kind of memory it is, or there is none",
    "nodes.memory_total_bytes": "the machine does not tell the memory of the node",
    "nodes.memory_available_bytes": "the machine does not tell the memory of the node, or what of it is in huge pages",
    "nodes.hugepages": "the machine does not tell its huge pages by node",
    "nodes.distances": "the machine has no table of distances",
    "nodes.hugepages.total": "the machine does not tell how many there are",
    "nodes.hugepages.used": "the machine does not tell how many are free",
    "nodes.hugepages.free": "the machine does not tell how many are free",
}


def _show(call: Call) -> object:
    row = one_host(call, call.path["host"], ("numa_topology", "facts", "facts_at"))
    facts = json.loads(row["facts"]) if isinstance(row["facts"], str) else {}
    text = row["numa_topology"]
    told = {node["id"]: node for node in _part(facts, "numa").get("nodes") or ()}
    processors = {processor["id"]: processor for processor in _part(facts, "cpu").get("processors") or ()}
    body = {
        "synthetic": _part(facts, "numa").get("synthetic"),
        "nodes": None
        if not isinstance(text, str)
        else [_node(cell, told.get(cell.id, {}), processors) for cell in HostNuma.from_json(text).cells],
    }
    return {
        "uuid": row["uuid"],
        "host": row["host"],
        "hypervisor_hostname": row["hypervisor_hostname"],
        "facts_at": time_text(row["facts_at"]),
        "updated_at": time_text(row["updated_at"]),
        **body,
        "reasons": {name: _REASONS[name] for name in sorted(set(_unknown(body))) if name in _REASONS},
    }


def _part(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = facts.get(name) or {}
    return part


def _node(cell: NumaCell, told: Mapping[str, Any], processors: Mapping[int, Mapping[str, Any]]) -> dict[str, object]:
    here = [processors.get(cpu, {"id": cpu}) for cpu in cell.cpuset]
    siblings = _siblings(here)
    return {
        "id": cell.id,
        "cpuset": str(cell.cpuset),
        "sockets": _count(_socket(processor) for processor in here),
        "cores": None if siblings is None else len(siblings),
        "threads": len(cell.cpuset),
        "siblings": siblings,
        "dedicated_cpus": _list(cell.dedicated_cpus),
        "shared_cpus": _list(cell.shared_cpus),
        "pinned_cpus": _list(cell.pinned_cpus),
        "free_cpus": str(cell.free_cpus),
        "memory_kind": cell.memory_kind,
        "memory_total_bytes": cell.memory_total_bytes,
        "memory_available_bytes": cell.memory_available_bytes,
        "memory_held_bytes": cell.held_bytes,
        "hugepages": None if cell.hugepages is None else [_pool(pool) for pool in cell.hugepages],
        "distances": told.get("distances"),
    }


def _pool(pool: PagePool) -> dict[str, object]:
    return {
        "size_bytes": pool.size_bytes,
        "total": pool.total,
        "used": pool.used,
        "free": pool.free,
        "reserved": pool.reserved,
        "allocated": pool.allocated,
    }


def _list(cpus: CpuSet | None) -> str | None:
    return None if cpus is None else str(cpus)


def _socket(processor: Mapping[str, Any]) -> Hashable:
    # s390 counts sockets anew in each book, and books in each drawer.
    socket = processor.get("socket")
    return None if socket is None else (processor.get("drawer"), processor.get("book"), socket)


def _count(parts: Iterable[Hashable]) -> int | None:
    known = set(parts)
    return None if None in known else len(known)


def _siblings(processors: Iterable[Mapping[str, Any]]) -> list[str] | None:
    """Give the CPUs of each core of a node, as lists, lowest CPU first."""
    cores: dict[object, list[int]] = {}
    for processor in processors:
        if processor.get("core") is None:
            return None
        cores.setdefault(processor["core"], []).append(processor["id"])
    return [str(CpuSet(cpus)) for cpus in cores.values()]


def _unknown(value: object, path: str = "") -> Iterable[str]:
    """Give the path of every member that is null, without the places in lists."""
    if value is None:
        yield path
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from _unknown(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for member in value:
            yield from _unknown(member, path)


_COUNT: Schema = {"type": "integer", "minimum": 0}
_CPUS: Schema = {"type": "string", "description": "a kernel list"}
_POOL: Schema = {
    "type": "object",
    "properties": {
        "size_bytes": _COUNT,
        "total": or_null(_COUNT),
        "used": {**or_null(_COUNT), "description": "that processes have, workloads hold or the operator reserves"},
        "free": or_null(_COUNT),
        "reserved": {**_COUNT, "description": "by the operator, for the host"},
        "allocated": {**_COUNT, "description": "to workloads"},
    },
    "required": ["size_bytes", "total", "used", "free", "reserved", "allocated"],
    "additionalProperties": False,
}
_NODE: Schema = {
    "type": "object",
    "properties": {
        "id": {**_COUNT, "description": "the kernel's; there may be holes"},
        "cpuset": {**_CPUS, "description": "its online CPUs, as a kernel list"},
        "sockets": or_null(_COUNT),
        "cores": or_null(_COUNT),
        "threads": _COUNT,
        "siblings": {**or_null({"type": "array"}), "items": _CPUS, "description": "the CPUs of each core"},
        "dedicated_cpus": or_null(_CPUS),
        "shared_cpus": or_null(_CPUS),
        "pinned_cpus": {**or_null(_CPUS), "description": "that workloads have for themselves"},
        "free_cpus": {**_CPUS, "description": "that a workload could have for itself"},
        "memory_kind": or_null({"type": "string"}),
        "memory_total_bytes": or_null(_COUNT),
        "memory_available_bytes": {
            **or_null(_COUNT),
            "description": "in no pool of huge pages, and held by no workload",
        },
        "memory_held_bytes": {**_COUNT, "description": "ordinary memory that workloads hold"},
        "hugepages": {**or_null({"type": "array"}), "items": _POOL},
        "distances": {
            **or_null({"type": "object"}),
            "additionalProperties": {"type": "integer"},
            "description": "to each node by its id, 10 is local",
        },
    },
    "additionalProperties": False,
}
_NUMA: Schema = {
    "type": "object",
    "properties": {
        "uuid": UUID,
        "host": {"type": "string"},
        "hypervisor_hostname": {"type": "string"},
        "facts_at": or_null(TIME),
        "updated_at": or_null(TIME),
        "synthetic": {
            **or_null({"type": "boolean"}),
            "description": "whether the kernel tells of no node, and node 0 stands for the machine",
        },
        "nodes": {**or_null({"type": "array"}), "items": _NODE},
        "reasons": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "what it means that a member is null, by its path: nodes.distances",
        },
    },
    "required": ["uuid", "nodes", "reasons"],
    "additionalProperties": False,
}

SHOW = Operation(
    "Show the NUMA nodes of a host, and what is left on each.",
    (Variant(_show, query=query_schema()),),
    rule="os_capability:hosts:numa",
    role=READER,
    returns=_NUMA,
    faults=(404, 409),
)
