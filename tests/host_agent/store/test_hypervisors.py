# SPDX-License-Identifier: Apache-2.0
"""Hosts as Nova's API has them: pages, patterns, what runs there; on every backend."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, select, update

from host_agent import store
from host_agent.errors import UnknownMarker
from host_agent.store.engine import Engine
from host_agent.store.row import rows, wide_rows
from host_agent.store.schema import HOSTS, SERVICES
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import BOOT, DOWN_AFTER, age, claim, enlist
from tests.host_agent.store.workloads import discovery, report, vm, vm_uuid

NOWHERE = "99999999-0000-4000-8000-000000000000"


def listed(engine: Engine, column: str = "uuid", **page: Any) -> list[Any]:
    rows = store.list_hypervisors(engine, (column,), down_after_seconds=DOWN_AFTER, **page)
    return [row[column] for row in rows]


def found(engine: Engine, pattern: str) -> list[object]:
    rows = store.find_hypervisors(engine, ("uuid",), pattern, down_after_seconds=DOWN_AFTER)
    return [row["uuid"] for row in rows]


def shown(engine: Engine, wanted: int | str, *columns: str) -> store.Row | None:
    return store.get_hypervisor(engine, columns or ("id", "uuid"), wanted, down_after_seconds=DOWN_AFTER)


def named(engine: Engine, number: int, name: str) -> None:
    """Enlist a host that is called so."""
    lease = store.register(engine, claim(number, hostname=name)).lease
    store.upsert(engine, record(number, boot_id=BOOT, hypervisor_hostname=name, hostname=name), lease)


def test_a_host_comes_with_its_service_and_the_time(engine: Engine) -> None:
    lease = enlist(engine)
    with engine.begin() as connection:
        connection.execute(update(SERVICES).values(disabled=True, disabled_reason="broken"))

    columns = ("uuid", "vcpus", "disabled", "disabled_reason", "service_id", "service_uuid", "is_alive", "now")
    row = shown(engine, uuid(1), *columns)

    assert row is not None
    now = row.pop("now")
    assert row == {
        "uuid": uuid(1),
        "vcpus": 8,
        "disabled": True,
        "disabled_reason": "broken",
        "service_id": lease.service_id,
        "service_uuid": lease.service_uuid,
        "is_alive": True,
    }
    assert isinstance(now, datetime)
    assert now.tzinfo is not None


def test_a_host_is_alive_while_it_is_heard_of(engine: Engine) -> None:
    for number in (1, 2, 3, 4):
        enlist(engine, number)
    age(engine, "last_seen_up", DOWN_AFTER + 1, number=2)
    age(engine, "last_seen_up", None, number=3)
    with engine.begin() as connection:
        forced = update(SERVICES).where(SERVICES.c.uuid == store.service_uuid(uuid(4), "nova-compute"))
        connection.execute(forced.values(forced_down=True))

    assert listed(engine, "is_alive") == [True, False, False, False]


def test_retired_hosts_and_those_without_a_service_are_left_out(engine: Engine) -> None:
    for number in (1, 2):
        enlist(engine, number)
    # One whose name another took over is the like: its service went to that one.
    store.upsert(engine, record(3))
    store.retire(engine, uuid(1))

    assert listed(engine) == [uuid(2)]
    assert found(engine, "node") == [uuid(2)]
    assert [shown(engine, uuid(number)) is not None for number in (1, 2, 3)] == [False, True, False]
    for nobody in (0, -1, 2**63 - 1, -(2**63) + 1, NOWHERE, "", "node-2"):
        assert shown(engine, nobody) is None


def test_pages_follow_one_another_by_either_id(engine: Engine) -> None:
    for number in (3, 1, 2, 4):
        enlist(engine, number)
    order = [uuid(number) for number in (3, 1, 2, 4)]
    ids = listed(engine, "id")

    assert listed(engine, limit=2) == order[:2]
    assert listed(engine, limit=2, marker=order[1]) == order[2:]
    assert listed(engine, limit=2, marker=ids[1]) == order[2:]
    assert listed(engine, limit=2, marker=order[3]) == []
    assert listed(engine, limit=0) == []
    assert listed(engine, marker=order[0]) == order[1:]
    for marker in (NOWHERE, 99999, 0, -1, 2**63 - 1):
        with pytest.raises(UnknownMarker):
            listed(engine, marker=marker)

    # Retired meanwhile.
    store.retire(engine, order[1])
    assert listed(engine, limit=2, marker=order[1]) == order[2:]


def test_one_page_is_one_query(engine: Engine) -> None:
    for number in range(1, 6):
        enlist(engine, number)
    told: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: told.append(given[2]))

    assert len(listed(engine, limit=3, marker=uuid(1))) == 3
    assert len([statement for statement in told if statement.startswith("SELECT")]) == 1


def test_a_pattern_is_a_part_of_the_name_in_any_case(engine: Engine) -> None:
    for number, name in enumerate(("rack1-a", "Rack1-b", "rack2-a", "a%b"), 1):
        named(engine, number, name)
    expected = {
        "rack1": [1, 2],
        "RACK1": [1, 2],
        "": [1, 2, 3, 4],
        "rack_-a": [1, 3],
        "a_b": [4],
        "%": [4],
        "x%": [],
        "/": [],
        "\\": [],
        "'": [],
        "ünï": [],
        "-A": [1, 3],
    }

    assert {pattern: found(engine, pattern) for pattern in expected} == {
        pattern: [uuid(number) for number in numbers] for pattern, numbers in expected.items()
    }


def test_what_runs_on_a_host_is_what_is_recorded_for_it_and_what_was_found_besides(engine: Engine) -> None:
    for number in (1, 2):
        enlist(engine, number)
    for workload, host in ((vm(1), "node-1"), (vm(2), "node-2"), (vm(3, name=""), "node-1")):
        store.record_workload(engine, workload, host)
    store.record_workload(engine, vm(4, state="deleted"), "node-1")
    # Names are as they are: only patterns are in any case.
    store.record_workload(engine, vm(5), "NODE-1")
    # The first is recorded here, the second elsewhere, the third nowhere.
    report(engine, 1, discovery(vm(1), vm(2), vm(6, name="found")))

    servers = store.hypervisor_servers(engine, {uuid(1): "node-1", uuid(2): "node-2", uuid(9): "node-9"})

    assert dict(servers) == {
        uuid(1): [
            {"uuid": vm_uuid(3), "name": None},
            {"uuid": vm_uuid(6), "name": "found"},
            {"uuid": vm_uuid(1), "name": "vm-1"},
        ],
        uuid(2): [{"uuid": vm_uuid(2), "name": "vm-2"}],
    }
    assert store.hypervisor_servers(engine, {}) == {}


def test_servers_of_more_hosts_than_a_statement_takes_are_found(engine: Engine) -> None:
    enlist(engine)
    store.record_workload(engine, vm(1), "node-1")
    hosts = {uuid(number): f"node-{number}" for number in range(12_000, 0, -1)}

    assert dict(store.hypervisor_servers(engine, hosts)) == {uuid(1): [{"uuid": vm_uuid(1), "name": "vm-1"}]}


def test_a_row_that_lost_its_name_lists_nothing(engine: Engine) -> None:
    """A machine that was installed anew has a new uuid under the old name: there is one hypervisor, the new one."""
    enlist(engine, 1)
    age(engine, "last_seen_up", DOWN_AFTER * 2, number=1)
    renewed = claim(2, host="node-1", hostname="node-1")
    lease = store.register(engine, renewed).lease
    store.upsert(engine, replace(record(2, boot_id=BOOT), host="node-1", hypervisor_hostname="node-1"), lease)

    with engine.connect() as connection:
        assert len(connection.execute(HOSTS.select()).all()) == 2
    assert listed(engine) == [uuid(2)]


def test_a_wide_row_has_what_any_row_has(engine: Engine) -> None:
    """MariaDB and MySQL send it as JSON: nothing is lost or changed by that."""
    enlist(engine)
    odd = {
        "vcpus": 2**63 - 1,
        "memory_mb": -(2**63),
        "total_cpu": 0.1 + 0.2,
        "used_cpu": 1e-7,
        "cpu_allocation_ratio": 16.0,
        "os": '"ünï" \\ 🖥 \n\t%s',
        "kernel_version": "",
        "disk_quota_supported": False,
        "enable_cpu_pinning": True,
        "cpu_info": '{"a": "\\u00e4"}',
    }
    with engine.begin() as connection:
        connection.execute(update(HOSTS).values(odd))
    query = select(HOSTS)

    with engine.connect() as connection:
        (row,), (wide,) = rows(connection, query), wide_rows(connection, query)
        assert wide_rows(connection, query.where(HOSTS.c.id == 0)) == []

    assert wide == row
    assert {name: wide[name] for name in odd} == odd
