# SPDX-License-Identifier: Apache-2.0
"""Aggregates and availability zones by Nova's rules, on every backend."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, select, text

from host_agent import store
from host_agent.errors import (
    AggregateConflict,
    AggregateExists,
    AggregateNotFound,
    HostIsMember,
    HostNotFound,
    InvalidAggregate,
    UnknownMarker,
)
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.schema import AGGREGATE_METADATA, AGGREGATES, HOSTS, MEMBERS
from host_agent.workloads.workload import RUNNING, VM, Workload
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import enlist

TABLES = [AGGREGATES, MEMBERS, AGGREGATE_METADATA]


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    """Give an engine on a database with the hosts node-1 to node-3."""
    store.upsert_many(engine, [record(number) for number in (1, 2, 3)])
    return engine


@pytest.fixture
def sqlite(sqlite_url: str, opened: Callable[..., Engine]) -> Engine:
    engine = opened(sqlite_url)
    migrate.create(engine)
    return engine


def events(engine: Engine) -> list[dict[str, Any]]:
    """Give the events about aggregates, oldest first."""
    told = [row for row in store.list_events(engine) if str(row["code"]).startswith("aggregate-")]
    return [{**row, "detail": json.loads(str(row["detail"]))} for row in reversed(told)]


def codes(engine: Engine) -> list[str]:
    return [row["code"] for row in events(engine)]


def each(*attempts: Callable[[], object]) -> tuple[Callable[[], object], ...]:
    return attempts


def runs(engine: Engine, host: str | None, number: int = 70, state: str = RUNNING) -> None:
    workload = Workload(uuid=uuid(number), name=f"vm-{number}", engine="libvirt", kind=VM, state=state)
    store.record_workload(engine, workload, host)


def stored(engine: Engine) -> list[list[Any]]:
    with engine.connect() as connection:
        return [list(connection.execute(select(table))) for table in TABLES]


def test_an_aggregate_is_given_as_it_was_made(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "fast ünï 🖥", "zone-a", uuid(9))
    assert store.get_aggregate(fleet, made.id) == made
    assert (made.uuid, made.name, made.availability_zone) == (uuid(9), "fast ünï 🖥", "zone-a")
    assert (made.hosts, made.metadata) == ((), {"availability_zone": "zone-a"})
    assert made.created_at is not None
    assert made.updated_at is None

    full = store.add_host(fleet, made.id, "node-2")
    full = store.add_host(fleet, made.id, "node-1")
    assert full.hosts == ("node-1", "node-2")
    plain = store.create_aggregate(fleet, "plain")
    assert (plain.availability_zone, plain.metadata) == (None, {})
    assert len({made.uuid, plain.uuid}) == 2
    assert store.list_aggregates(fleet) == [full, plain]
    assert store.aggregates_of_host(fleet, "node-1") == [full]
    assert store.aggregates_of_host(fleet, "node-3") == []


def test_the_hosts_of_an_aggregate_are_no_part_of_when_it_changed(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "fast")
    assert store.add_host(fleet, made.id, "node-1").updated_at is None
    assert store.remove_host(fleet, made.id, "node-1").updated_at is None
    changed = store.set_metadata(fleet, made.id, {"ssd": "true"}).updated_at
    assert changed is not None
    assert store.add_host(fleet, made.id, "node-1").updated_at == changed
    renamed = store.update_aggregate(fleet, made.id, name="slow").updated_at
    assert renamed is not None
    assert renamed > changed


@pytest.mark.parametrize("name", ["", " ", "a ", "\ta", "a" * 256, "a\nb", "a\0"])
def test_a_name_that_is_none_is_refused(sqlite: Engine, name: str) -> None:
    made = store.create_aggregate(sqlite, "a" * 255)
    for attempt in each(
        lambda: store.create_aggregate(sqlite, name),
        lambda: store.create_aggregate(sqlite, "b", name),
        lambda: store.update_aggregate(sqlite, made.id, name=name),
        lambda: store.update_aggregate(sqlite, made.id, availability_zone=name),
        lambda: store.set_metadata(sqlite, made.id, {name: "value"}),
        lambda: store.set_metadata(sqlite, made.id, {"availability_zone": name}),
    ):
        with pytest.raises(InvalidAggregate, match="give 1 to 255 printable letters") as raised:
            attempt()
        assert "\n" not in str(raised.value)
    assert store.list_aggregates(sqlite) == [store.get_aggregate(sqlite, made.id)]
    assert store.get_aggregate(sqlite, made.id).metadata == {}


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"availability_zone": "a:b"}, "'a:b' .* has a colon"),
        ({"availability_zone": None}, "stays one"),
        ({"key": "v" * 256}, "'key' has to be at most 255"),
        ({"key": "a\0b"}, "printable"),
    ],
)
def test_metadata_that_is_none_is_refused(sqlite: Engine, metadata: dict[str, str | None], reason: str) -> None:
    made = store.create_aggregate(sqlite, "one")
    with pytest.raises(InvalidAggregate, match=reason):
        store.set_metadata(sqlite, made.id, {"good": "value", **metadata})
    assert store.list_aggregates(sqlite) == [made]


def test_a_zone_with_a_colon_and_a_uuid_that_is_none_are_refused(sqlite: Engine) -> None:
    with pytest.raises(InvalidAggregate, match=r"'a:b' .* has a colon"):
        store.create_aggregate(sqlite, "two", "a:b")
    with pytest.raises(InvalidAggregate, match="'nonsense' is no uuid"):
        store.create_aggregate(sqlite, "two", uuid="nonsense")
    assert store.list_aggregates(sqlite) == []


def test_a_name_and_a_uuid_belong_to_one_aggregate(fleet: Engine) -> None:
    one, two = (store.create_aggregate(fleet, name, uuid=uuid(number)) for number, name in ((11, "one"), (12, "two")))
    for attempt in each(
        lambda: store.create_aggregate(fleet, "one"),
        lambda: store.create_aggregate(fleet, "three", uuid=uuid(12).upper()),
        lambda: store.update_aggregate(fleet, two.id, name="one"),
    ):
        with pytest.raises(AggregateExists, match=r"aggregate \d+ has the name") as refused:
            attempt()
        assert refused.value.name in ("one", "two")
    # Not the same name, on any of the three servers.
    assert store.create_aggregate(fleet, "ONE").name == "ONE"
    assert store.update_aggregate(fleet, one.id, name="one").name == "one"


def test_what_is_not_there_is_said(fleet: Engine) -> None:
    for attempt in each(
        lambda: store.get_aggregate(fleet, 99),
        lambda: store.update_aggregate(fleet, 99, name="new"),
        lambda: store.set_metadata(fleet, 99, {"key": "value"}),
        lambda: store.delete_aggregate(fleet, 99),
        lambda: store.add_host(fleet, 99, "node-1"),
        lambda: store.remove_host(fleet, 99, "node-1"),
    ):
        with pytest.raises(AggregateNotFound, match="no aggregate has the id 99"):
            attempt()
    made = store.create_aggregate(fleet, "one")
    store.retire(fleet, uuid(3))
    for host in ("node-9", "node-3"):
        with pytest.raises(HostNotFound, match=f"no host is called '{host}', or it is retired"):
            store.add_host(fleet, made.id, host)
    with pytest.raises(HostNotFound, match="'node-1' is not in the aggregate 'one'"):
        store.remove_host(fleet, made.id, "node-1")
    assert store.get_aggregate(fleet, made.id) == made, "a refusal leaves no trace"


def test_a_host_is_added_once(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "one")
    before = store.add_host(fleet, made.id, "node-1")
    with pytest.raises(HostIsMember, match="'node-1' is in the aggregate 'one' already"):
        store.add_host(fleet, made.id, "node-1")
    assert store.get_aggregate(fleet, made.id) == before


def test_an_aggregate_with_hosts_stays(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "one", "zone-a")
    store.set_metadata(fleet, made.id, {"ssd": "true"})
    store.add_host(fleet, made.id, "node-1")
    with pytest.raises(AggregateConflict, match="has 1 hosts, 'node-1' among them: remove them first"):
        store.delete_aggregate(fleet, made.id)
    assert store.remove_host(fleet, made.id, "node-1").hosts == ()
    store.delete_aggregate(fleet, made.id)
    # Rows are removed, none is marked: SQL written for Nova must not count what is gone.
    assert stored(fleet) == [[], [], []]
    assert store.create_aggregate(fleet, "one").id is not None


def test_metadata_is_set_key_by_key(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "one", "zone-a")
    store.set_metadata(fleet, made.id, {"ssd": "true", "key": "", "gone": "x"})
    changed = store.set_metadata(fleet, made.id, {"ssd": "false", "gone": None, "never": None})
    assert changed.metadata == {"availability_zone": "zone-a", "key": "", "ssd": "false"}
    assert store.get_aggregate(fleet, made.id) == changed
    assert store.set_metadata(fleet, made.id, {"availability_zone": "zone-b"}).availability_zone == "zone-b"


def test_a_host_that_is_gone_can_be_taken_out(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "one", "zone-a")
    store.add_host(fleet, made.id, "node-1")
    with fleet.begin() as connection:
        connection.execute(text("DELETE FROM compute_host WHERE host = 'node-1'"))
    assert store.get_aggregate(fleet, made.id).hosts == ("node-1",)
    assert store.remove_host(fleet, made.id, "node-1").hosts == ()
    assert (events(fleet)[-1]["host_uuid"], events(fleet)[-1]["host"]) == (None, "node-1")


def test_each_change_is_told_once_and_a_refusal_is_not(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "one", "zone-a")
    store.add_host(fleet, made.id, "node-2")
    for attempt in each(
        lambda: store.add_host(fleet, made.id, "node-2"), lambda: store.delete_aggregate(fleet, made.id)
    ):
        with pytest.raises(AggregateConflict):
            attempt()
    store.update_aggregate(fleet, made.id, name="two")
    store.update_aggregate(fleet, made.id, name="two")
    store.set_metadata(fleet, made.id, {"availability_zone": "zone-a", "never": None})
    store.remove_host(fleet, made.id, "node-2")
    store.delete_aggregate(fleet, made.id)

    told = events(fleet)
    assert [row["code"].removeprefix("aggregate-") for row in told] == [
        *("created", "host-added", "updated", "host-removed", "deleted")
    ]
    assert [(row["host_uuid"], row["host"]) for row in told] == [
        *((None, None), (uuid(2), "node-2"), (None, None), (uuid(2), "node-2"), (None, None))
    ]
    metadata = {"availability_zone": "zone-a"}
    own = {"id": made.id, "uuid": made.uuid}
    old, new = ({"name": name, "metadata": metadata} for name in ("one", "two"))
    assert [row["detail"] for row in told] == [
        own | old,
        own | old,
        own | {"old": old, "new": new},
        own | new,
        own | new,
    ]
    assert told[1]["message"] == "'node-2' was added to the aggregate 'one'"
    assert [row["code"] for row in store.list_events(fleet, host_uuid=uuid(2))] == [
        *("aggregate-host-removed", "aggregate-host-added")
    ]


def test_a_name_that_a_newer_host_has_taken_over_means_that_one(fleet: Engine) -> None:
    made = store.create_aggregate(fleet, "one")
    with fleet.begin() as connection:
        connection.execute(text("UPDATE compute_host SET host = 'node-1'"))
    enlist(fleet, 2, host="node-1")
    with fleet.begin() as connection:
        connection.execute(text("UPDATE compute_host SET host = 'node-1'"))
    store.add_host(fleet, made.id, "node-1")
    assert events(fleet)[-1]["host_uuid"] == uuid(2)


def test_an_aggregate_has_more_hosts_than_a_statement_has_parameters(sqlite: Engine) -> None:
    most = 33_000  # SQLite takes 32,766
    made = store.create_aggregate(sqlite, "all")
    names = [f"node-{number}" for number in range(most)]
    members = TABLES[1]
    with sqlite.begin() as connection:
        rows = [{"uuid": uuid(number), "host": name} for number, name in enumerate(names)]
        connection.execute(HOSTS.insert(), [{**row, "hypervisor_hostname": row["host"]} for row in rows])
        connection.execute(members.insert(), [{"aggregate_id": made.id, "host": name} for name in names])
    assert store.update_aggregate(sqlite, made.id, availability_zone="zone-a").availability_zone == "zone-a"
    (zone,) = store.availability_zones(sqlite)
    assert (zone.name, len(zone.hosts)) == ("zone-a", most)
    assert len(store.list_aggregates(sqlite)[0].hosts) == most
    runs(sqlite, names[-1])
    with pytest.raises(AggregateConflict, match=f"'{names[-1]}' has 1 workloads in the availability zone 'zone-a'"):
        store.update_aggregate(sqlite, made.id, availability_zone="zone-b")


def test_pages_follow_each_other_by_marker(sqlite: Engine) -> None:
    made = [store.create_aggregate(sqlite, f"aggregate {number}") for number in range(7)]
    seen, marker = [], None
    while page := store.list_aggregates(sqlite, limit=3, marker=marker):
        assert len(page) <= 3
        seen += page
        marker = page[-1].uuid
    assert seen == made == store.list_aggregates(sqlite, limit=None)
    with pytest.raises(UnknownMarker, match="no aggregate has the uuid 'gone'"):
        store.list_aggregates(sqlite, marker="gone")


def test_a_list_of_many_is_three_queries(fleet: Engine) -> None:
    for number in range(20):
        made = store.create_aggregate(fleet, f"aggregate {number}", "zone-a")
        store.add_host(fleet, made.id, "node-1")
    statements: list[str] = []
    event.listen(fleet, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    assert [len(one.hosts) for one in store.list_aggregates(fleet)] == [1] * 20
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 3
