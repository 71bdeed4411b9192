# SPDX-License-Identifier: Apache-2.0
"""Chosen columns of hosts: by name, and in pages of any order and size, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, update

from host_agent import store
from host_agent.errors import UnknownMarker
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import enlist

VALUES: dict[str, list[Any]] = {
    "hypervisor_hostname": ["a", "B", "a-1", "ä", "a"],
    "os": ["Debian", None, "debian", "", None],
    "mem_total_kb": [3, None, 2**53 + 1, 2**53, None],
    "used_cpu": [0.1, None, 0.30000000000000004, 0.3, 0.1],
    "enable_cpu_pinning": [True, None, False, True, None],
}


@pytest.fixture
def sqlite_fleet(sqlite_url: str, opened: Callable[..., Engine]) -> Engine:
    engine = opened(sqlite_url)
    migrate.create(engine)
    return engine


def hosts_with(engine: Engine, columns: Mapping[str, Sequence[Any]]) -> None:
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    store.upsert_many(engine, [record(number) for number in range(1, len(rows) + 1)])
    with engine.begin() as connection:
        for number, row in enumerate(rows, start=1):
            connection.execute(update(HOSTS).where(HOSTS.c.uuid == uuid(number)).values(row))


def pages(engine: Engine, size: int, **order: Any) -> Iterator[list[store.Row]]:
    marker = None
    while page := store.hosts_sorted(engine, ("uuid", order["by"]), limit=size, marker=marker, **order):
        yield page
        marker = str(page[-1]["uuid"])


def read(engine: Engine, size: int, **order: Any) -> list[store.Row]:
    return [row for page in pages(engine, size, **order) for row in page]


def test_pages_of_any_size_give_each_host_once_in_the_order_of_the_whole(engine: Engine) -> None:
    hosts_with(engine, VALUES)
    for column, descending, size in product(VALUES, (False, True), (1, 2)):
        whole = store.hosts_sorted(engine, ("uuid", column), by=column, descending=descending)
        assert sorted(str(row["uuid"]) for row in whole) == [uuid(number) for number in range(1, 6)]
        assert read(engine, size, by=column, descending=descending) == whole


def test_the_unknown_comes_last_in_either_direction(engine: Engine) -> None:
    hosts_with(engine, VALUES)
    # Texts follow the database's own collation.
    for column in ("mem_total_kb", "used_cpu", "enable_cpu_pinning"):
        known = sorted(value for value in VALUES[column] if value is not None)
        unknown = [None] * (len(VALUES[column]) - len(known))
        assert [row[column] for row in read(engine, 2, by=column)] == [*known, *unknown]
        assert [row[column] for row in read(engine, 2, by=column, descending=True)] == [*reversed(known), *unknown]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.none() | st.integers(-2, 2), min_size=12, max_size=12),
    size=st.integers(1, 13),
    descending=st.booleans(),
)
def test_equal_hosts_follow_each_other_by_id(
    sqlite_fleet: Engine, values: list[int | None], size: int, descending: bool
) -> None:
    hosts_with(sqlite_fleet, {"disk_available_least": values})

    found = [row["uuid"] for row in read(sqlite_fleet, size, by="disk_available_least", descending=descending)]

    sign = -1 if descending else 1
    numbered = [(value is None, sign * (value or 0), sign * number) for number, value in enumerate(values, start=1)]
    assert found == [uuid(abs(number)) for _, _, number in sorted(numbered)]


def test_retired_hosts_are_left_out_and_are_markers_all_the_same(sqlite_fleet: Engine) -> None:
    engine = sqlite_fleet
    for number in (1, 2, 3):
        enlist(engine, number)
    store.retire(engine, uuid(2))

    assert [row["uuid"] for row in read(engine, 1, by="hypervisor_hostname")] == [uuid(1), uuid(3)]
    assert [row["uuid"] for row in store.hosts_sorted(engine, ("uuid",), by="uuid", marker=uuid(2))] == [uuid(3)]


def test_a_marker_that_no_host_has_is_told(sqlite_fleet: Engine) -> None:
    with pytest.raises(UnknownMarker, match=uuid(9)):
        store.hosts_sorted(sqlite_fleet, ("uuid",), by="uuid", marker=uuid(9))


def test_a_name_means_every_host_that_has_it_anywhere(engine: Engine) -> None:
    store.upsert_many(engine, [record(1), record(2, hypervisor_hostname="node-1"), record(3, host="node-1"), record(4)])

    assert [row["uuid"] for row in store.hosts_named(engine, "node-1")] == [uuid(1), uuid(2), uuid(3)]
    assert [row["uuid"] for row in store.hosts_named(engine, uuid(4))] == [uuid(4)]
    assert [row["uuid"] for row in store.hosts_named(engine, "node-4", uuid=uuid(2))] == [uuid(2), uuid(4)]
    assert store.hosts_named(engine, "node") == []


def test_what_is_not_asked_for_is_not_read(sqlite_fleet: Engine) -> None:
    engine = sqlite_fleet
    enlist(engine)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))

    (named,) = store.hosts_named(engine, "node-1", ("os",))
    (listed,) = store.hosts_sorted(engine, ("uuid", "os"), by="os")

    assert named["os"] == listed["os"] == "Debian GNU/Linux 12"
    assert set(listed) == {"uuid", "os"}
    selects = [statement for statement in statements if "compute_host" in statement]
    assert len(selects) == 2
    assert not any("facts" in statement or "cpu_info" in statement for statement in selects)
