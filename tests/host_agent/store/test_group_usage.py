# SPDX-License-Identifier: Apache-2.0
"""What zones, aggregates and the fleet have and use: one query, unknown is not 0, shared storage counts once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert, update

from host_agent import store
from host_agent.resource_usage import DISK, MEMORY, PCPU, RESOURCES, VCPU, GroupUsage, ResourceUsage, resources_of
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS, MEMBERS, SERVICES
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import DOWN_AFTER, age, copy_all, enlist

# 48 CPUs of which none is kept for pinning, 128 GiB, 1 TiB.
COLUMNS: Mapping[str, Any] = {
    "vcpus": 48,
    "vcpus_used": 18,
    "reserved_host_cpus": 2,
    "cpu_allocation_ratio": 4.0,
    "pcpus": 0,
    "pcpus_used": 0,
    "memory_mb": 131072,
    "memory_mb_used": 43008,
    "reserved_host_memory_mb": 2048,
    "ram_allocation_ratio": 1.5,
    "local_gb": 1024,
    "local_gb_used": 330,
    "reserved_host_disk_mb": 10 * 1024,
    "disk_allocation_ratio": 1.0,
    "shared_storage": None,
}


def has(engine: Engine, number: int, **columns: Any) -> None:
    """Give a host the usual figures but for these."""
    with engine.begin() as connection:
        connection.execute(update(HOSTS).where(HOSTS.c.uuid == uuid(number)).values({**COLUMNS, **columns}))
        copy_all(connection)


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    """Give an engine on a database with the hosts node-1 to node-4, all up, with the usual figures."""
    for number in (1, 2, 3, 4):
        enlist(engine, number)
        has(engine, number)
    return engine


def fleet_usage(engine: Engine, **which: Any) -> GroupUsage:
    return store.fleet_usage(engine, down_after_seconds=DOWN_AFTER, **which)


def by_zone(engine: Engine, **which: Any) -> dict[str | None, GroupUsage]:
    return {group.name: group for group in store.usage_by_zone(engine, down_after_seconds=DOWN_AFTER, **which)}


def by_aggregate(engine: Engine, **which: Any) -> dict[str | None, GroupUsage]:
    return {group.name: group for group in store.usage_by_aggregate(engine, down_after_seconds=DOWN_AFTER, **which)}


def gathered(engine: Engine, name: str, zone: str | None, *numbers: int) -> int:
    aggregate = store.create_aggregate(engine, name, zone).id
    for number in numbers:
        store.add_host(engine, aggregate, f"node-{number}")
    return aggregate


def test_an_empty_fleet_has_nothing_and_nobody_knows_how_much_of_it_is_used(engine: Engine) -> None:
    empty = fleet_usage(engine)
    assert (empty.name, empty.hosts, empty.up, empty.enabled) == (None, 0, 0, 0)
    nothing = ResourceUsage(
        total=None,
        reserved=None,
        capacity=None,
        used=None,
        free=None,
        used_percent=None,
        capacity_used_percent=None,
        unknown=0,
    )
    assert empty.resources == dict.fromkeys(RESOURCES, nothing)
    assert by_zone(engine) == by_aggregate(engine) == {}


def test_the_fleet_is_the_sum_of_its_hosts(fleet: Engine) -> None:
    found = fleet_usage(fleet)
    assert (found.hosts, found.up, found.enabled) == (4, 4, 4)
    assert found.resources[VCPU] == ResourceUsage(
        total=192,
        reserved=8,
        capacity=4 * 46 * 4.0,
        used=72,
        free=4 * (46 * 4.0 - 16),
        used_percent=37.5,
        capacity_used_percent=pytest.approx(16 * 100 / 184),  # type: ignore[arg-type]
    )
    memory = found.resources[MEMORY]
    assert (memory.total, memory.reserved, memory.capacity, memory.used) == (524288, 8192, 4 * 193536.0, 172032)
    assert memory.free == 4 * (193536 - 40960)
    assert memory.used_percent == 32.8125
    assert memory.capacity_used_percent == pytest.approx(40960 * 100 / 193536)
    disk = found.resources[DISK]
    assert (disk.total, disk.reserved, disk.capacity, disk.used, disk.free) == (4096, 40, 4056.0, 1320, 2776.0)
    pinning = found.resources[PCPU]
    assert (pinning.total, pinning.used, pinning.used_percent, pinning.unknown) == (0, 0, None, 0)


def test_cpus_kept_for_pinning_are_a_resource_of_their_own(fleet: Engine) -> None:
    has(fleet, 1, vcpus=40, vcpus_used=22, pcpus=8, pcpus_used=6)
    one = fleet_usage(fleet).resources
    assert (one[VCPU].total, one[VCPU].used) == (3 * 48 + 32, 3 * 18 + 16)
    assert (one[PCPU].total, one[PCPU].reserved, one[PCPU].capacity, one[PCPU].used) == (8, 0, 8.0, 6)
    assert (one[PCPU].free, one[PCPU].used_percent, one[PCPU].capacity_used_percent) == (2.0, 75.0, 75.0)
    # Without a set for it, pinned CPUs are CPUs like all others.
    has(fleet, 1, pcpus=0, pcpus_used=6)
    assert fleet_usage(fleet).resources[VCPU].used == 72
    assert fleet_usage(fleet).resources[PCPU].used == 0


def test_what_is_not_known_is_left_out_of_that_figure_alone(fleet: Engine) -> None:
    has(fleet, 1, memory_mb_used=None, vcpus=None)
    has(fleet, 2, memory_mb_used=None, ram_allocation_ratio=None)
    has(fleet, 3, reserved_host_memory_mb=None)
    found = fleet_usage(fleet)
    memory, cpus = found.resources[MEMORY], found.resources[VCPU]
    assert (memory.total, memory.used, memory.unknown) == (4 * 131072, 2 * 43008, 2)
    # Not 16 %: the hosts of which nobody knows are not empty.
    assert memory.used_percent == 32.8125
    assert (memory.reserved, memory.capacity) == (3 * 2048, 2 * 193536.0)
    # Node 4 alone has all.
    assert memory.free == 193536 - 40960
    assert memory.capacity_used_percent == pytest.approx(40960 * 100 / 193536)
    assert (cpus.total, cpus.used, cpus.unknown, cpus.used_percent) == (144, 72, 1, 37.5)
    assert found.resources[DISK].unknown == 0


def test_a_storage_that_hosts_share_counts_once(fleet: Engine) -> None:
    for number in (1, 2, 3):
        has(fleet, number, shared_storage="filer:/export", local_gb_used=10 + number)
    disk = fleet_usage(fleet).resources[DISK]
    assert (disk.total, disk.reserved, disk.capacity) == (2048, 20, 2028.0)
    # 10 GiB are kept free of the storage, once; each host's workloads take their own.
    assert disk.used == (10 + 1 + 2 + 3) + 330
    assert disk.free == 2028 - 326
    assert disk.used_percent == pytest.approx(346 * 100 / 2048)
    assert fleet_usage(fleet).resources[VCPU].total == 192
    # Over two groups it is in both.
    gathered(fleet, "a", "zone-a", 1)
    assert {name: group.resources[DISK].total for name, group in by_zone(fleet).items()} == {
        "nova": 2048,
        "zone-a": 1024,
    }


def test_a_zone_of_two_aggregates_counts_a_host_once_and_an_aggregate_each(fleet: Engine) -> None:
    gathered(fleet, "fast", "zone-a", 1, 2)
    gathered(fleet, "also fast", "zone-a", 1)
    gathered(fleet, "big", None, 1, 3)
    gathered(fleet, "nothing", "zone-b")
    zones, aggregates = by_zone(fleet), by_aggregate(fleet)
    assert {name: group.hosts for name, group in zones.items()} == {"nova": 2, "zone-a": 2}
    assert list(zones) == ["nova", "zone-a"]
    assert {name: group.hosts for name, group in aggregates.items()} == {"also fast": 1, "big": 2, "fast": 2}
    assert zones["zone-a"].resources[VCPU].total == aggregates["fast"].resources[VCPU].total == 96
    assert sum(group.hosts for group in zones.values()) == fleet_usage(fleet).hosts
    assert set(by_zone(fleet, default_zone="internal")) == {"internal", "zone-a"}


def test_hosts_that_are_enabled_and_up_can_be_counted_alone(fleet: Engine) -> None:
    age(fleet, "last_seen_up", DOWN_AFTER + 5, number=1)
    with fleet.begin() as connection:
        connection.execute(update(SERVICES).where(SERVICES.c.host == "node-2").values(disabled=True))
        connection.execute(update(SERVICES).where(SERVICES.c.host == "node-3").values(forced_down=True))
    store.upsert(fleet, record(5))  # never heard: it has no service
    store.upsert(fleet, record(6))
    store.retire(fleet, uuid(6))

    everybody, available = fleet_usage(fleet), fleet_usage(fleet, only_available=True)
    assert (everybody.hosts, everybody.up, everybody.enabled) == (5, 2, 4)
    assert (available.hosts, available.up, available.enabled) == (1, 1, 1)
    assert available.resources[MEMORY].used == 43008
    assert {name: group.hosts for name, group in by_zone(fleet, only_available=True).items()} == {"nova": 1}


def test_it_is_one_query_however_many_hosts_there_are(fleet: Engine) -> None:
    gathered(fleet, "fast", "zone-a", 1, 2, 3)
    statements: list[str] = []
    event.listen(fleet, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    for ask in (by_zone, by_aggregate, fleet_usage):
        statements.clear()
        ask(fleet)
        assert len([one for one in statements if one.startswith("SELECT")]) == 1


def test_ten_thousand_hosts_in_twenty_zones_are_a_matter_of_a_moment(engine: Engine) -> None:
    """Joined without an index, the zone of each host took MariaDB longer than a statement may take."""
    hosts = [
        {"uuid": uuid(number), "host": f"node-{number}", "hypervisor_hostname": f"node-{number}", **COLUMNS}
        for number in range(10_000)
    ]
    ids = [store.create_aggregate(engine, f"aggregate {number}", f"zone-{number}").id for number in range(20)]
    members = [{"aggregate_id": ids[number % 20], "host": host["host"]} for number, host in enumerate(hosts)]
    with engine.begin() as connection:
        connection.execute(insert(HOSTS), hosts)
        connection.execute(insert(MEMBERS), members)
        copy_all(connection)
    started = time.monotonic()
    zones = by_zone(engine)
    assert time.monotonic() - started < 5
    assert {group.hosts for group in zones.values()} == {500}
    assert sum(group.resources[VCPU].total or 0 for group in zones.values()) == 480_000


amounts = st.none() | st.integers(0, 10**9)
ratios = st.none() | st.sampled_from([1.0, 1.5, 4.0, 16.0])
row = st.fixed_dictionaries(
    {
        name: ratios if name.endswith("_ratio") else amounts
        for name in COLUMNS
        if name not in ("shared_storage", "pcpus", "pcpus_used")
    }
    | {"pcpus": st.none() | st.integers(0, 3), "pcpus_used": st.none() | st.integers(0, 3)}
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give an engine on an SQLite file with three hosts whose figures a property may overwrite."""
    from host_agent.store import migrate, open_engine

    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('shelf')}/state.sqlite")
    migrate.create(engine)
    store.upsert_many(engine, [record(number) for number in (1, 2, 3)])
    yield engine
    engine.dispose()


@given(rows=st.lists(row, min_size=3, max_size=3))
def test_the_query_and_the_rows_say_the_same(shelf: Engine, rows: list[dict[str, Any]]) -> None:
    """The sum of one host in SQL is what its row says; the totals of three are the sums of what is known."""
    for number, columns in enumerate(rows, 1):
        has(shelf, number, **columns)
    found = fleet_usage(shelf).resources
    each = [{name: ResourceUsage.of_host(host) for name, host in resources_of(columns).items()} for columns in rows]
    for name in RESOURCES:
        for figure in ("total", "reserved", "capacity", "used", "unknown"):
            known = [value for one in each if (value := getattr(one[name], figure)) is not None]
            assert getattr(found[name], figure) == (pytest.approx(sum(known)) if known else None), (name, figure)
    has(shelf, 1, **rows[0])
    with shelf.begin() as connection:
        connection.execute(update(HOSTS).where(HOSTS.c.uuid != uuid(1)).values(dict.fromkeys(COLUMNS)))
        copy_all(connection)
    alone = fleet_usage(shelf).resources
    for name in RESOURCES:
        found_of_it, expected = asdict(alone[name]), asdict(each[0][name])
        # Of the two others nothing is known; nothing of CPUs for pinning is ever reserved.
        assert found_of_it.pop("unknown") == expected.pop("unknown") + 2
        assert found_of_it == {key: value if value is None else pytest.approx(value) for key, value in expected.items()}
