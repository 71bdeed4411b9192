# SPDX-License-Identifier: Apache-2.0
"""Workload <-> the columns that ``workloads`` and ``found_workloads`` have in common."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from host_agent.errors import InvalidWorkload
from host_agent.store.row import Row
from host_agent.usage import Migration
from host_agent.workloads.workload import MOST_VCPUS, HeldPages, Workload
from os_capability import CpuSet

__all__ = ["FIGURES", "WORKLOAD_COLUMNS", "amounts", "columns_of", "known_uuid", "workload_of"]

WORKLOAD_COLUMNS = (
    "uuid",
    "name",
    "engine",
    "kind",
    "state",
    "vcpus",
    "cpuset",
    "memory_bytes",
    "hugepages",
    "disk_bytes",
    "numa_nodes",
    "labels",
)
# All that the usage is made of.
FIGURES = tuple(name for name in WORKLOAD_COLUMNS if name != "labels")

_LONGEST_NAME = 255
_MOST = 2**63 - 1


def columns_of(workload: Workload) -> Row:
    """Give the columns of a workload; what engines tell of names and sizes is made to fit them."""
    return {
        "uuid": workload.uuid.lower(),
        "name": _text(workload.name),
        "engine": _text(workload.engine.lower()),
        "kind": _text(workload.kind.lower()),
        "state": _text(workload.state.lower()),
        "cpuset": None if workload.cpuset is None else str(workload.cpuset),
        "hugepages": None if workload.hugepages is None else _json([_pool(pages) for pages in workload.hugepages]),
        "numa_nodes": None if workload.numa_nodes is None else _json(list(workload.numa_nodes)),
        "labels": _json(dict(workload.labels)) if workload.labels else None,
        **amounts(workload),
    }


def known_uuid(text: str, what: str) -> str:
    """Give a uuid as the tables have it.

    Raises:
        InvalidWorkload: it is none.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidWorkload(f"{what} {text!r}: not a uuid") from None


def amounts(holder: Workload | Migration) -> Row:
    """Give the columns of what a workload holds or a migration takes; what is no amount is not known."""
    return {
        "vcpus": _amount(holder.vcpus, MOST_VCPUS),
        "memory_bytes": _amount(holder.memory_bytes, _MOST),
        "disk_bytes": _amount(holder.disk_bytes, _MOST),
    }


def workload_of(row: Mapping[Any, Any]) -> Workload:
    """Read a workload back from a row; one without ``labels`` has none."""
    cpuset, hugepages, numa_nodes = row["cpuset"], row["hugepages"], row["numa_nodes"]
    labels = row.get("labels")
    return Workload(
        uuid=row["uuid"],
        name=row["name"] or "",
        engine=row["engine"] or "",
        kind=row["kind"] or "",
        state=row["state"] or "",
        vcpus=row["vcpus"],
        cpuset=None if cpuset is None else _cpus(cpuset),
        memory_bytes=row["memory_bytes"],
        hugepages=None if hugepages is None else tuple(HeldPages(**pool) for pool in json.loads(hugepages)),
        disk_bytes=row["disk_bytes"],
        numa_nodes=None if numa_nodes is None else tuple(json.loads(numa_nodes)),
        labels=json.loads(labels) if labels else {},
    )


# A fleet has few different ones, and each is read again at every report.
_cpus = lru_cache(maxsize=1024)(CpuSet.parse_list)


def _pool(pages: HeldPages) -> dict[str, int]:
    return {"size_bytes": pages.size_bytes, "count": pages.count}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _text(text: str) -> str | None:
    # A name that no table can hold would keep the whole host from being stored.
    return text.encode("utf-8", "replace").decode().replace("\0", "?")[:_LONGEST_NAME] or None


def _amount(amount: float | None, most: int) -> float | None:
    # Less than nothing and more than that are two of the many ways to write "no limit"; no number is neither.
    return amount if amount is not None and 0 <= amount <= most else None
