# SPDX-License-Identifier: Apache-2.0
"""Usage for programs: of one host with all that it is made of, and of groups."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from host_agent.numa import HostNuma
from host_agent.render.text import rfc3339
from host_agent.resource_usage import GroupUsage, ResourceUsage, resources_of
from host_agent.usage import INCOMING, ORPHAN, OUTGOING, RECORDED, Holding, Usage

__all__ = ["group_document", "group_json", "resources_document", "usage_document", "usage_json"]

_SOURCES = (RECORDED, INCOMING, OUTGOING, ORPHAN)


def usage_json(row: Mapping[str, Any], usage: Usage, zone: str, aggregates: Sequence[str]) -> str:
    """Give the usage of one host as a JSON object.

    Args:
        row: of the host, as the store lists it, with its ``state``.
        usage: what its workloads hold.
        zone: its availability zone.
        aggregates: the names of those it is in.
    """
    groups = {"availability_zone": zone, "aggregates": list(aggregates)}
    return _json(_host(row) | groups | usage_document(row, usage))


def group_json(rows: Iterable[Mapping[str, Any]], group: GroupUsage, *, only_available: bool) -> str:
    """Give a group and its hosts as a JSON object; MiB and GiB, as the names of the resources say.

    Args:
        rows: of its hosts, as the store lists them, each with its ``state``.
        group: what they have together.
        only_available: whether hosts that are enabled and up count alone.
    """
    members = {"members": [_host(row) | {"resources": resources_document(row)} for row in rows]}
    return _json(group_document(group, only_available=only_available) | members)


def group_document(group: GroupUsage, *, only_available: bool) -> dict[str, object]:
    """Give a group in JSON values; see `group_json`."""
    return {
        "name": group.name,
        "only_available": only_available,
        "hosts": group.hosts,
        "up": group.up,
        "enabled": group.enabled,
        "resources": {name: asdict(one) for name, one in group.resources.items()},
    }


def usage_document(row: Mapping[str, Any], usage: Usage) -> dict[str, object]:
    """Give the usage of a host and all that it is made of in JSON values; sizes of workloads and nodes in bytes."""
    told = row["workloads_at"]
    return {
        "resources": resources_document(row),
        "sources": {source: usage.sources.get(source, 0) for source in _SOURCES},
        "missing": usage.missing,
        "unlimited": dict(usage.unlimited),
        "nodes": None if usage.numa is None else _nodes(usage.numa),
        "workloads": [_holding(holding) for holding in usage.holdings],
        "engines": json.loads(row["engines"]) if row["engines"] else None,
        "workloads_at": rfc3339(told) if isinstance(told, datetime) else None,
    }


def _host(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: row[name] for name in ("uuid", "host", "hypervisor_hostname", "state")}


def resources_document(row: Mapping[str, Any]) -> dict[str, object]:
    """Give each resource of a host in JSON values, from its columns."""
    # A host is known or not: nothing of it is counted as unknown.
    document: dict[str, object] = {}
    for name, host in resources_of(row).items():
        figures = asdict(ResourceUsage.of_host(host))
        del figures["unknown"]
        document[name] = figures | {"ratio": host.ratio}
    return document


def _nodes(numa: HostNuma) -> list[dict[str, object]]:
    return [
        {
            "id": cell.id,
            "cpuset": str(cell.cpuset),
            "pinned_cpus": None if cell.pinned_cpus is None else str(cell.pinned_cpus),
            "free_cpus": str(cell.free_cpus),
            "memory_total_bytes": cell.memory_total_bytes,
            "memory_available_bytes": cell.memory_available_bytes,
            "hugepages": [
                {"size_bytes": pool.size_bytes, "total": pool.total, "used": pool.used, "free": pool.free}
                for pool in cell.hugepages
            ]
            if cell.hugepages is not None
            else None,
        }
        for cell in numa.cells
    ]


def _holding(holding: Holding) -> dict[str, object]:
    held = holding.workload
    names = ("uuid", "name", "engine", "kind", "state", "vcpus", "memory_bytes", "disk_bytes", "numa_nodes")
    return {name: getattr(held, name) for name in names} | {
        "cpuset": None if held.cpuset is None else str(held.cpuset),
        "hugepages": None if held.hugepages is None else [asdict(pages) for pages in held.hugepages],
        "source": holding.source,
        "is_found": holding.is_found,
        "is_missing": holding.is_missing,
        "recorded_host": holding.recorded_host,
        "migrations": [asdict(move) for move in holding.migrations],
    }


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
