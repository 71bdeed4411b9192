# SPDX-License-Identifier: Apache-2.0
"""The narrow rows say what the wide ones say, whoever wrote those, and cost nothing while nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, event, insert, select, update

from host_agent import store
from host_agent.numa import HostNuma
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS, INVENTORIES, NODES, SERVICES, SUMS, TRAIT_SETS
from host_agent.store.transaction import transaction
from tests.host_agent.facts import GIB, machine, record, uuid
from tests.host_agent.store.fleet import DOWN_AFTER, age, claim, enlist, host
from tests.host_agent.store.workloads import discovery, report, vm

COMPLETE: dict[str, Any] = {
    "pcpus": 0,
    "reserved_host_cpus": 1,
    "reserved_host_memory_mb": 512,
    "reserved_host_disk_mb": 1025,
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.5,
    "disk_allocation_ratio": 1.0,
    "local_gb": 100,
    "disk_available_least": -3,
}


def table(engine: Engine, which: Table) -> list[dict[str, Any]]:
    with engine.begin() as connection:
        return [dict(row) for row in connection.execute(select(which).order_by(*which.primary_key)).mappings()]


def writes(engine: Engine) -> list[str]:
    """Give a list that the statements which write are added to."""
    found: list[str] = []

    def note(_connection: Connection, _cursor: Any, sql: str, *_rest: Any) -> None:
        if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            found.append(sql.split("(")[0].strip())

    event.listen(engine, "before_cursor_execute", note)
    return found


def test_a_report_makes_the_narrow_rows_of_its_host(engine: Engine) -> None:
    report(engine, 1, discovery(vm(1, vcpus=2, memory_bytes=GIB, disk_bytes=GIB)), **COMPLETE)
    wide, (narrow,) = host(engine), table(engine, INVENTORIES)
    for name in set(narrow) & set(wide):
        assert narrow[name] == wide[name], name
    assert narrow["is_complete"]
    # (8 - 1) x 4 less 2; (8192 - 512) x 1.5 less 1024.
    assert (narrow["free_vcpus"], narrow["free_memory_mb"]) == (26.0, 10496.0)
    assert (narrow["floating_cpus"], narrow["pinning_cpus"], narrow["either_cpus"]) == (8, 8, 8)
    cells = HostNuma.from_json(wide["numa_topology"]).cells
    nodes = table(engine, NODES)
    assert [(node["page_size_bytes"], node["node_id"]) for node in nodes] == [(0, 0), (0, 1), (2**21, 0), (2**21, 1)]
    assert [node["free_bytes"] for node in nodes[:2]] == [cell.memory_available_bytes for cell in cells]
    assert [node["free_bytes"] for node in nodes[2:]] == [5 * 2**21] * 2
    (names,) = (row["names"] for row in table(engine, TRAIT_SETS))
    assert names == " HW_ARCH_X86_64 HW_CPU_HYPERTHREADING HW_CPU_X86_SSE2 HW_NUMA_ROOT "
    (sums,) = table(engine, SUMS)
    assert (sums["first_id"], sums["hosts"], sums["served"], sums["vcpu_capacity"]) == (0, 1, 0, 28.0)
    assert (sums["disk_gb_total"], sums["disk_gb_reserved"], sums["disk_gb_used"]) == (100, 2, 3)
    assert store.recount(engine) == 0


def test_a_report_that_changes_nothing_writes_nothing_narrow(engine: Engine) -> None:
    lease = enlist(engine)
    store.upsert(engine, record(1, sequence=2), lease)
    written = writes(engine)
    store.upsert(engine, record(1, sequence=3, mem_free_kb=1), lease)
    assert [statement for statement in written if "inventor" in statement or "trait" in statement] == []
    assert any("compute_host" in statement for statement in written)


def test_every_host_of_a_kind_refers_to_the_same_traits(engine: Engine) -> None:
    store.upsert_many(engine, [record(number) for number in range(1, 5)])
    store.upsert(engine, record(5, facts=machine(flag="avx2")))
    kept = table(engine, TRAIT_SETS)
    assert len(kept) == 2
    assert {row["id"] for row in kept} == {row["trait_set_id"] for row in table(engine, INVENTORIES)}
    assert all(0 <= row["id"] < 2**63 for row in kept)


def test_a_retired_host_has_none_and_gets_them_back(engine: Engine) -> None:
    enlist(engine)
    enlist(engine, 2)
    store.retire(engine, uuid(1))
    assert {row["host"] for row in table(engine, INVENTORIES)} == {"node-2"}
    assert len({row["host_id"] for row in table(engine, NODES)}) == 1
    (sums,) = table(engine, SUMS)
    assert sums["served"] == 1
    assert store.recount(engine) == 0
    store.retire(engine, uuid(1), undo=True)
    rows = {row["host"]: row for row in table(engine, INVENTORIES)}
    assert rows["node-1"]["service_id"] is None
    assert len({row["host_id"] for row in table(engine, NODES)}) == 2
    assert store.recount(engine) == 0


def test_a_pruned_host_leaves_nothing_behind(engine: Engine) -> None:
    enlist(engine)
    age(engine, "last_seen_up", 3600)
    age(engine, "updated_at", 3600, HOSTS)
    assert len(store.prune(engine, older_than_seconds=60)) == 1
    assert table(engine, INVENTORIES) == table(engine, NODES) == []
    assert store.hypervisor_statistics(engine)["count"] == 0
    assert store.recount(engine) == 0


def test_a_host_that_registers_is_counted_with_its_service_at_once(engine: Engine) -> None:
    store.upsert(engine, record(1))
    assert store.hypervisor_statistics(engine)["count"] == 0
    store.register(engine, claim(1))
    assert store.hypervisor_statistics(engine)["count"] == 1
    assert store.recount(engine) == 0


def test_a_host_whose_name_is_taken_over_has_no_service_any_more(engine: Engine) -> None:
    enlist(engine, 1)
    age(engine, "last_seen_up", 10 * DOWN_AFTER)
    store.register(engine, claim(1, uuid=uuid(9), is_new=False))
    (narrow,) = table(engine, INVENTORIES)
    assert narrow["service_id"] is None
    assert store.recount(engine) == 0


@pytest.mark.parametrize(
    "damage",
    [
        update(INVENTORIES).values(vcpus=99),
        update(INVENTORIES).values(nodes_digest=None),
        update(INVENTORIES).values(is_complete=True),
        delete(INVENTORIES),
        update(SUMS).values(served_vcpus=99),
        delete(SUMS),
        update(HOSTS).where(HOSTS.c.id == 1).values(memory_mb=1, free_ram_mb=1),
    ],
    ids=str,
)
def test_a_recount_mends_what_others_wrote(engine: Engine, damage: Any) -> None:
    for number in (1, 2):
        enlist(engine, number)
    with engine.begin() as connection:
        connection.execute(damage)
    assert store.recount(engine) > 0
    assert store.recount(engine) == 0
    rows = table(engine, INVENTORIES)
    assert [row["memory_mb"] for row in rows] == [host(engine, number)["memory_mb"] for number in (1, 2)]
    assert len(table(engine, NODES)) == 8
    assert store.hypervisor_statistics(engine)["vcpus"] == 16


def test_a_recount_removes_what_a_release_left_behind_that_did_not_know_it(engine: Engine) -> None:
    enlist(engine, 1)
    enlist(engine, 2)
    with engine.begin() as connection:
        connection.execute(delete(HOSTS).where(HOSTS.c.uuid == uuid(1)))
        connection.execute(update(HOSTS).where(HOSTS.c.uuid == uuid(2)).values(retired_at=HOSTS.c.created_at))
    assert store.recount(engine) > 0
    assert table(engine, INVENTORIES) == table(engine, NODES) == []
    assert store.recount(engine) == 0


def test_what_another_program_made_of_the_nodes_fits_nothing(engine: Engine) -> None:
    enlist(engine)
    with engine.begin() as connection:
        connection.execute(update(HOSTS).values(numa_topology=json.dumps({"cells": 2})))
    assert store.recount(engine) == 1
    (narrow,) = table(engine, INVENTORIES)
    assert (narrow["floating_cpus"], narrow["node_free_bytes"], table(engine, NODES)) == (None, None, [])
    assert store.recount(engine) == 0


def test_the_upgrade_fills_what_reports_would_have_filled(database_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(database_url)
    migrate.upgrade(engine)
    for number in range(1, 12):
        changes = COMPLETE | {"pcpus": number % 3, "shared_storage": "nfs:/a" if number % 2 else None}
        changes |= {} if number % 5 else {"local_gb": None}
        with_usage = discovery(vm(number, vcpus=number % 4, memory_bytes=number * 1024**2))
        report(engine, number, with_usage, **changes)
    with engine.begin() as connection:
        _multiply(connection)
    store.recount(engine)
    made = {which.name: table(engine, which) for which in (INVENTORIES, SUMS)}
    with transaction(engine) as connection:
        # As the schema was before; what stands in the tables is what an upgrade that was cut off left.
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0011'")
        connection.execute(delete(SUMS).where(SUMS.c.first_id > 0))
        migrate.take_steps(connection, ["0012"])
    unknown_yet = dict.fromkeys(("nodes_digest", "floating_cpus", "pinning_cpus", "either_cpus", "node_free_bytes"))
    assert table(engine, INVENTORIES) == [row | unknown_yet for row in made["host_inventories"]]
    assert table(engine, SUMS) == made["inventory_sums"]
    assert store.recount(engine) == len(made["host_inventories"])
    assert table(engine, INVENTORIES) == made["host_inventories"]


def _multiply(connection: Connection) -> None:
    """Copy the hosts until there are several rows of sums."""
    rows = [dict(row) for row in connection.execute(select(HOSTS)).mappings()]
    copies = [
        row
        | {"id": number * 20 + row["id"], "uuid": uuid(number * 20 + row["id"]), "host": f"copy-{number}-{row['id']}"}
        for number in range(1, 31)
        for row in rows
    ]
    connection.execute(insert(HOSTS), copies)


def test_statistics_are_novas(engine: Engine) -> None:
    assert set(store.hypervisor_statistics(engine).values()) == {0}
    for number in (1, 2, 3):
        lease = enlist(engine, number)
        seen = discovery(vm(number, vcpus=2, memory_bytes=GIB, disk_bytes=GIB))
        store.upsert(engine, record(number, sequence=2, engines="[]", **COMPLETE), lease, seen)
    store.upsert(engine, record(4, **COMPLETE))
    with engine.begin() as connection:
        connection.execute(update(SERVICES).where(SERVICES.c.host == "node-2").values(disabled=True))
        connection.execute(update(SERVICES).where(SERVICES.c.host == "node-3").values(forced_down=True))
    assert store.hypervisor_statistics(engine) == {
        "count": 2,
        "vcpus": 16,
        "memory_mb": 2 * 8192,
        "local_gb": 200,
        "vcpus_used": 6,
        "memory_mb_used": 2 * 1536,
        "local_gb_used": 6,
        "free_ram_mb": 2 * 6656,
        "free_disk_gb": 194,
        "current_workload": 0,
        "running_vms": 2,
        "disk_available_least": -6,
    }
    store.retire(engine, uuid(1))
    assert store.hypervisor_statistics(engine)["count"] == 1
