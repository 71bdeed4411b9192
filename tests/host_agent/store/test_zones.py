# SPDX-License-Identifier: Apache-2.0
"""Availability zones by Nova's rules: a host is in one, and does not leave it under its workloads; on every backend."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

import pytest
from sqlalchemy import event

from host_agent import store
from host_agent.errors import AggregateConflict
from host_agent.store.engine import Engine
from host_agent.workloads.workload import RUNNING, VM, Workload
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.test_concurrency import at_once


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    """Give an engine on a database with the hosts node-1 to node-3."""
    store.upsert_many(engine, [record(number) for number in (1, 2, 3)])
    return engine


def runs(engine: Engine, host: str | None, number: int = 70, state: str = RUNNING) -> None:
    workload = Workload(uuid=uuid(number), name=f"vm-{number}", engine="libvirt", kind=VM, state=state)
    store.record_workload(engine, workload, host)


class TestZones:
    """Node 1 is in zone a by the aggregate `a`."""

    @pytest.fixture(autouse=True)
    def aggregates(self, fleet: Engine) -> None:
        self.a = store.create_aggregate(fleet, "a", "zone-a").id
        self.other_a = store.create_aggregate(fleet, "other a", "zone-a").id
        self.b = store.create_aggregate(fleet, "b", "zone-b").id
        self.plain = store.create_aggregate(fleet, "plain").id
        store.add_host(fleet, self.a, "node-1")

    def test_a_host_is_in_one_zone_only(self, fleet: Engine) -> None:
        second = "host 'node-1' is in the availability zone 'zone-a' by another aggregate, and cannot be in 'zone-b'"
        with pytest.raises(AggregateConflict, match=second):
            store.add_host(fleet, self.b, "node-1")
        store.add_host(fleet, self.other_a, "node-1")
        store.add_host(fleet, self.plain, "node-1")
        for aggregate_id in (self.plain, self.other_a):
            with pytest.raises(AggregateConflict, match=second):
                store.update_aggregate(fleet, aggregate_id, availability_zone="zone-b")
            with pytest.raises(AggregateConflict, match=second):
                store.set_metadata(fleet, aggregate_id, {"availability_zone": "zone-b"})
        assert store.update_aggregate(fleet, self.plain, availability_zone="zone-a").availability_zone == "zone-a"
        assert [one.availability_zone for one in store.aggregates_of_host(fleet, "node-1")] == ["zone-a"] * 3

    def test_every_host_has_its_zone(self, fleet: Engine) -> None:
        store.add_host(fleet, self.other_a, "node-1")
        store.add_host(fleet, self.plain, "node-2")
        found = {zone.name: zone.hosts for zone in store.availability_zones(fleet)}
        assert found == {"nova": ("node-2", "node-3"), "zone-a": ("node-1",), "zone-b": ()}
        assert {zone.name for zone in store.availability_zones(fleet, "internal")} == {"internal", "zone-a", "zone-b"}
        store.retire(fleet, uuid(1))
        assert {zone.name: zone.hosts for zone in store.availability_zones(fleet)}["zone-a"] == ()

    def test_a_zone_is_not_changed_under_workloads(self, fleet: Engine) -> None:
        runs(fleet, "node-1", 70)
        runs(fleet, "node-1", 71, "stopped")
        stays = "host 'node-1' has 2 workloads in the availability zone 'zone-a', which cannot become '{}' under them"
        with pytest.raises(AggregateConflict, match=stays.format("zone-c")):
            store.update_aggregate(fleet, self.a, availability_zone="zone-c")
        with pytest.raises(AggregateConflict, match=stays.format("zone-c")):
            store.set_metadata(fleet, self.a, {"availability_zone": "zone-c"})
        with pytest.raises(AggregateConflict, match=stays.format("nova")):
            store.remove_host(fleet, self.a, "node-1")
        # The same zone again, another name, other metadata: no workload moves.
        store.update_aggregate(fleet, self.a, availability_zone="zone-a", name="another")
        store.set_metadata(fleet, self.a, {"ssd": "true"})

        runs(fleet, "node-1", 70, "shelved_offloaded")
        runs(fleet, "node-2", 71)
        assert store.update_aggregate(fleet, self.a, availability_zone="zone-c").availability_zone == "zone-c"
        assert store.remove_host(fleet, self.a, "node-1").hosts == ()

    def test_a_host_with_workloads_goes_where_its_zone_is_the_same(self, fleet: Engine) -> None:
        runs(fleet, "node-1", 70)
        runs(fleet, "node-2", 71)
        with pytest.raises(AggregateConflict, match="'node-2' has 1 workloads in the availability zone 'nova'"):
            store.add_host(fleet, self.b, "node-2")
        store.add_host(fleet, self.plain, "node-2")
        with pytest.raises(AggregateConflict, match="'node-2' has 1 workloads"):
            store.update_aggregate(fleet, self.plain, availability_zone="zone-c")
        store.remove_host(fleet, self.plain, "node-2")
        # By a second aggregate of the same zone it stays in the zone.
        store.add_host(fleet, self.other_a, "node-1")
        assert store.remove_host(fleet, self.a, "node-1").hosts == ()
        with pytest.raises(AggregateConflict):
            store.remove_host(fleet, self.other_a, "node-1")


def raced(works: list[Callable[[], object]]) -> list[BaseException | None]:
    """Do all at once; give what each raised."""
    raised: list[BaseException | None] = [None] * len(works)

    def work(number: int) -> None:
        try:
            works[number]()
        except AggregateConflict as refused:
            raised[number] = refused

    at_once(work, len(works))
    return raised


@pytest.mark.parametrize("round_", range(3))
def test_of_two_zones_at_once_a_host_gets_one(
    fleet: Engine, prepared_url: str, opened: Callable[..., Engine], round_: int
) -> None:
    engines = [opened(prepared_url) for _ in range(4)]
    made = [store.create_aggregate(fleet, f"in {number}", f"zone-{number}").id for number in range(4)]
    raised = raced([partial(store.add_host, engines[number], made[number], "node-1") for number in range(4)])
    assert sum(refused is None for refused in raised) == 1
    assert len(store.aggregates_of_host(fleet, "node-1")) == 1


def test_of_a_second_zone_and_a_change_of_the_first_one_is_refused(
    fleet: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    """One aggregate without a zone holds the host; it becomes a zone while the host is added to another one."""
    engines = [opened(prepared_url) for _ in range(2)]
    for number in range(5):
        plain = store.create_aggregate(fleet, f"plain {number}").id
        zoned = store.create_aggregate(fleet, f"zoned {number}", "zone-b").id
        store.add_host(fleet, plain, "node-1")
        raised = raced(
            [
                partial(store.update_aggregate, engines[0], plain, availability_zone="zone-a"),
                partial(store.add_host, engines[1], zoned, "node-1"),
            ]
        )
        assert sum(refused is None for refused in raised) == 1
        found = {one.availability_zone for one in store.aggregates_of_host(fleet, "node-1")} - {None}
        assert len(found) == 1
        for one in store.aggregates_of_host(fleet, "node-1"):
            store.remove_host(fleet, one.id, "node-1")


def test_a_zone_is_not_left_while_a_workload_comes(
    fleet: Engine, prepared_url: str, opened: Callable[..., Engine]
) -> None:
    """Somebody takes the host out of its zone after the workload was written and before that is committed."""
    other = opened(prepared_url)
    made = store.create_aggregate(fleet, "one", "zone-a").id
    store.add_host(fleet, made, "node-1")
    leaving: list[Future[object]] = []
    with ThreadPoolExecutor(1) as pool:

        def overtake(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("UPDATE workloads SET missing_since") and not leaving:
                leaving.append(pool.submit(store.remove_host, fleet, made, "node-1"))
                # It has to wait for us: that it has not come back is all that can be seen of it.
                wait(leaving, timeout=0.5)

        event.listen(other, "after_cursor_execute", overtake)
        runs(other, "node-1")
        assert isinstance(leaving[0].exception(), AggregateConflict)
    assert store.get_aggregate(fleet, made).hosts == ("node-1",)
