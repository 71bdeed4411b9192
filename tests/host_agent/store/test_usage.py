# SPDX-License-Identifier: Apache-2.0
"""The usage columns: right whenever anybody looks, whoever changed what they are made of."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select, update

from host_agent import store
from host_agent.errors import HostRetired
from host_agent.store.engine import Engine
from host_agent.store.schema import FOUND_WORKLOADS, HOSTS
from host_agent.usage import INCOMING, ORPHAN, RECORDED
from host_agent.workloads.discovery import SeenEngine
from host_agent.workloads.engine import UNREADABLE, EngineReport
from host_agent.workloads.workload import CONTAINER, STOPPED, HeldPages
from os_capability import CpuSet
from tests.host_agent.facts import machine, record, uuid
from tests.host_agent.store.fleet import age, claim, codes, enlist, host
from tests.host_agent.store.workloads import GIB, USED, discovery, move, report, used, vm, vm_uuid


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Note what is sent to the database between BEGIN and COMMIT."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if not sql.startswith("BEGIN"):
            sent.append(sql)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def found_rows(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [
            dict(row) for row in connection.execute(select(FOUND_WORKLOADS).order_by(FOUND_WORKLOADS.c.uuid)).mappings()
        ]


def test_the_real_case_of_a_finished_evacuation(engine: Engine) -> None:
    for number in (1, 2, 3):
        report(engine, number, vcpus=48, memory_mb=96 * 1024, local_gb=1000, reserved_host_memory_mb=2048)
    for number in range(4):
        store.record_workload(engine, vm(number), "node-1")
    store.record_workload(engine, vm(9, vcpus=8, memory_bytes=16 * GIB), "node-3")
    sizes: dict[str, Any] = {"vcpus": 8, "memory_bytes": 16 * GIB, "disk_bytes": 80 * GIB}
    evacuation = move(9, source=2, dest=1, migration_type="evacuation", **sizes)
    store.record_migration(engine, replace(evacuation, status="accepted"))
    assert (used(engine, 1), used(engine, 2)) == ((24, 59392, 400), (0, 2048, 0))
    store.record_migration(engine, replace(evacuation, status="done"))
    assert used(engine, 1) == (16, 43008, 320)
    assert used(engine, 2) == (0, 2048, 0)
    assert used(engine, 3) == (8, 2048 + 16 * 1024, 80)
    row = host(engine)
    assert (row["free_ram_mb"], row["free_disk_gb"], row["current_workload"]) == (96 * 1024 - 43008, 680, 0)
    assert (row["running_vms"], row["used_cpu"], row["pcpus_used"]) == (4, 0, 0)
    assert store.recount(engine) == 0


def test_a_running_migration_counts_once_on_each_side_until_the_workload_has_left(engine: Engine) -> None:
    for number in (1, 2):
        report(engine, number)
    store.record_workload(engine, vm(), "node-1")
    store.record_migration(engine, move())
    assert used(engine, 1) == used(engine, 2) == (4, 10240, 80)
    assert [host(engine, number)["current_workload"] for number in (1, 2)] == [1, 1]
    report(engine, 1, discovery(vm()))
    store.record_workload(engine, vm(), "node-2")
    assert used(engine, 1) == used(engine, 2) == (4, 10240, 80)
    report(engine, 1, discovery())
    assert (used(engine, 1), used(engine, 2)) == ((0, 0, 0), (4, 10240, 80))
    store.record_migration(engine, move(status="completed"))
    assert [host(engine, number)["current_workload"] for number in (1, 2)] == [0, 0]
    assert store.delete_migration(engine, move().uuid)
    assert not store.delete_migration(engine, move().uuid)
    assert store.recount(engine) == 0


def test_a_migration_of_an_unrecorded_workload_follows_the_record_once_there_is_one(engine: Engine) -> None:
    for number in (1, 2, 3):
        report(engine, number)
    store.record_migration(engine, move(vcpus=2))
    assert used(engine, 1) == used(engine, 2) == (2, 0, 0)
    # Its size is known now, and that it has left.
    store.record_workload(engine, vm(), "node-3")
    assert [used(engine, number) for number in (1, 2, 3)] == [(0, 0, 0), (2, 10240, 80), (4, 10240, 80)]
    assert store.delete_workload(engine, vm_uuid(1))
    assert used(engine, 1) == used(engine, 2) == (2, 0, 0)
    store.record_migration(engine, move(workload_uuid=vm_uuid(2), dest=3))
    assert [used(engine, number)[0] for number in (1, 2, 3)] == [0, 0, 0]
    assert store.recount(engine) == 0


def test_a_host_that_comes_later_has_its_usage_at_once(engine: Engine) -> None:
    store.record_workload(engine, vm(), "node-1")
    store.record_workload(engine, vm(2), None)
    enlist(engine)
    assert used(engine) == (4, 10240, 80)
    store.upsert_many(engine, [record(number) for number in (1, 2, 3)])
    assert [used(engine, number)[0] for number in (1, 2, 3)] == [4, 0, 0]


def test_pins_and_pages_are_put_back_at_every_report(engine: Engine) -> None:
    pages = (HeldPages(size_bytes=2048 * 1024, count=7),)
    pinned = vm(vcpus=2, cpuset=CpuSet([0, 1]), memory_bytes=GIB, hugepages=pages)
    report(engine)
    base = host(engine)["numa_topology"]
    store.record_workload(engine, pinned, "node-1")
    for _ in range(2):
        nodes = json.loads(host(engine)["numa_topology"])["nodes"]
        assert (nodes[0]["pinned_cpus"], nodes[0]["hugepages"][0]["used"]) == ("0-1", 7)
        assert host(engine)["pcpus_used"] == 2
        # The facts are new as well, which is written another way.
        report(engine, sequence=2)
        report(engine, facts=machine(flag="avx"), sequence=3)
    assert store.recount(engine) == 0
    store.delete_workload(engine, pinned.uuid)
    assert host(engine)["numa_topology"] == base


def test_reserved_amounts_and_what_is_begun_count_as_used(engine: Engine) -> None:
    report(engine, reserved_host_cpus=2, reserved_host_memory_mb=512, reserved_host_disk_mb=1536, local_gb=1)
    assert used(engine) == (2, 512, 2)
    box = vm(kind=CONTAINER, engine="docker", vcpus=0.1, memory_bytes=1, disk_bytes=1024**3 // 2)
    for number in range(10):
        store.record_workload(engine, replace(box, uuid=vm_uuid(number)), "node-1")
    assert used(engine) == (3, 513, 7)
    # Overcommitted: as in Nova, what is free may be less than nothing.
    assert (host(engine)["free_disk_gb"], host(engine)["used_cpu"]) == (-6, 1.0)
    report(engine, reserved_host_cpus=5)
    assert used(engine) == (6, 1, 5)


def test_nobody_counts_what_nobody_could_look_at(engine: Engine) -> None:
    blind = SeenEngine(report=EngineReport(engine="docker", status=UNREADABLE, reason="may not"), trouble="may not")
    unknown = discovery(engines=(blind,), complete=frozenset(), knows_running=False)
    report(engine, 1, unknown, reserved_host_memory_mb=512)
    assert {host(engine)[name] for name in (*USED, "workloads_at")} == {None}
    assert store.recount(engine) == 0
    store.record_workload(engine, vm(), "node-1")
    assert used(engine) == (4, 10752, 80)
    store.delete_workload(engine, vm_uuid(1))
    assert used(engine) == (None, None, None)
    report(engine, 1, discovery(), reserved_host_memory_mb=512)
    assert used(engine) == (0, 512, 0)
    assert host(engine)["workloads_at"] is not None
    # It knew once: what it does not see now stands.
    report(engine, 1, unknown, reserved_host_memory_mb=512)
    assert used(engine) == (0, 512, 0)


def test_only_differences_of_what_was_found_are_written(engine: Engine) -> None:
    seen = [vm(number, labels={"a": "b"}, numa_nodes=(0, 1), cpuset=CpuSet([1])) for number in range(3)]
    report(engine, 1, discovery(*seen))
    before = found_rows(engine)
    assert used(engine) == (12, 30720, 240)
    with statements(engine) as sent:
        report(engine, 1, discovery(*seen))
    verbs = [sql.split()[0] for sql in sent]
    assert (verbs.count("UPDATE"), verbs.count("SELECT"), len(verbs)) == (1, 3, 4)
    assert found_rows(engine) == before
    report(engine, 1, discovery(seen[0], replace(seen[1], state=STOPPED), vm(7)))
    after = found_rows(engine)
    assert [row["uuid"] for row in after] == [vm_uuid(0), vm_uuid(1), vm_uuid(7)]
    assert (after[0], after[1]["state"], after[1]["found_at"]) == (before[0], STOPPED, before[1]["found_at"])
    assert used(engine) == (8, 20480, 240)
    # No discovery says nothing.
    report(engine)
    assert found_rows(engine) == after


def test_what_a_silent_engine_told_last_stands(engine: Engine) -> None:
    docker = {"engine": "docker", "kind": CONTAINER}
    seen = [vm(1, **docker), vm(2, state=STOPPED, **docker), vm(3), vm(4, state=STOPPED)]
    report(engine, 1, discovery(*seen))
    blind = SeenEngine(report=EngineReport(engine="docker", status=UNREADABLE), trouble="no answer")
    # The control groups told that nothing of docker runs; of stopped ones they know nothing.
    report(engine, 1, discovery(engines=(blind,)))
    assert [row["uuid"] for row in found_rows(engine)] == [vm_uuid(2)]
    report(engine, 1, discovery(*seen))
    report(engine, 1, discovery(engines=(blind,), knows_running=False))
    assert [row["uuid"] for row in found_rows(engine)] == [vm_uuid(1), vm_uuid(2)]
    # Removed from the host: it has nothing any more.
    report(engine, 1, discovery())
    assert found_rows(engine) == []


def test_a_name_that_no_table_can_hold_keeps_no_host_from_being_stored(engine: Engine) -> None:
    report(engine, 1, discovery(vm(name="\0\ud800" + "x" * 999, memory_bytes=2**64, labels={"\0": "\ud800"})))
    (row,) = found_rows(engine)
    assert (len(row["name"]), row["memory_bytes"]) == (255, None)
    report(engine, 1, discovery(vm(name="\0\ud800" + "x" * 999, memory_bytes=2**64, labels={"\0": "\ud800"})))
    assert found_rows(engine) == [row]


def test_facts_that_come_late_leave_all_as_it_was(engine: Engine) -> None:
    report(engine, 1, discovery(vm(1)), sequence=9)
    before = host(engine), found_rows(engine)
    report(engine, 1, discovery(vm(2), vm(3)), sequence=8)
    assert ({**host(engine), "now": None}, found_rows(engine)) == ({**before[0], "now": None}, before[1])


def test_a_recorded_workload_that_is_not_there_is_told_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "host_agent.store")
    report(engine)
    store.record_workload(engine, vm(), "node-1")
    report(engine)
    report(engine, 1, discovery(complete=frozenset()))
    assert codes(engine) == []
    for _ in range(2):
        report(engine, 1, discovery())
        assert codes(engine) == ["workload-missing"]
    assert used(engine) == (4, 10240, 80)
    (row,) = store.list_workloads(engine)
    assert row["missing_since"] is not None
    (told,) = store.list_events(engine)
    assert (told["host_uuid"], told["message"]) == (uuid(1), "vm 'vm-1' is recorded for this host and not on it")
    for _ in range(2):
        report(engine, 1, discovery(vm()))
        assert codes(engine) == ["workload-missing", "workload-found"]
    assert store.list_workloads(engine)[0]["missing_since"] is None
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        ("WARNING", "workload-missing: vm 'vm-1' is recorded for this host and not on it"),
        ("INFO", "workload-found: vm 'vm-1' is on this host again"),
    ]


def test_a_workload_on_its_way_is_not_missing_and_one_that_moved_was_not_looked_for(engine: Engine) -> None:
    report(engine)
    store.record_workload(engine, vm(), "node-1")
    store.record_migration(engine, move())
    report(engine, 1, discovery())
    assert codes(engine) == []
    store.record_migration(engine, move(status="error"))
    report(engine, 1, discovery())
    assert codes(engine) == ["workload-missing"]
    store.record_workload(engine, vm(), "node-2")
    assert store.list_workloads(engine)[0]["missing_since"] is None


def test_the_explanation_names_each_workload_and_why_it_counts(engine: Engine) -> None:
    report(engine, 1, discovery(vm(1), vm(3, labels={"a": "b"}), vm(4, state=STOPPED)))
    store.record_workload(engine, vm(1), "node-1")
    store.record_workload(engine, vm(2), "node-2")
    store.record_workload(engine, vm(4), "node-3")
    store.record_migration(engine, move(2, source=2, dest=1))
    shown = store.host_usage(engine, uuid(1))
    assert shown is not None
    row, usage = shown.row, shown.usage
    why = [(held.workload.name, held.source, held.recorded_host) for held in usage.holdings]
    assert why == [
        ("vm-1", RECORDED, "node-1"),
        ("vm-2", INCOMING, "node-2"),
        ("vm-3", ORPHAN, None),
        ("vm-4", ORPHAN, "node-3"),
    ]
    assert (row["vcpus_used"], row["host"], row["last_seen_up"]) == (usage.vcpus, "node-1", None)
    assert usage.holdings[2].workload.labels == {"a": "b"}
    assert usage.numa is not None
    assert row["numa_topology"] == usage.numa.to_json()
    assert store.host_usage(engine, uuid(9)) is None


def test_a_retired_host_is_left_as_it_is_and_catches_up_when_it_comes_back(engine: Engine) -> None:
    report(engine)
    store.record_workload(engine, vm(), "node-1")
    store.retire(engine, uuid(1))
    store.record_workload(engine, vm(2), "node-1")
    with pytest.raises(HostRetired):
        report(engine, 1, discovery(vm(3)))
    store.upsert_many(engine, [record(1)], {uuid(1): discovery(vm(3))})
    store.recount(engine)
    assert (used(engine), found_rows(engine)) == ((4, 10240, 80), [])
    store.retire(engine, uuid(1), undo=True)
    assert used(engine) == (8, 20480, 160)


def test_pruning_takes_what_was_found_and_leaves_what_is_recorded(engine: Engine) -> None:
    report(engine, 1, discovery(vm(1)))
    report(engine, 2, discovery(vm(2)))
    store.record_workload(engine, vm(1), "node-1")
    age(engine, "updated_at", 3600, HOSTS, number=1)
    assert len(store.prune(engine, older_than_seconds=60)) == 1
    assert [row["host_uuid"] for row in found_rows(engine)] == [uuid(2)]
    assert [row["host"] for row in store.list_workloads(engine)] == ["node-1"]
    report(engine)
    assert used(engine) == (4, 10240, 80)


def test_a_host_installed_anew_takes_the_workloads_of_its_name_over(engine: Engine) -> None:
    """Its old row is there until somebody prunes it; the same workload on both would count twice."""
    enlist(engine, 1)
    store.record_workload(engine, vm(), "node-1")
    age(engine, "last_seen_up", 3600)
    lease = store.register(engine, claim(2, host="node-1")).lease
    store.upsert(engine, record(2, host="node-1", boot_id=lease.boot_id), lease, discovery(vm()))
    assert (used(engine, 1), used(engine, 2)) == ((0, 0, 0), (4, 10240, 80))
    store.record_workload(engine, vm(3), "node-1")
    assert (used(engine, 1)[0], used(engine, 2)[0], store.recount(engine)) == (0, 8, 0)
    store.retire(engine, uuid(2))
    assert used(engine, 1)[0] == 8


@pytest.mark.parametrize("many", [False, True], ids=["alone", "among many"])
def test_a_host_that_is_given_another_name_leaves_the_workloads_of_the_old_one_to_its_next(
    engine: Engine, many: bool
) -> None:
    report(engine, 1, host="node-1")
    report(engine, 2, host="node-1")
    store.record_workload(engine, vm(1), "node-1")
    store.record_workload(engine, vm(2, vcpus=1), "other")
    assert (used(engine, 1)[0], used(engine, 2)[0]) == (0, 4)
    if many:
        store.upsert_many(engine, [record(2, host="other")])
    else:
        report(engine, 2, host="other")
    assert (used(engine, 1)[0], used(engine, 2)[0]) == (4, 1)
    assert store.recount(engine) == 0


def test_no_statement_has_a_parameter_for_each_workload_of_a_host(engine: Engine) -> None:
    """SQLite takes 32,766 of them, PostgreSQL 65,535."""
    report(engine, 1, discovery(*(vm(number) for number in range(500))))
    store.record_workload(engine, vm(7), "node-2")
    counts = []

    def count(_connection: Any, _cursor: Any, _sql: str, parameters: Any, _context: Any, is_many: bool) -> None:
        counts.append(0 if is_many else len(parameters))

    event.listen(engine, "before_cursor_execute", count)
    shown = store.host_usage(engine, uuid(1))
    store.recount(engine)
    assert shown is not None
    assert [held.workload.name for held in shown.usage.holdings if held.recorded_host == "node-2"] == ["vm-7"]
    assert max(counts) < 100


def test_recounting_mends_what_others_damaged_page_by_page(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_agent.store.usage_audit._PAGE", 2)
    store.upsert_many(engine, [record(number) for number in range(5)])
    store.record_workload(engine, vm(), "node-3")
    assert store.recount(engine) == 0
    with engine.begin() as connection:
        damage = dict.fromkeys(USED) | {"numa_topology": None}
        connection.execute(update(HOSTS).where(HOSTS.c.uuid.in_([uuid(1), uuid(3)])).values(vcpus_used=99))
        connection.execute(update(HOSTS).where(HOSTS.c.uuid == uuid(4)).values(damage))
    done: list[int] = []
    assert store.recount(engine, done.append) == 3
    assert done == [2, 4, 5]
    assert [used(engine, number)[0] for number in range(5)] == [0, 0, 0, 4, 0]
    assert store.recount(engine) == 0


def test_a_recount_leaves_a_row_that_changed_since_it_was_read(engine: Engine) -> None:
    report(engine)
    with engine.begin() as connection:
        connection.execute(update(HOSTS).values(vcpus_used=99))
    began = False

    def interrupt(connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        nonlocal began
        if not began and "found_workloads" in sql:
            began = True
            # As another writer does who commits between the reading and the writing.
            change = "UPDATE compute_host SET usage_generation = usage_generation + 1, vcpus_used = 7"
            connection.exec_driver_sql(change)

    event.listen(engine, "before_cursor_execute", interrupt)
    assert (store.recount(engine), began) == (0, True)
    event.remove(engine, "before_cursor_execute", interrupt)
    assert host(engine)["vcpus_used"] == 7


def test_a_container_that_control_groups_know_by_its_id_does_not_count_beside_its_record(engine: Engine) -> None:
    """As on a host whose Docker the agent may not ask, and whose containers Zun made."""
    silent = '[{"engine":"docker","status":"unreadable","reason":"closed","age_seconds":0,"complete":false}]'
    seen = SeenEngine(report=EngineReport(engine="docker", status=UNREADABLE), trouble="closed")
    one, same, other = (vm(number, engine="docker", kind=CONTAINER, vcpus=number) for number in (1, 2, 4))
    store.record_workload(engine, one, "node-1")

    report(engine, 1, discovery(same, engines=(seen,), complete=frozenset()), engines=silent)
    assert used(engine)[0] == 1
    report(engine, 1, discovery(same, other, engines=(seen,), complete=frozenset()), engines=silent)
    assert used(engine)[0] == 1 + 4
    assert store.recount(engine) == 0
    assert [row["missing_since"] for row in store.list_workloads(engine)] == [None]


def test_an_orchestrators_capitals_make_no_other_state(engine: Engine) -> None:
    report(engine)
    store.record_workload(engine, vm(1, state="Deleted"), "node-1")
    store.record_workload(engine, vm(2, state="SHELVED_OFFLOADED", kind="VM"), "node-1")
    assert used(engine)[0] == 0
    assert [row["kind"] for row in store.list_workloads(engine)] == ["vm", "vm"]
