# SPDX-License-Identifier: Apache-2.0
"""Workloads, migrations and discoveries for the store's tests, and what the tables say of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from host_agent import store
from host_agent.store.engine import Engine
from host_agent.usage import Migration
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, EngineReport
from host_agent.workloads.workload import RUNNING, VM, Workload
from tests.host_agent.facts import GIB, record
from tests.host_agent.store.fleet import host

__all__ = ["GIB", "USED", "discovery", "move", "report", "used", "vm", "vm_uuid"]

USED = (
    "vcpus_used",
    "pcpus_used",
    "memory_mb_used",
    "free_ram_mb",
    "local_gb_used",
    "free_disk_gb",
    "used_cpu",
    "running_vms",
    "current_workload",
)


def vm_uuid(number: int) -> str:
    return f"aaaaaaaa-0000-4000-8000-{number:012d}"


def vm(number: int = 1, **changes: Any) -> Workload:
    known = Workload(
        uuid=vm_uuid(number),
        name=f"vm-{number}",
        engine="libvirt",
        kind=VM,
        state=RUNNING,
        vcpus=4,
        memory_bytes=10 * GIB,
        disk_bytes=80 * GIB,
    )
    return replace(known, **changes)


def move(number: int = 1, *, source: int | None = 1, dest: int | None = 2, **changes: Any) -> Migration:
    known = Migration(
        uuid=f"bbbbbbbb-0000-4000-8000-{number:012d}",
        workload_uuid=vm_uuid(number),
        source_host=None if source is None else f"node-{source}",
        dest_host=None if dest is None else f"node-{dest}",
        status="running",
        migration_type="live-migration",
    )
    return replace(known, **changes)


def discovery(*workloads: Workload, **changes: Any) -> Discovery:
    """Give what an agent found whose libvirt told everything."""
    seen = SeenEngine(report=EngineReport(engine="libvirt", status=ANSWERED, workloads=workloads))
    known = Discovery(engines=(seen,), workloads=workloads, complete=frozenset({"libvirt"}))
    return replace(known, **changes)


def report(engine: Engine, number: int = 1, found: Discovery | None = None, **changes: Any) -> None:
    """Store a report of host `number`."""
    told = (
        None
        if found is None
        else [{"engine": seen.report.engine, "status": seen.report.status} for seen in found.engines]
    )
    known = {"engines": told and json.dumps(told)}
    store.upsert(engine, record(number, **known | changes), None, found)


def used(engine: Engine, number: int = 1) -> tuple[object, object, object]:
    row = host(engine, number)
    return row["vcpus_used"], row["memory_mb_used"], row["local_gb_used"]
