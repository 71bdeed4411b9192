# SPDX-License-Identifier: Apache-2.0
"""Many writers at once, on every backend: one row, no error, nothing lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, event

from host_agent import store
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.facts import machine, record, uuid
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
    at_once(lambda number: store.upsert(engine, record(facts=facts[number % len(facts)], running_vms=number)))
    (row,) = store.list_hosts(engine)
    assert row["uuid"] == uuid(1)
    assert row["running_vms"] in range(THREADS)


def test_twenty_engines_make_one_row(engine: Engine, database_url: str, opened: Callable[..., Engine]) -> None:
    engines = [opened(database_url) for _ in range(THREADS)]

    def report(number: int) -> None:
        for _ in range(3):
            service_id = store.heartbeat(
                engines[number], uuid=uuid(1), host="node-1", binary="nova-compute", topic="compute"
            )
            store.upsert(engines[number], record(), service_id)

    at_once(report)
    (host,) = store.list_hosts(engine)
    (service,) = store.list_services(engine)
    assert service["report_count"] == 3 * THREADS
    assert host["service_id"] == service["id"]


def test_twenty_hosts_register_at_once(engine: Engine, database_url: str, opened: Callable[..., Engine]) -> None:
    engines = [opened(database_url) for _ in range(THREADS)]
    at_once(lambda number: store.upsert(engines[number], record(number)))
    assert len(store.list_hosts(engine)) == THREADS


def test_parallel_batches_over_the_same_hosts_never_deadlock(
    engine: Engine, database_url: str, opened: Callable[..., Engine]
) -> None:
    """Each writer has the hosts in another order and disputes the facts of some; no transaction is rolled back."""
    engines = [opened(database_url) for _ in range(4)]
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
    server_url: str, opened: Callable[..., Engine]
) -> None:
    engine = opened(server_url)
    migrate.upgrade(engine)
    store.upsert_many(engine, (record(number) for number in range(3)))
    failed: list[object] = []

    def fail_once(connection: Connection) -> None:
        if not failed:
            failed.append(connection)
            connection.exec_driver_sql(RAISE_TEMPORARY[connection.dialect.name])

    event.listen(engine, "begin", fail_once)
    store.upsert_many(engine, (record(number, running_vms=7) for number in range(3)))
    assert failed
    assert [row["running_vms"] for row in store.list_hosts(engine)] == [7, 7, 7]
