# SPDX-License-Identifier: Apache-2.0
"""SQL that operators wrote for Nova, with compute_nodes replaced by compute_host and nothing else changed."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from host_agent import store
from host_agent.resource_usage import MEMORY
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import DOWN_AFTER, claim, copy_all

IN_A_ZONE = """
SELECT SUM(memory_mb_used)*100/SUM(memory_mb) FROM compute_host WHERE host IN
  (SELECT host FROM aggregate_hosts AS ah, aggregate_metadata AS am WHERE ah.aggregate_id=am.aggregate_id
   AND am.key='availability_zone' AND am.deleted=0 AND am.value='availzone3');
"""
IN_AN_AGGREGATE = """
SELECT memory_mb, free_ram_mb, memory_mb_used, host FROM compute_host WHERE host IN
  (SELECT host FROM aggregate_hosts AS ah, aggregates AS a WHERE ah.aggregate_id=a.id AND a.name='aggr-availzone1');
"""


def uses(engine: Engine, number: int, memory_mb_used: int, free_ram_mb: int | None = None) -> None:
    change = {"memory_mb_used": memory_mb_used, "free_ram_mb": free_ram_mb}
    with engine.begin() as connection:
        connection.execute(update(HOSTS).where(HOSTS.c.uuid == uuid(number)).values(change))
        copy_all(connection)


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    store.upsert_many(engine, [record(number) for number in (1, 2)])
    uses(engine, 1, 1024, 7168)
    uses(engine, 2, 3072)
    for number in (1, 2):
        store.register(engine, claim(number))
    return engine


@pytest.fixture
def zones(fleet: Engine) -> Engine:
    """Give the fleet with two more hosts, of which 2 and 3 are in availzone3, and 1, 2 and 4 in aggr-availzone1."""
    store.upsert_many(fleet, [record(number) for number in (3, 4)])
    uses(fleet, 3, 1111, 7081)
    uses(fleet, 4, 8192, 0)
    for name, zone, members in (
        ("aggr-availzone3", "availzone3", (2, 3)),
        # Of the same zone once more: the host must not count twice.
        ("aggr-availzone3-ssd", "availzone3", (3,)),
        ("aggr-availzone1", "availzone1", (1, 4)),
        ("aggr-everywhere", None, (1, 2, 3, 4)),
    ):
        aggregate = store.create_aggregate(fleet, name, zone).id
        for number in members:
            store.add_host(fleet, aggregate, f"node-{number}")
    return fleet


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


def test_memory_in_use_in_a_zone_is_what_the_function_says(zones: Engine) -> None:
    ((percent,),) = answer(zones, IN_A_ZONE)
    # Whole numbers divided: SQLite and PostgreSQL cut the fraction off, MySQL keeps four digits of it.
    exact = (3072 + 1111) * 100 / (2 * 8192)
    assert float(str(percent)) == pytest.approx(exact, abs=1)
    groups = {group.name: group for group in store.usage_by_zone(zones, down_after_seconds=DOWN_AFTER)}
    assert groups["availzone3"].resources[MEMORY].used_percent == exact
    assert int(float(str(percent))) == int(exact)
    store.remove_host(zones, 2, "node-3")
    ((same,),) = answer(zones, IN_A_ZONE)
    assert same == percent
    store.remove_host(zones, 1, "node-3")
    ((less,),) = answer(zones, IN_A_ZONE)
    assert float(str(less)) == pytest.approx(3072 * 100 / 8192, abs=1)


def test_memory_by_host_of_an_aggregate_is_what_the_function_sums_up(zones: Engine) -> None:
    found = answer(zones, IN_AN_AGGREGATE)
    assert sorted(found) == [(8192, 0, 8192, "node-4"), (8192, 7168, 1024, "node-1")]
    groups = {group.name: group for group in store.usage_by_aggregate(zones, down_after_seconds=DOWN_AFTER)}
    memory = groups["aggr-availzone1"].resources[MEMORY]
    assert (memory.total, memory.used) == (8192 * 2, 9216)
    used, total = (sum(int(str(row[column])) for row in found) for column in (2, 0))
    assert memory.used_percent == used * 100 / total


def test_what_is_gone_is_not_counted(zones: Engine) -> None:
    for aggregate in store.list_aggregates(zones):
        for host in aggregate.hosts:
            store.remove_host(zones, aggregate.id, host)
        store.delete_aggregate(zones, aggregate.id)
    assert answer(zones, IN_A_ZONE) == [(None,)]
    assert answer(zones, IN_AN_AGGREGATE) == []
