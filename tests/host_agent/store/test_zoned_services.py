# SPDX-License-Identifier: Apache-2.0
"""Services with their zones, and the zones of services, on every backend."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event

from host_agent import store
from host_agent.store.engine import Engine
from tests.host_agent.facts import uuid
from tests.host_agent.store.fleet import DOWN_AFTER, age, claim, enlist

COLUMNS = (
    *("id", "uuid", "host", "binary", "topic", "disabled", "disabled_reason", "forced_down"),
    *("is_alive", "zone", "updated_at"),
)


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    """Give an engine on a database with node-1 in zone-a, node-2 in zone-a by two aggregates, and node-3 in none."""
    for number in (1, 2, 3):
        enlist(engine, number)
    for name, zone, hosts in (("a", "zone-a", (1, 2)), ("again", "zone-a", (2,)), ("plain", None, (1, 3))):
        made = store.create_aggregate(engine, name, zone)
        for number in hosts:
            store.add_host(engine, made.id, f"node-{number}")
    return engine


def services(engine: Engine, **wanted: Any) -> list[dict[str, Any]]:
    return store.zoned_services(engine, COLUMNS, down_after_seconds=DOWN_AFTER, **wanted)


def service(engine: Engine, number: int) -> dict[str, Any]:
    (found,) = services(engine, host=f"node-{number}")
    return found


def disable(engine: Engine, number: int) -> None:
    store.change_service(engine, store.service_uuid(uuid(number), "nova-compute"), disabled=True)


def test_each_service_has_its_zone_once(fleet: Engine) -> None:
    assert [(row["host"], row["zone"]) for row in services(fleet)] == [
        ("node-1", "zone-a"),
        ("node-2", "zone-a"),
        ("node-3", "nova"),
    ]
    first = service(fleet, 1)
    assert first.pop("id") > 0
    assert isinstance(first.pop("updated_at"), datetime)
    assert list(store.zoned_services(fleet, ("zone", "id"), down_after_seconds=DOWN_AFTER)[0]) == ["zone", "id"]
    assert first == {
        "uuid": store.service_uuid(uuid(1), "nova-compute"),
        "host": "node-1",
        "binary": "nova-compute",
        "topic": "compute",
        "disabled": False,
        "disabled_reason": None,
        "forced_down": False,
        "is_alive": True,
        "zone": "zone-a",
    }


def test_a_list_is_one_query_however_many_there_are(fleet: Engine) -> None:
    statements: list[str] = []
    event.listen(fleet, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    assert len(services(fleet)) == 3
    assert len(store.service_zones(fleet)) == 2
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 2


def test_services_are_found_by_what_they_are(fleet: Engine) -> None:
    store.register(fleet, claim(1, binary="zun-compute"))
    wanted = store.service_uuid(uuid(1), "zun-compute")

    def found(**wanted: str) -> list[tuple[object, object]]:
        return [(row["host"], row["binary"]) for row in services(fleet, **wanted)]

    assert found(host="node-1") == [("node-1", "nova-compute"), ("node-1", "zun-compute")]
    assert found(host="node-1", binary="zun-compute") == found(uuid=wanted) == [("node-1", "zun-compute")]
    assert len(found(binary="nova-compute")) == 3
    for name in ("nobody", "NODE-1", "", "node-1\0", "' OR 1=1 --"):
        assert found(host=name) == found(binary=name) == found(uuid=name) == []


def test_who_is_not_heard_of_is_not_alive(fleet: Engine) -> None:
    # The last one is heard in the future, by a clock that was set back since.
    for silent, is_alive in ((0, True), (DOWN_AFTER - 20, True), (DOWN_AFTER + 1, False), (None, False), (-600, True)):
        age(fleet, "last_seen_up", silent, number=1)
        assert (service(fleet, 1)["is_alive"], service(fleet, 2)["is_alive"]) == (is_alive, True)


def test_the_later_of_two_times_is_told(fleet: Engine) -> None:
    now = service(fleet, 2)["updated_at"]
    for seen, changed, seconds in ((60, 600, 60), (600, 60, 60), (None, 60, 60), (60, None, 60)):
        age(fleet, "last_seen_up", seen, number=1)
        age(fleet, "updated_at", changed, number=1)
        assert abs((now - service(fleet, 1)["updated_at"]).total_seconds() - seconds) < 30
    for column in ("last_seen_up", "updated_at"):
        age(fleet, column, None, number=1)
    assert service(fleet, 1)["updated_at"] is None


def test_a_zone_has_services_and_is_available_as_long_as_one_is_enabled(fleet: Engine) -> None:
    store.create_aggregate(fleet, "empty", "zone-b")

    def zones() -> list[tuple[str, bool]]:
        return [(zone.name, zone.is_available) for zone in store.service_zones(fleet)]

    disable(fleet, 1)
    assert zones() == [("nova", True), ("zone-a", True)]
    disable(fleet, 2)
    assert zones() == [("nova", True), ("zone-a", False)]
    store.retire(fleet, uuid(3))
    assert zones() == [("zone-a", False)]
    assert [row["host"] for row in services(fleet)] == ["node-1", "node-2"]
