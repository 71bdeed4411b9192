# SPDX-License-Identifier: Apache-2.0
"""Many writers of the same hosts, workloads and migrations at once: no usage column loses a change."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from host_agent import store
from host_agent.errors import StoreBusy
from host_agent.store.engine import Engine
from tests.host_agent.facts import GIB, record, uuid
from tests.host_agent.store.fleet import host
from tests.host_agent.store.test_concurrency import at_once
from tests.host_agent.store.workloads import USED, discovery, move, report, vm, vm_uuid

HOSTS, WORKLOADS, CHANGES = 3, 5, 12
STATUSES = ("accepted", "running", "done", "error")


def change(engine: Engine, chance: random.Random) -> None:
    """Make one change of any kind, sequences of reports rising."""
    number, where = chance.randrange(WORKLOADS), chance.choice([1, 2, 3, None])
    name = None if where is None else f"node-{where}"
    from_to = {"source": chance.choice([1, 2, 3]), "dest": chance.choice([1, 2, 3, None])}
    seen = [vm(one, vcpus=1) for one in range(WORKLOADS) if chance.random() < 0.4]
    kinds: list[Callable[[], Any]] = [
        lambda: store.record_workload(engine, vm(number, vcpus=chance.choice([1, 2, None])), name),
        lambda: store.record_workload(engine, vm(number, memory_bytes=GIB), name),
        lambda: store.delete_workload(engine, vm_uuid(number)),
        lambda: store.record_migration(engine, move(number, status=chance.choice(STATUSES), **from_to)),
        lambda: store.delete_migration(engine, move(number).uuid),
        lambda: report(engine, where or 1, discovery(*seen)),
        lambda: store.upsert_many(engine, [record(one) for one in (1, 2, 3)]),
        lambda: store.recount(engine),
    ]
    chance.choice(kinds)()


def persistent(call: Callable[[], object]) -> None:
    """Call until the database takes it: this many writers of three rows are more than the store's own tries."""
    for _ in range(50):
        try:
            call()
            return
        except StoreBusy:
            continue
    raise AssertionError("the database never took it")


def columns(engine: Engine) -> list[dict[str, object]]:
    return [{name: host(engine, number)[name] for name in (*USED, "numa_topology")} for number in (1, 2, 3)]


def test_whoever_changes_what_at_once_the_columns_are_as_from_scratch(engine: Engine) -> None:
    for number in range(1, HOSTS + 1):
        report(engine, number, reserved_host_cpus=number)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(CHANGES):
            persistent(lambda: change(engine, chance))

    at_once(work, 10)
    before = columns(engine)
    assert store.recount(engine) == 0
    assert columns(engine) == before
    assert [row["created_at"] for row in store.list_workloads(engine)].count(None) == 0


def test_one_workload_that_many_move_is_on_one_host_in_the_end(engine: Engine) -> None:
    """Each mover has to free the host that the one before it chose, which it cannot know when it begins."""
    for number in range(1, HOSTS + 1):
        report(engine, number)
    at_once(lambda number: persistent(lambda: store.record_workload(engine, vm(), f"node-{number % HOSTS + 1}")), 12)
    (row,) = store.list_workloads(engine)
    counts = {number: host(engine, number)["vcpus_used"] for number in range(1, HOSTS + 1)}
    assert counts == {number: 4 if row["host"] == f"node-{number}" else 0 for number in counts}


def test_of_many_that_record_the_same_at_once_one_is_the_first(engine: Engine) -> None:
    report(engine, 1)
    first: list[bool] = []
    at_once(lambda _: persistent(lambda: first.append(store.record_workload(engine, vm(), "node-1"))), 8)
    assert sorted(first) == [False] * 7 + [True]
    first.clear()
    at_once(lambda _: persistent(lambda: first.append(store.record_migration(engine, move()))), 8)
    assert sorted(first) == [False] * 7 + [True]


def test_a_workload_that_is_recorded_while_its_migration_is_meets_it(engine: Engine) -> None:
    """Neither sees the other in the tables: the lock is a row that is not there afterwards."""
    for turn in range(5):
        for number in (1, 2, 3):
            report(engine, number)

        def work(number: int, turn: int = turn) -> None:
            if number % 2:
                persistent(lambda: store.record_workload(engine, vm(turn), "node-3"))
            else:
                persistent(lambda: store.record_migration(engine, move(turn)))

        at_once(work, 2)
        # It is recorded elsewhere, so it has left node-1, and node-2 knows how large it is.
        assert [host(engine, number)["vcpus_used"] for number in (1, 2, 3)] == [0, 4 * (turn + 1), 4 * (turn + 1)]
    assert store.recount(engine) == 0


@pytest.mark.parametrize("way", ["first report", "new name", "back from retirement", "many at once"])
def test_a_workload_recorded_while_its_host_takes_the_name_is_not_missed(engine: Engine, way: str) -> None:
    """There is no row yet that both could lock: the lock is the name."""
    named = [record(number) for number in range(1, 21)]
    if way == "new name":
        store.upsert_many(engine, [replace(one, host=f"old-{one.host}") for one in named])
    if way == "back from retirement":
        store.upsert_many(engine, named)
        for one in named:
            store.retire(engine, one.uuid)

    def work(turn: int, number: int) -> None:
        one = named[turn]
        if number == 0:
            persistent(partial(store.record_workload, engine, vm(turn), one.host))
        elif way == "back from retirement":
            persistent(partial(store.retire, engine, one.uuid, undo=True))
        elif way == "many at once":
            persistent(partial(store.upsert_many, engine, [one]))
        else:
            persistent(partial(store.upsert, engine, one))

    for turn in range(len(named)):
        at_once(partial(work, turn), 2)
    assert [host(engine, number)["vcpus_used"] for number in range(1, 21)] == [4] * 20
    assert len(store.list_workloads(engine)) == 20


def test_a_recount_beside_reports_and_records_never_writes_what_is_old(engine: Engine) -> None:
    store.upsert_many(engine, [record(number) for number in range(1, 31)])

    def work(number: int) -> None:
        for turn in range(8):
            name, workload = f"node-{turn + 1}", vm(number * 100 + turn)
            if number == 0:
                persistent(lambda: store.recount(engine))
            elif number % 2:
                persistent(partial(store.record_workload, engine, workload, name))
            else:
                persistent(partial(report, engine, turn + 1, discovery(workload)))

    at_once(work, 7)
    assert store.recount(engine) == 0
    shown = store.host_usage(engine, uuid(1))
    assert shown is not None
    assert shown.row["vcpus_used"] == shown.usage.vcpus
