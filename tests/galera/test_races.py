# SPDX-License-Identifier: Apache-2.0
"""Two nodes decide at the same time, each without the other's locks: one is told at its commit, and tries again.

What `meanwhile` runs on one node is committed between the statements and the commit of the call on the other.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, event

from host_agent import store
from host_agent.errors import DuplicateHost, HostRetired, LeaseLost, NameTaken
from host_agent.store.engine import DEFERRED_BEGIN, Engine
from os_capability import Host
from tests.galera.cluster import Cluster
from tests.host_agent.facts import machine, record, uuid
from tests.host_agent.store.fleet import BOOT, DOWN_AFTER, OTHER_BOOT, age, beat, claim, codes, enlist, host
from tests.host_agent.store.test_concurrency import at_once, boot

FACTS = pytest.mark.parametrize("facts", [machine(), machine(flag="avx512f")], ids=["same facts", "other facts"])


def meanwhile(engine: Engine, work: Callable[[], object]) -> None:
    """Have `work` done just before the next commit of `engine` in a transaction that writes."""
    done: list[object] = []

    def overtake(connection: Connection) -> None:
        if not done and DEFERRED_BEGIN not in connection.get_execution_options():
            done.append("it")
            work()

    event.listen(engine, "commit", overtake)


def silence(engine: Engine) -> None:
    age(engine, "last_seen_up", DOWN_AFTER + 1)


@pytest.mark.parametrize("before", ["nothing", "a registration", "facts"])
def test_of_two_boots_on_two_nodes_the_one_that_commits_first_gets_the_row(
    cluster: Cluster, engines: list[Engine], before: str
) -> None:
    if before != "nothing":
        (store.register(engines[0], claim(boot_id=boot(0))) if before == "a registration" else enlist(engines[0]))
        silence(engines[0])
        cluster.agree()
    meanwhile(engines[0], lambda: store.register(engines[1], claim(boot_id=boot(1))))

    with pytest.raises(DuplicateHost) as refused:
        store.register(engines[0], claim(boot_id=boot(2)))

    assert refused.value.other_boot_id == boot(1)
    cluster.agree()
    (service,) = store.list_services(engines[2])
    assert service["boot_id"] == boot(1)
    back = [] if before == "nothing" else ["host-down", "host-up"]
    assert sorted(map(str, codes(engines[2]))) == sorted(["host-registered", *back])


def test_of_three_boots_on_three_nodes_exactly_one_gets_each_row(cluster: Cluster, engines: list[Engine]) -> None:
    leases: dict[int, list[store.Lease]] = {number: [] for number in range(10)}
    refused: list[DuplicateHost] = []

    def start(node: int) -> None:
        for number, taken in leases.items():
            try:
                taken.append(enlist(engines[node], number, boot_id=boot(node)))
            except DuplicateHost as error:
                refused.append(error)

    at_once(start, 3)
    cluster.agree()
    assert [len(taken) for taken in leases.values()] == [1] * 10
    assert len(refused) == 20
    holders = [service["boot_id"] for service in store.list_services(engines[0])]
    assert sorted(holders, key=str) == sorted((lease.boot_id for (lease,) in leases.values()), key=str)
    assert all(beat(engine, lease) is not None for engine in engines for (lease,) in leases.values())
    assert codes(engines[0]) == ["host-registered"] * 10


def test_of_two_hosts_on_two_nodes_exactly_one_gets_the_name(cluster: Cluster, engines: list[Engine]) -> None:
    meanwhile(engines[0], lambda: store.register(engines[1], claim(1, host="wanted")))
    with pytest.raises(NameTaken):
        store.register(engines[0], claim(2, host="wanted"))
    cluster.agree()
    (service,) = store.list_services(engines[2])
    assert service["uuid"] == store.service_uuid(uuid(1), "nova-compute")


@FACTS
def test_facts_that_were_on_their_way_when_another_boot_registered_elsewhere_are_not_written(
    cluster: Cluster, engines: list[Engine], facts: Host
) -> None:
    lease = enlist(engines[0])
    silence(engines[0])
    cluster.agree()
    meanwhile(engines[0], lambda: store.register(engines[1], claim(boot_id=OTHER_BOOT)))

    with pytest.raises(LeaseLost):
        store.upsert(engines[0], record(facts=facts, boot_id=BOOT, sequence=9), lease)

    cluster.agree()
    assert host(engines[2])["sequence"] == 1


def registers(engine: Engine, _lease: store.Lease) -> None:
    store.register(engine, claim())


def registers_another_boot(engine: Engine, _lease: store.Lease) -> None:
    store.register(engine, claim(boot_id=OTHER_BOOT, down_after_seconds=0))


def reports(engine: Engine, lease: store.Lease) -> None:
    store.upsert(engine, record(boot_id=BOOT, sequence=9), lease)


def reports_other_facts(engine: Engine, lease: store.Lease) -> None:
    store.upsert(engine, record(facts=machine(flag="avx512f"), boot_id=BOOT, sequence=9), lease)


def reports_without_a_lease(engine: Engine, _lease: store.Lease) -> None:
    store.upsert(engine, record(boot_id=BOOT, sequence=9))


AGENT = pytest.mark.parametrize(
    "act", [registers, registers_another_boot, reports, reports_other_facts, reports_without_a_lease]
)


@AGENT
def test_a_host_that_is_retired_on_another_node_meanwhile_is_not_written(
    cluster: Cluster, engines: list[Engine], act: Callable[[Engine, store.Lease], None]
) -> None:
    lease = enlist(engines[0])
    cluster.agree()
    meanwhile(engines[0], lambda: store.retire(engines[1], uuid()))

    with pytest.raises((HostRetired, LeaseLost)):
        act(engines[0], lease)

    cluster.agree()
    row = host(engines[2])
    assert row["retired_at"] is not None
    assert (row["sequence"], row["boot_id"], row["service_id"]) == (1, BOOT, None)
    assert store.list_services(engines[2]) == []
    assert codes(engines[2]) == ["host-registered", "host-retired"]


@AGENT
def test_a_host_that_is_heard_on_another_node_meanwhile_is_retired_all_the_same(
    cluster: Cluster, engines: list[Engine], act: Callable[[Engine, store.Lease], None]
) -> None:
    lease = enlist(engines[0])
    cluster.agree()
    meanwhile(engines[1], lambda: act(engines[0], lease))

    assert store.retire(engines[1], uuid())

    cluster.agree()
    row = host(engines[2])
    assert row["retired_at"] is not None
    assert row["service_id"] is None
    assert store.list_services(engines[2]) == []
    assert codes(engines[2]).count("host-retired") == 1
    assert beat(engines[0], lease) is None
    with pytest.raises(HostRetired):
        store.register(engines[0], claim())
