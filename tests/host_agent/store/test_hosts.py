# SPDX-License-Identifier: Apache-2.0
"""Retiring and pruning, on every backend."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, event

from host_agent import store
from host_agent.errors import HostRetired, LeaseLost
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS, SERVICES
from tests.host_agent.facts import machine, record, uuid
from tests.host_agent.store.fleet import age, beat, claim, codes, enlist, host

MONTH = 30 * 86400


def hosts(engine: Engine) -> list[object]:
    return [row["uuid"] for row in store.list_hosts(engine)]


def pruned(engine: Engine, **how: Any) -> list[object]:
    return [row["uuid"] for row in store.prune(engine, older_than_seconds=MONTH, **how)]


def silence(engine: Engine, number: int, seconds: float | None = MONTH + 60) -> None:
    age(engine, "last_seen_up", seconds, SERVICES, number)
    age(engine, "updated_at", seconds, HOSTS, number)


def test_a_retired_host_keeps_its_row_and_loses_its_lease(engine: Engine) -> None:
    lease = enlist(engine)
    before = host(engine)
    assert store.retire(engine, uuid(1)) is True
    after = host(engine)
    assert after["retired_at"] is not None
    assert {name: after[name] for name in ("facts", "updated_at", "vcpus")} == {
        name: before[name] for name in ("facts", "updated_at", "vcpus")
    }
    assert beat(engine, lease) is None
    assert codes(engine) == ["host-registered", "host-retired"]


def test_nothing_is_written_to_a_retired_host(engine: Engine) -> None:
    lease = enlist(engine)
    store.retire(engine, uuid(1))
    before = host(engine)
    for facts in (machine(), machine(flag="avx512f")):
        with pytest.raises(LeaseLost):
            store.upsert(engine, record(facts=facts, sequence=2), lease)
        with pytest.raises(HostRetired):
            store.upsert(engine, record(facts=facts, sequence=2))
        store.upsert_many(engine, [record(1, facts=facts, sequence=2), record(2, facts=facts)])
    assert {**host(engine), "now": None} == {**before, "now": None}
    assert hosts(engine) == [uuid(1), uuid(2)]


def test_retiring_twice_and_undoing_twice_change_nothing(engine: Engine) -> None:
    enlist(engine)
    answers = [store.retire(engine, uuid(1), undo) for undo in (True, False, False, True, True)]
    assert answers == [False, True, False, True, False]
    assert codes(engine) == ["host-registered", "host-retired", "host-restored"]
    assert store.retire(engine, uuid(9)) is False


def test_a_restored_host_registers_and_reports_again(engine: Engine) -> None:
    enlist(engine)
    store.retire(engine, uuid(1))
    store.retire(engine, uuid(1), undo=True)
    lease = enlist(engine)
    assert beat(engine, lease) is not None
    assert (host(engine)["retired_at"], host(engine)["service_id"]) == (None, lease.service_id)


def test_a_host_retired_while_it_registers_does_not_come_back(engine: Engine) -> None:
    """Each waits for the other's transaction, whichever is first; the retired host has no service at the end."""
    for number in range(1, 9):
        enlist(engine, number)
        both = threading.Barrier(2)

        def agent(number: int = number, both: threading.Barrier = both) -> None:
            both.wait(timeout=30)
            for _ in range(3):
                try:
                    lease = store.register(engine, claim(number)).lease
                    store.upsert(engine, record(number, sequence=2), lease)
                except (HostRetired, LeaseLost):
                    continue

        with ThreadPoolExecutor(1) as pool:
            reporting = pool.submit(agent)
            both.wait(timeout=30)
            assert store.retire(engine, uuid(number)) is True
            reporting.result(timeout=60)
    assert store.list_services(engine) == []
    assert all(row["retired_at"] is not None for row in store.list_hosts(engine))


def test_hosts_that_were_not_heard_of_go_with_all_they_have(engine: Engine) -> None:
    for number in (1, 2):
        enlist(engine, number)
    silence(engine, 1)
    assert pruned(engine, dry_run=True) == [uuid(1)]
    assert hosts(engine) == [uuid(1), uuid(2)]
    assert pruned(engine) == [uuid(1)]
    assert hosts(engine) == [uuid(2)]
    assert [row["uuid"] for row in store.list_services(engine)] == [store.service_uuid(uuid(2), "nova-compute")]
    assert (codes(engine, 1), codes(engine, 2)) == ([], ["host-registered"])
    assert pruned(engine) == []


@pytest.mark.parametrize(
    ("seen", "written", "goes"),
    [
        (MONTH + 60, MONTH + 60, True),
        (MONTH - 60, MONTH + 60, False),
        (MONTH + 60, MONTH - 60, False),
        (None, MONTH + 60, True),
        (MONTH + 60, None, True),
        (None, MONTH - 60, False),
        (MONTH - 60, None, False),
        (None, None, False),
    ],
)
def test_the_later_sign_of_life_counts_and_no_sign_is_no_age(
    engine: Engine, seen: float | None, written: float | None, goes: bool
) -> None:
    enlist(engine)
    age(engine, "last_seen_up", seen)
    age(engine, "updated_at", written, HOSTS)
    assert pruned(engine, dry_run=True) == pruned(engine) == [uuid(1)] * goes
    assert hosts(engine) == [uuid(1)] * (not goes)


def test_a_host_without_a_service_has_the_age_of_its_facts(engine: Engine) -> None:
    store.upsert_many(engine, [record(1), record(2)])
    silence(engine, 2)
    assert pruned(engine) == [uuid(2)]


def test_retired_hosts_go_when_they_are_old_enough(engine: Engine) -> None:
    for number in (1, 2):
        enlist(engine, number)
        store.retire(engine, uuid(number))
    silence(engine, 2)
    assert pruned(engine) == [uuid(2)]


def test_only_the_named_hosts_go(engine: Engine) -> None:
    for number in (1, 2, 3):
        enlist(engine, number)
        silence(engine, number)
    assert pruned(engine, uuids=[uuid(3), uuid(9)]) == [uuid(3)]
    assert pruned(engine, uuids=[]) == []
    assert hosts(engine) == [uuid(1), uuid(2)]


def test_many_go_in_pages(engine: Engine) -> None:
    store.upsert_many(engine, [record(number, facts=machine(nodes=1, cores=1)) for number in range(450)])
    silent = [uuid(number) for number in range(450) if number % 45]
    age(engine, "updated_at", MONTH + 60, HOSTS)
    for number in range(0, 450, 45):
        age(engine, "updated_at", 0, HOSTS, number)
    assert pruned(engine, dry_run=True) == silent
    begun: list[object] = []
    event.listen(engine, "begin", begun.append)
    assert pruned(engine) == silent
    # Three pages are found and removed, and then none is found.
    assert len(begun) == 3 + 3 + 1
    assert len(hosts(engine)) == 10


def test_a_host_that_is_heard_while_it_is_looked_at_stays(engine: Engine) -> None:
    """Between the list of the old and their removal one of them reports."""
    for number in (1, 2):
        enlist(engine, number)
        silence(engine, number)
    committed: list[Connection] = []

    def report_once_the_list_is_read(connection: Connection) -> None:
        committed.append(connection)
        if len(committed) == 1:
            age(engine, "last_seen_up", 0, SERVICES, 2)

    event.listen(engine, "commit", report_once_the_list_is_read)
    assert pruned(engine) == [uuid(1)]
    assert committed
    assert hosts(engine) == [uuid(2)]
    assert len(store.list_services(engine)) == 1


def test_a_pruned_host_that_lives_registers_again(engine: Engine) -> None:
    lease = enlist(engine)
    silence(engine, 1)
    assert pruned(engine) == [uuid(1)]
    assert beat(engine, lease) is None
    with pytest.raises(LeaseLost):
        store.upsert(engine, record(sequence=2), lease)
    assert hosts(engine) == []
    enlist(engine)
    assert hosts(engine) == [uuid(1)]
