# SPDX-License-Identifier: Apache-2.0
"""What changed on the hosts: stored once, in the database's time, capped; on every backend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from host_agent import store
from host_agent.errors import UnknownMarker
from host_agent.event import Event
from host_agent.store.engine import Engine
from host_agent.store.schema import EVENTS
from tests.host_agent.facts import uuid
from tests.host_agent.store.fleet import BOOT, OTHER_BOOT, age

NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)
MINUTE = 60 * 10**6


def happened(number: int = 1, **changes: Any) -> Event:
    known: dict[str, Any] = {
        "uuid": uuid(number),
        "code": "memory-changed",
        "message": f"number {number}",
        "detail": {"old": 1, "new": None, "path": ["ünï", "🖥"]},
        "at": NOON,
        "boot_id": BOOT,
        "sequence": number * MINUTE,
    }
    return Event(**{**known, **changes})


def deliver(engine: Engine, events: Sequence[Event], *, number: int = 1, now: int = 100, **caps: Any) -> None:
    """Deliver in the boot `BOOT`, `now` minutes after its beginning."""
    caps = {"max_age_days": 90, "max_per_host": 1000, **caps}
    store.add_events(engine, uuid(number), f"node-{number}", events, boot_id=BOOT, sequence=now * MINUTE, **caps)


def messages(engine: Engine, **which: Any) -> list[object]:
    return [row["message"] for row in store.list_events(engine, **which)]


def test_an_event_comes_back_as_it_was_told(engine: Engine) -> None:
    told = happened(message="ünï 🖥 \\ ' %s :x")
    deliver(engine, [told])
    (row,) = store.list_events(engine)
    expected = {name: getattr(told, name) for name in ("uuid", "code", "message", "boot_id", "sequence")}
    assert {**row, **expected, "host_uuid": uuid(1), "host": "node-1"} == row
    assert json.loads(str(row["detail"])) == told.detail


def test_what_is_delivered_again_is_stored_once(engine: Engine) -> None:
    deliver(engine, [happened(1), happened(2)])
    first = store.list_events(engine)
    deliver(engine, [happened(2, message="told differently"), happened(3), happened(1)])
    assert store.list_events(engine)[1:] == first
    assert messages(engine) == ["number 3", "number 2", "number 1"]


def test_one_delivery_may_name_an_event_twice(engine: Engine) -> None:
    deliver(engine, [happened(), happened()])
    assert messages(engine) == ["number 1"]


@pytest.mark.parametrize("clock", [NOON, NOON + timedelta(days=4000), NOON - timedelta(days=4000)])
def test_events_of_this_boot_have_the_databases_time_whatever_the_hosts_clock_said(
    engine: Engine, clock: datetime
) -> None:
    deliver(engine, [happened(40, at=clock), happened(70, at=clock)], now=100)
    later, earlier = store.list_events(engine)
    assert (earlier["message"], later["message"]) == ("number 40", "number 70")
    assert later["created_at"] - later["at"] == timedelta(minutes=30)  # type: ignore[operator]
    assert earlier["created_at"] - earlier["at"] == timedelta(minutes=60)  # type: ignore[operator]


def test_events_of_an_earlier_boot_have_the_time_they_were_told_with_but_never_a_later_one(engine: Engine) -> None:
    past, future = (happened(1, boot_id=OTHER_BOOT), happened(2, boot_id=None, at=NOON + timedelta(days=40000)))
    deliver(engine, [past, future, happened(500)], now=100)
    rows = {row["message"]: row for row in store.list_events(engine)}
    assert rows["number 1"]["at"] == NOON
    for message in ("number 2", "number 500"):
        assert rows[message]["at"] == rows[message]["created_at"]


def test_bytes_that_are_no_text_do_not_stand_in_the_way(engine: Engine) -> None:
    deliver(engine, [happened(message="sd\udcff\0a", detail={"name": "sd\udcff\0a"})])
    (row,) = store.list_events(engine)
    assert row["message"] == "sd??a"
    assert json.loads(str(row["detail"])) == {"name": "sd\udcff\0a"}


def test_the_oldest_give_way_to_the_newest_of_the_same_host(engine: Engine) -> None:
    deliver(engine, [happened(90)], number=2)
    deliver(engine, [happened(number) for number in range(1, 8)], max_per_host=5)
    assert messages(engine, host_uuid=uuid(1)) == [f"number {number}" for number in (7, 6, 5, 4, 3)]
    deliver(engine, [], max_per_host=2)
    assert messages(engine, host_uuid=uuid(1)) == ["number 7", "number 6"]
    assert messages(engine, host_uuid=uuid(2)) == ["number 90"]


def test_of_events_at_the_same_moment_the_first_give_way(engine: Engine) -> None:
    deliver(engine, [happened(number, sequence=MINUTE) for number in range(1, 6)], max_per_host=2)
    assert messages(engine) == ["number 5", "number 4"]


def test_what_is_too_old_goes_at_the_next_delivery(engine: Engine) -> None:
    deliver(engine, [happened(1), happened(2)])
    for column in ("at", "created_at"):
        age(engine, column, 91 * 86400, EVENTS)
    deliver(engine, [happened(3)])
    assert messages(engine) == ["number 3"]


def test_an_event_told_with_a_clock_that_was_years_behind_stays(engine: Engine) -> None:
    deliver(engine, [happened(boot_id=OTHER_BOOT, at=datetime(1970, 1, 1, tzinfo=timezone.utc))])
    deliver(engine, [])
    assert messages(engine) == ["number 1"]


def test_events_are_listed_by_host_and_since_newest_first(engine: Engine) -> None:
    deliver(engine, [happened(10), happened(50), happened(90)], now=100)
    deliver(engine, [happened(60)], number=2, now=100)
    assert messages(engine) == ["number 90", "number 60", "number 50", "number 10"]
    assert messages(engine, host_uuid=uuid(2)) == ["number 60"]
    assert messages(engine, host_uuid=uuid(3)) == []
    moment = store.list_events(engine)[2]["at"]
    assert messages(engine, since=moment) == ["number 90", "number 60", "number 50"]
    assert messages(engine, since=moment, host_uuid=uuid(1)) == ["number 90", "number 50"]


def test_pages_follow_each_other_by_marker_even_within_one_moment(engine: Engine) -> None:
    deliver(engine, [happened(number, sequence=number // 4 * MINUTE) for number in range(1, 12)])
    whole = [row["uuid"] for row in store.list_events(engine)]
    assert len(whole) == 11
    seen: list[object] = []
    marker = None
    while page := store.list_events(engine, limit=3, marker=marker):
        assert len(page) <= 3
        seen += [row["uuid"] for row in page]
        marker = str(page[-1]["uuid"])
    assert seen == whole


def test_a_page_is_one_query(engine: Engine) -> None:
    deliver(engine, [happened(1), happened(2)])
    statements: list[str] = []
    sqlalchemy_event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    assert len(store.list_events(engine, marker=uuid(2))) == 1
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 1


def test_an_unknown_marker_is_an_error_and_the_last_page_is_none(engine: Engine) -> None:
    deliver(engine, [happened()])
    assert store.list_events(engine, marker=uuid(1)) == []
    with pytest.raises(UnknownMarker, match="no event has the uuid 'gone'"):
        store.list_events(engine, marker="gone")


def test_a_spool_of_thousands_is_delivered_whole(engine: Engine) -> None:
    deliver(engine, [happened(number, detail={}) for number in range(3000)], now=5000, max_per_host=2500)
    assert len(store.list_events(engine, limit=5000)) == 2500
