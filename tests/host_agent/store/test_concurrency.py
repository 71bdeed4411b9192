# SPDX-License-Identifier: Apache-2.0
"""Many writers at once, on every backend: one row, no error, nothing lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from host_agent import store
from host_agent.errors import DuplicateHost, LeaseLost, NameTaken
from host_agent.store.engine import Engine
from tests.host_agent.facts import machine, record, uuid
from tests.host_agent.store.fleet import BOOT, DOWN_AFTER, age, beat, claim, codes, enlist, host
from tests.host_agent.store.test_transaction import RAISE_TEMPORARY

THREADS = 20
OLD, NEW = machine(), machine(flag="avx512f")


def at_once(work: Callable[[int], object], count: int = THREADS) -> None:
    """Call `work` in `count` threads that start together, and raise what any of them raised."""
    barrier = Barrier(count)

    def start(number: int) -> None:
        barrier.wait(timeout=30)
        work(number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(start, range(count)))


@pytest.mark.parametrize("facts", [[OLD], [OLD, NEW]], ids=["same facts", "facts in dispute"])
def test_twenty_threads_on_one_engine_make_one_row(engine: Engine, facts: list[Any]) -> None:
    at_once(lambda number: store.upsert(engine, record(facts=facts[number % len(facts)], running_containers=number)))
    (row,) = store.list_hosts(engine)
    assert row["uuid"] == uuid(1)
    assert row["running_containers"] in range(THREADS)


def test_twenty_engines_make_one_row(engine: Engine, prepared_url: str, opened: Callable[..., Engine]) -> None:
    engines = [opened(prepared_url) for _ in range(THREADS)]

    def report(number: int) -> None:
        lease = store.register(engines[number], claim()).lease
        for _ in range(3):
            assert beat(engines[number], lease) is not None
            store.upsert(engines[number], record(boot_id=BOOT), lease)

    at_once(report)
    (row,) = store.list_hosts(engine)
    (service,) = store.list_services(engine)
    assert service["report_count"] == 4 * THREADS
    assert row["service_id"] == service["id"]
    assert codes(engine) == ["host-registered"]


def test_twenty_hosts_register_at_once(engine: Engine, prepared_url: str, opened: Callable[..., Engine]) -> None:
    engines = [opened(prepared_url) for _ in range(THREADS)]
    at_once(lambda number: enlist(engines[number], number))
    assert len(store.list_hosts(engine)) == len(store.list_services(engine)) == THREADS
    assert codes(engine) == ["host-registered"] * THREADS


def test_parallel_batches_over_the_same_hosts_never_deadlock(
    engine: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    """Each writer has the hosts in another order and disputes the facts of some; no transaction is rolled back."""
    engines = [opened(prepared_url) for _ in range(4)]
    rolled_back: list[object] = []
    for one in engines:
        event.listen(one, "rollback", rolled_back.append)
    store.upsert_many(engine, [record(number) for number in range(60)])

    def relay(number: int) -> None:
        order = random.Random(number)
        for _ in range(10):
            fleet = [record(host, facts=order.choice([OLD, OLD, OLD, NEW])) for host in range(60)]
            order.shuffle(fleet)
            store.upsert_many(engines[number], fleet)

    at_once(relay, 4)
    assert rolled_back == []
    assert len(store.list_hosts(engine)) == 60


def test_a_batch_tried_again_is_written_whole_even_from_a_generator(
    prepared_server_url: str, opened: Callable[..., Engine]
) -> None:
    engine = opened(prepared_server_url)
    store.upsert_many(engine, (record(number) for number in range(3)))
    failed: list[object] = []

    def fail_once(connection: Connection) -> None:
        if not failed:
            failed.append(connection)
            connection.exec_driver_sql(RAISE_TEMPORARY[connection.dialect.name])

    event.listen(engine, "begin", fail_once)
    store.upsert_many(engine, (record(number, running_containers=7) for number in range(3)))
    assert failed
    assert [row["running_containers"] for row in store.list_hosts(engine)] == [7, 7, 7]


def boot(number: int) -> str:
    return f"{number:08d}-2222-4333-8444-555555555555"


def test_of_many_boots_at_once_exactly_one_gets_the_row(
    engine: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    engines = [opened(prepared_url) for _ in range(THREADS)]
    leases: dict[int, store.Lease] = {}
    refused: list[DuplicateHost] = []

    def start(number: int) -> None:
        try:
            leases[number] = enlist(engines[number], boot_id=boot(number))
        except DuplicateHost as error:
            refused.append(error)

    at_once(start)
    ((number, lease),) = leases.items()
    (service,) = store.list_services(engine)
    assert (service["boot_id"], host(engine)["boot_id"]) == (boot(number), boot(number))
    assert {error.other_boot_id for error in refused} == {boot(number)}
    assert len(refused) == THREADS - 1
    assert beat(engine, lease) is not None
    assert codes(engine) == ["host-registered"]


def test_of_many_hosts_at_once_exactly_one_gets_the_name(
    engine: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    engines = [opened(prepared_url) for _ in range(THREADS)]
    named: list[store.Lease] = []
    refused: list[NameTaken] = []

    def start(number: int) -> None:
        try:
            named.append(store.register(engines[number], claim(number, host="wanted")).lease)
        except NameTaken as error:
            refused.append(error)

    at_once(start)
    (lease,) = named
    assert [row["uuid"] for row in store.list_services(engine)] == [lease.service_uuid]
    assert len(refused) == THREADS - 1


def test_hosts_that_take_each_others_names_never_block_for_good(
    engine: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    for number in range(4):
        enlist(engine, number)
    engines = [opened(prepared_url) for _ in range(4)]
    age(engine, "last_seen_up", DOWN_AFTER + 1)

    def move(number: int) -> None:
        for step in range(1, 4):
            try:
                store.register(engines[number], claim(number, host=f"node-{(number + step) % 4}"))
            except NameTaken:
                continue

    at_once(move, 4)
    names = [row["host"] for row in store.list_services(engine)]
    assert len(names) == len(set(names)) > 0


def test_whoever_has_the_lease_at_the_end_wrote_the_facts_at_the_end(
    engine: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    """Boots of one host lose the lease and take it again, again and again; none writes under a lease it lost."""
    boots = 4
    engines = [opened(prepared_url) for _ in range(boots)]
    taken: list[str] = []

    def live(number: int) -> None:
        for sequence in range(1, 16):
            age(engines[number], "last_seen_up", DOWN_AFTER + 1)
            try:
                lease = store.register(engines[number], claim(boot_id=boot(number))).lease
                # Wide and narrow in turn: both ways of writing have to look.
                facts = NEW if sequence % 4 < 2 else OLD
                store.upsert(engines[number], record(facts=facts, boot_id=boot(number), sequence=sequence), lease)
            except (DuplicateHost, LeaseLost):
                continue
            taken.append(boot(number))

    at_once(live, boots)
    (service,) = store.list_services(engine)
    assert host(engine)["boot_id"] == service["boot_id"]
    assert len(set(taken)) > 1


@pytest.mark.parametrize("facts", [OLD, NEW], ids=["same facts", "other facts"])
def test_facts_that_were_on_their_way_when_the_lease_was_lost_are_not_written(
    prepared_server_url: str, opened: Callable[..., Engine], facts: Any
) -> None:
    """On SQLite nobody can take it then: the whole transaction has the file."""
    slow, quick = opened(prepared_server_url), opened(prepared_server_url)
    lease = enlist(slow)
    overtaken: list[str] = []

    def be_overtaken(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "compute_host" in statement and not overtaken:
            overtaken.append(statement)
            age(quick, "last_seen_up", DOWN_AFTER + 1)
            enlist(quick, boot_id=boot(2))

    event.listen(slow, "before_cursor_execute", be_overtaken)
    with pytest.raises(LeaseLost):
        store.upsert(slow, record(facts=facts, boot_id=BOOT, sequence=9), lease)
    assert overtaken[0].startswith("UPDATE")
    assert (host(quick)["boot_id"], host(quick)["sequence"]) == (boot(2), 1)


def test_of_many_boots_after_a_silence_exactly_one_gets_the_row(
    engine: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    """Even of a host that has no facts yet."""
    engines = [opened(prepared_url) for _ in range(THREADS)]
    store.register(engine, claim())
    age(engine, "last_seen_up", DOWN_AFTER + 1)
    taken: list[store.Lease] = []
    refused: list[DuplicateHost] = []

    def start(number: int) -> None:
        try:
            taken.append(store.register(engines[number], claim(boot_id=boot(number))).lease)
        except DuplicateHost as error:
            refused.append(error)

    at_once(start)
    (lease,) = taken
    assert {error.other_boot_id for error in refused} == {lease.boot_id}
    assert len(refused) == THREADS - 1
    assert codes(engine).count("host-up") == 1


def test_however_the_reports_of_a_boot_overtake_each_other_the_newest_stays(
    engine: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    writers, newest = 6, 20
    engines = [opened(prepared_url) for _ in range(writers)]

    def report(number: int) -> None:
        order = random.Random(number)
        # Replays too: a report whose answer was lost is sent again, later.
        sequences = order.sample(range(newest + 1), 12) + [newest] * (number == 0)
        for sequence in sequences + order.sample(sequences, 4):
            told = record(facts=[OLD, NEW][sequence % 2], boot_id=BOOT, sequence=sequence, running_containers=sequence)
            if sequence % 3:
                store.upsert(engines[number], told)
            else:
                store.upsert_many(engines[number], [told])

    at_once(report, writers)
    row = host(engine)
    assert (row["sequence"], row["running_containers"]) == (newest, newest)
    assert row["facts_digest"] == record(facts=OLD).facts_digest
    assert row["facts"] == record(facts=OLD).facts


_REPORTS = st.lists(
    st.tuples(st.sampled_from([boot(1), boot(2), None]), st.integers(0, 4), st.booleans(), st.booleans()), max_size=12
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(reports=_REPORTS)
def test_the_stored_row_is_that_of_the_newest_report_that_was_taken(engine: Engine, reports: list[Any]) -> None:
    """Any history of reports, replays and reboots: a boot's older facts leave no trace, in no column."""
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM compute_host")
    taken: tuple[str | None, int, bool, int] | None = None
    for number, (boot_id, sequence, is_new, is_batch) in enumerate(reports):
        told = record(facts=NEW if is_new else OLD, boot_id=boot_id, sequence=sequence, running_containers=number)
        if is_batch:
            store.upsert_many(engine, [told])
        else:
            store.upsert(engine, told)
        if taken is None or boot_id is None or boot_id != taken[0] or sequence >= taken[1]:
            taken = (boot_id, sequence, is_new, number)
    if taken is None:
        assert store.list_hosts(engine) == []
        return
    row = host(engine)
    assert (row["boot_id"], row["sequence"], row["running_containers"]) == (taken[0], taken[1], taken[3])
    assert row["facts"] == record(facts=NEW if taken[2] else OLD).facts
