# SPDX-License-Identifier: Apache-2.0
"""SQL that operators wrote for Nova, with compute_nodes replaced by compute_host and nothing else changed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from host_agent import store
from host_agent.store.engine import Engine
from tests.host_agent.facts import record
from tests.host_agent.store.fleet import claim


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    store.upsert_many(engine, [record(1, memory_mb_used=1024, free_ram_mb=7168), record(2, memory_mb_used=3072)])
    for number in (1, 2):
        store.register(engine, claim(number))
    return engine


def answer(engine: Engine, sql: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_memory_in_use_in_percent(fleet: Engine) -> None:
    ((percent,),) = answer(fleet, "SELECT SUM(memory_mb_used)*100/SUM(memory_mb) FROM compute_host")
    assert float(str(percent)) == 25.0


def test_memory_by_host(fleet: Engine) -> None:
    sql = "SELECT memory_mb, free_ram_mb, memory_mb_used, host FROM compute_host WHERE host IN ('node-1', 'node-2')"
    assert sorted(answer(fleet, sql), key=str) == [(8192, 7168, 1024, "node-1"), (8192, None, 3072, "node-2")]


def test_nothing_is_ever_counted_as_deleted(fleet: Engine) -> None:
    assert answer(fleet, "SELECT COUNT(*) FROM compute_host WHERE deleted = 0") == [(2,)]
    assert answer(fleet, "SELECT COUNT(*) FROM services WHERE deleted = 0 AND disabled_reason IS NULL") == [(2,)]


def test_hosts_join_their_services_by_name(fleet: Engine) -> None:
    sql = (
        "SELECT s.host, cn.vcpus, cn.hypervisor_hostname FROM compute_host AS cn JOIN services AS s"
        " ON s.host = cn.host WHERE s.topic = 'compute' AND s.binary = 'nova-compute' ORDER BY s.host"
    )
    assert answer(fleet, sql) == [("node-1", 8, "node-1"), ("node-2", 8, "node-2")]
