# SPDX-License-Identifier: Apache-2.0
"""Workloads, migrations, reports and aggregates written on every node at once: what is counted stays right."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sqlalchemy import text

from host_agent import store
from host_agent.errors import AggregateConflict, AggregateNotFound
from host_agent.store.engine import Engine
from tests.galera.cluster import Cluster
from tests.galera.test_races import meanwhile
from tests.host_agent.store.fleet import host
from tests.host_agent.store.test_concurrency import at_once
from tests.host_agent.store.test_usage_concurrency import HOSTS, change, columns, persistent
from tests.host_agent.store.workloads import discovery, move, report, used, vm

CHANGES = 10


@pytest.fixture
def fleet(cluster: Cluster, engines: list[Engine]) -> list[Engine]:
    for number in range(1, HOSTS + 1):
        report(engines[0], number)
    cluster.agree()
    return engines


def test_whoever_changes_what_on_which_node_the_columns_are_as_from_scratch(
    cluster: Cluster, fleet: list[Engine]
) -> None:
    def work(node: int) -> None:
        chance = random.Random(node)
        for _ in range(CHANGES):
            persistent(lambda: change(fleet[node], chance))

    at_once(work, 3)
    cluster.agree()
    before = columns(fleet[1])
    assert store.recount(fleet[1]) == 0
    assert columns(fleet[2]) == before


@pytest.mark.parametrize(
    "overtakes",
    [
        lambda engine: store.record_workload(engine, vm(2), "node-1"),
        lambda engine: report(engine, 1, discovery(vm(2))),
        lambda engine: store.record_migration(engine, move(2, source=3, dest=1, vcpus=4, memory_bytes=0, disk_bytes=0)),
    ],
    ids=["a record", "a report", "a migration"],
)
def test_a_change_that_another_node_commits_meanwhile_is_not_missed(
    cluster: Cluster, fleet: list[Engine], overtakes: Callable[[Engine], None]
) -> None:
    meanwhile(fleet[0], lambda: overtakes(fleet[1]))
    store.record_workload(fleet[0], vm(1), "node-1")
    cluster.agree()
    assert used(fleet[2])[0] == 8
    assert store.recount(fleet[2]) == 0


def test_a_first_report_that_another_node_commits_meanwhile_meets_what_is_recorded(
    cluster: Cluster, fleet: list[Engine]
) -> None:
    meanwhile(fleet[0], lambda: report(fleet[1], 9))
    store.record_workload(fleet[0], vm(1), "node-9")
    cluster.agree()
    assert used(fleet[2], 9)[0] == 4
    assert [row["uuid"] for row in store.list_workloads(fleet[2])] == [vm(1).uuid]


def test_of_two_nodes_that_put_a_host_into_two_zones_one_is_refused(cluster: Cluster, fleet: list[Engine]) -> None:
    first, second = (store.create_aggregate(fleet[0], name, f"zone-{name}") for name in ("a", "b"))
    cluster.agree()
    meanwhile(fleet[0], lambda: store.add_host(fleet[1], second.id, "node-1"))
    with pytest.raises(AggregateConflict, match="zone-b"):
        store.add_host(fleet[0], first.id, "node-1")
    cluster.agree()
    assert [one.hosts for one in store.list_aggregates(fleet[2])] == [(), ("node-1",)]
    assert host(fleet[2])["retired_at"] is None


def test_a_host_joins_no_aggregate_that_another_node_deletes_meanwhile(cluster: Cluster, fleet: list[Engine]) -> None:
    made = store.create_aggregate(fleet[0], "short-lived")
    cluster.agree()
    meanwhile(fleet[0], lambda: store.delete_aggregate(fleet[1], made.id))
    with pytest.raises(AggregateNotFound):
        store.add_host(fleet[0], made.id, "node-1")
    cluster.agree()
    assert store.list_aggregates(fleet[2]) == []
    with fleet[2].connect() as connection:
        assert connection.execute(text("SELECT host FROM aggregate_hosts")).all() == []
