# SPDX-License-Identifier: Apache-2.0
"""A fleet of any size in a database: a thousand different hosts written through the store, the others their copies."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, Table, func, insert, literal, select, text
from sqlalchemy import cast as sql_cast

# The hosts are those of the tests.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from host_agent import store
from host_agent.record import ComputeHost
from host_agent.store.engine import Engine
from host_agent.store.inventory_sums import add_up
from host_agent.store.schema import HOSTS, INVENTORIES, NODES, SERVICES
from host_agent.store.upsert import utc_now
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, EngineReport
from host_agent.workloads.workload import RUNNING, VM, Workload
from os_capability import CpuSet
from tests.host_agent.facts import GIB, machine, record

__all__ = ["ORIGINALS", "add_copies", "write_originals"]

ORIGINALS = 1000
ZONES = 20
# What is each host's own, besides its id.
_UUID = "00000000-0000-4000-8000-"
_BATCH = 100


def write_originals(engine: Engine) -> None:
    """Write a thousand hosts of three kinds, with 0 to 12 virtual machines each, in twenty availability zones."""
    for start in range(1, ORIGINALS + 1, _BATCH):
        numbers = range(start, start + _BATCH)
        discoveries = {_record(number).uuid: _discovery(number) for number in numbers}
        store.upsert_many(engine, [_record(number) for number in numbers], discoveries)
    with engine.begin() as connection:
        _serve(connection)
    zones = [store.create_aggregate(engine, f"rack-{zone}", f"zone-{zone}").id for zone in range(ZONES)]
    for number in range(1, ORIGINALS + 1):
        store.add_host(engine, zones[number % ZONES], f"node-{number}")


def add_copies(engine: Engine, hosts: int) -> None:
    """Copy the thousand until there are so many hosts; what was found on them is not copied."""
    for offset in range(ORIGINALS, hosts, ORIGINALS):
        with engine.begin() as connection:
            for table in (SERVICES, HOSTS, INVENTORIES, NODES):
                _copy(connection, table, offset, min(ORIGINALS, hosts - offset))
            _add_members(connection, offset)
            add_up(connection, range(offset + 1, offset + ORIGINALS + 1))
    analyze(engine)


def analyze(engine: Engine) -> None:
    """Let the server know what is in the tables, as it would by itself in a while."""
    tables = "services, compute_host, host_inventories, node_inventories, inventory_sums, aggregate_hosts"
    statement = {"postgresql": f"VACUUM ANALYZE {tables}", "sqlite": "SELECT 1"}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement.get(engine.dialect.name, f"ANALYZE TABLE {tables}")))


def _serve(connection: Connection) -> None:
    """Give each host a service, as its agent does when it registers."""
    rows = [
        {"id": number, "uuid": f"{_UUID}{number:012d}".replace("-4000-", "-5000-"), "host": f"node-{number}"}
        for number in range(1, ORIGINALS + 1)
    ]
    values = {"binary": "nova-compute", "topic": "compute", "report_count": 1, "last_seen_up": utc_now(300)}
    connection.execute(insert(SERVICES).values(**values), rows)
    for table in (HOSTS, INVENTORIES):
        connection.execute(table.update().values(service_id=table.c.id))
    add_up(connection, range(1, ORIGINALS + 1))


def _copy(connection: Connection, table: Table, offset: int, count: int) -> None:
    number = table.c.host_id if table is NODES else table.c.id
    own: dict[str, ColumnElement[Any]] = {
        name: number + offset for name in ("id", "host_id", "service_id") if name in table.c
    }
    digits = func.substr(sql_cast(number + (offset + 10**12), String(20)), 2)
    uuid = literal(_UUID if table is HOSTS else _UUID.replace("-4000-", "-5000-")) + digits
    name = literal("node-") + sql_cast(number + offset, String(20))
    own |= {"uuid": uuid} if "uuid" in table.c else {}
    own |= {key: name for key in ("host", "hypervisor_hostname", "hostname") if key in table.c}
    names = [column.name for column in table.columns]
    source = select(*(own.get(column, table.c[column]) for column in names)).where(number <= count)
    connection.execute(insert(table).from_select(names, source))


def _add_members(connection: Connection, offset: int) -> None:
    statement = text(
        "INSERT INTO aggregate_hosts (aggregate_id, host) SELECT aggregate_id, h.host FROM aggregate_hosts AS a "
        "JOIN services AS s ON s.host = a.host JOIN services AS h ON h.id = s.id + :offset WHERE s.id <= 1000"
    )
    connection.execute(statement, {"offset": offset})


def _record(number: int) -> ComputeHost:
    facts = machine(nodes=2, cores=(4, 8, 16)[number % 3])
    known = record(number, facts=facts)
    pinned = number % 3 == 2
    return replace(
        known,
        memory_mb=known.memory_mb and known.memory_mb - number % 100,
        pcpus=8 if pinned else 0,
        reserved_host_cpus=0,
        reserved_host_memory_mb=512,
        reserved_host_disk_mb=10_240,
        cpu_allocation_ratio=4.0,
        ram_allocation_ratio=1.5,
        disk_allocation_ratio=1.0,
        local_gb=1000 + number % 50,
        disk_available_least=700,
        hypervisor_type="QEMU",
        hypervisor_version=8_002_002,
        engines="[]",
    )


def _discovery(number: int) -> Discovery:
    workloads = tuple(_workload(number, index) for index in range(number % 13))
    seen = SeenEngine(report=EngineReport(engine="libvirt", status=ANSWERED, workloads=workloads))
    return Discovery(engines=(seen,), workloads=workloads, complete=frozenset({"libvirt"}), knows_running=True)


def _workload(number: int, index: int) -> Workload:
    return Workload(
        uuid=f"aaaaaaaa-0000-4000-8000-{number:06d}{index:06d}",
        name=f"vm-{number}-{index}",
        engine="libvirt",
        kind=VM,
        state=RUNNING,
        vcpus=2,
        cpuset=CpuSet([index]) if index % 4 == 3 else None,
        memory_bytes=GIB // 2,
        disk_bytes=10 * GIB,
        numa_nodes=(index % 2,),
    )
