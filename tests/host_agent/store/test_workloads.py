# SPDX-License-Identifier: Apache-2.0
"""Recorded workloads and migrations: kept as they were said, once, and listed in pages."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from host_agent import store
from host_agent.errors import InvalidWorkload, UnknownMarker
from host_agent.store.engine import Engine
from host_agent.store.workload_columns import columns_of, workload_of
from host_agent.workloads.workload import CONTAINER, HeldPages, Workload
from os_capability import CpuSet
from tests.host_agent.facts import uuid
from tests.host_agent.store.workloads import GIB, discovery, move, report, used, vm, vm_uuid

FULL = Workload(
    uuid=vm_uuid(5),
    name="ünï 🖥 \\ ' %s :x",
    engine="docker",
    kind=CONTAINER,
    state="shelved",
    vcpus=0.1,
    cpuset=CpuSet([0, 1, 5]),
    memory_bytes=2**53 + 1,
    hugepages=(HeldPages(size_bytes=GIB, count=2**40),),
    disk_bytes=2**62 + 1,
    numa_nodes=(0, 3),
    labels={"a": "ü", "": " "},
)
BARE = Workload(uuid=vm_uuid(6), name="", engine="", kind="", state="")


@pytest.mark.parametrize("workload", [FULL, BARE], ids=["everything", "nothing"])
def test_a_workload_comes_back_as_it_was_recorded(engine: Engine, workload: Workload) -> None:
    store.record_workload(engine, workload, "node-1")
    (row,) = store.list_workloads(engine)
    assert workload_of(row) == workload
    assert (row["host"], row["missing_since"]) == ("node-1", None)
    assert {"id", "generation"}.isdisjoint(row)


def test_recording_it_again_changes_nothing_and_another_state_only_what_changed(engine: Engine) -> None:
    store.record_workload(engine, FULL, "node-1")
    (before,) = store.list_workloads(engine)
    store.record_workload(engine, FULL, "node-1")
    assert store.list_workloads(engine) == [before]
    store.record_workload(engine, replace(FULL, state="running"), None)
    (after,) = store.list_workloads(engine)
    assert (after["state"], after["host"], after["created_at"]) == ("running", None, before["created_at"])
    moments: list[Any] = [before["updated_at"], after["updated_at"]]
    assert moments[0] < moments[1]


def test_deleting_tells_whether_there_was_one(engine: Engine) -> None:
    store.record_workload(engine, vm(), "node-1")
    assert store.delete_workload(engine, vm_uuid(1).upper())
    assert not store.delete_workload(engine, vm_uuid(1))
    assert store.list_workloads(engine) == []


def test_a_migration_of_a_workload_that_nobody_recorded_records_none(engine: Engine) -> None:
    """Its lock is a row that nobody ever sees."""
    store.record_migration(engine, move())
    assert store.list_workloads(engine) == []
    assert not store.delete_workload(engine, vm_uuid(1))
    assert store.delete_migration(engine, move().uuid)
    assert store.list_workloads(engine) == []


def test_a_migration_comes_back_as_it_was_recorded_its_status_as_nova_spells_it(engine: Engine) -> None:
    wanted = move(status="Running", vcpus=0.5, memory_bytes=2**60 + 1, disk_bytes=2**61 + 1)
    for _ in range(2):
        store.record_migration(engine, wanted)
        (row,) = store.list_migrations(engine)
    assert {name: row[name] for name in ("uuid", "workload_uuid", "source_host", "dest_host")} == {
        "uuid": wanted.uuid,
        "workload_uuid": vm_uuid(1),
        "source_host": "node-1",
        "dest_host": "node-2",
    }
    assert (row["status"], row["vcpus"], row["memory_bytes"], row["disk_bytes"]) == (
        "running",
        0.5,
        2**60 + 1,
        2**61 + 1,
    )
    store.record_migration(engine, replace(wanted, status="done", vcpus=None))
    (after,) = store.list_migrations(engine)
    assert (after["status"], after["vcpus"], after["created_at"]) == ("done", None, row["created_at"])


def test_both_are_listed_in_pages_and_by_host(engine: Engine) -> None:
    for number in range(1, 6):
        store.record_workload(engine, vm(number), f"node-{number % 2}")
        store.record_migration(engine, move(number, dest=number, status="running" if number % 2 else "done"))
    page = store.list_workloads(engine, limit=2)
    rest = store.list_workloads(engine, marker=str(page[-1]["uuid"]).upper())
    assert [row["uuid"] for row in page + rest] == [vm_uuid(number) for number in range(1, 6)]
    assert len(store.list_workloads(engine, host="node-1")) == 3
    assert [row["dest_host"] for row in store.list_migrations(engine, in_progress=True)] == [
        "node-1",
        "node-3",
        "node-5",
    ]
    assert len(store.list_migrations(engine, host="node-2")) == 1
    assert len(store.list_migrations(engine, host="node-1", limit=3)) == 3
    page = store.list_migrations(engine, limit=4)
    assert len(store.list_migrations(engine, marker=str(page[-1]["uuid"]).upper())) == 1
    for listed, kind in ((store.list_workloads, "workload"), (store.list_migrations, "migration")):
        with pytest.raises(UnknownMarker, match=f"no {kind} has the uuid 'x'"):
            listed(engine, marker="x")


@pytest.mark.parametrize(
    "sizes",
    [
        {"vcpus": -1.0, "memory_bytes": -1, "disk_bytes": -GIB},
        {"vcpus": math.nan, "memory_bytes": 2**63, "disk_bytes": 2**64},
        {"vcpus": math.inf, "memory_bytes": 2**63 - 1, "disk_bytes": 2**63 - 1},
        {"vcpus": 1e300, "memory_bytes": 0, "disk_bytes": 0},
    ],
    ids=str,
)
def test_what_is_no_amount_is_not_known_whoever_tells_it(engine: Engine, sizes: dict[str, Any]) -> None:
    report(engine, 1, discovery(vm(1, **sizes)))
    report(engine, 2)
    for _ in range(2):
        store.record_workload(engine, vm(2, **sizes), "node-1")
        store.record_migration(engine, move(3, **sizes))
    held = [size for size in sizes.values() if 0 <= size < 2**63]
    for number, count in ((1, 3), (2, 1)):
        vcpus, memory_mb, disk_gb = used(engine, number)
        assert (vcpus, memory_mb) == (0, -(-count * sum(held[:1]) // 2**20))
        assert disk_gb == -(-count * sum(held[1:]) // 2**30)
        shown = store.host_usage(engine, uuid(number))
        assert shown is not None
        assert shown.usage.unlimited["vcpus"] == count
    assert store.recount(engine) == 0


def test_what_does_not_fit_is_made_to(engine: Engine) -> None:
    columns = columns_of(vm(name="x" * 300, disk_bytes=2**63, labels={}))
    assert (len(str(columns["name"])), columns["disk_bytes"], columns["labels"]) == (255, None, None)
    assert json.loads(str(columns_of(FULL)["hugepages"])) == [{"size_bytes": GIB, "count": 2**40}]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"uuid": "nonsense"}, "'nonsense': not a uuid"),
        ({"kind": "cheese"}, "'cheese' is neither 'container' nor 'vm'"),
    ],
)
def test_what_can_be_no_workload_is_refused_and_nothing_is_recorded(
    engine: Engine, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidWorkload, match=words):
        store.record_workload(engine, vm(**wrong), "node-1")
    assert store.list_workloads(engine) == []


@pytest.mark.parametrize("wrong", [{"uuid": "nonsense"}, {"workload_uuid": "\udc80"}])
def test_what_can_be_no_migration_is_refused(engine: Engine, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidWorkload, match="not a uuid"):
        store.record_migration(engine, move(**wrong))
    assert store.list_migrations(engine) == []
