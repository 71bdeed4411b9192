# SPDX-License-Identifier: Apache-2.0
"""Folding: what flaps is told twice in a window at most, and how it stands in the end is always told."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.event import Event
from host_agent.folding import Folding, thing
from tests.host_agent.events import event

WINDOW = 600


def off(number: int, cpus: str = "3") -> Event:
    return event(number, "cpus-offline", cpus=cpus)


def on(number: int, cpus: str = "3") -> Event:
    return event(number, "cpus-online", cpus=cpus)


def test_the_first_change_is_told_at_once() -> None:
    assert Folding(WINDOW).pass_on([first := off(0)], 0) == [first]


def test_one_that_follows_is_told_as_it_is_when_the_window_ends() -> None:
    folding = Folding(WINDOW)
    folding.pass_on([off(0)], 0)

    assert folding.pass_on([back := on(60)], 60) == []
    assert folding.pass_on([], 599) == []
    assert folding.pass_on([], 600) == [back]


def test_many_are_told_as_one() -> None:
    folding = Folding(WINDOW)
    folding.pass_on([off(0)], 0)
    for number in range(1, 8):
        assert folding.pass_on([on(number) if number % 2 else off(number)], number) == []

    (told,) = folding.pass_on([], 600)

    assert told.code == "flapping"
    assert told.message == "changed 7 more times within 600 s, the last: cpus-online 7"
    assert told.detail == {"count": 7, "seconds": 600, "last": {"code": "cpus-online", "detail": {"cpus": "3"}}}
    assert told.sequence == on(7).sequence


def test_what_goes_on_flapping_is_told_once_in_each_window_and_afresh_after_a_quiet_one() -> None:
    folding = Folding(WINDOW)
    told = [folding.pass_on([off(second)], second) for second in range(0, 3600, 60)]
    assert [len(events) for events in told if events] == [1] * 6

    assert [told.code for told in folding.pass_on([], 3600)] == ["flapping"]
    assert folding.pass_on([], 4200) == []
    assert [told.code for told in folding.pass_on([off(4300)], 4300)] == ["cpus-offline"]


def test_things_are_told_apart() -> None:
    events = [
        off(0),
        off(1, "4"),
        event(2, "node-removed", node=0, cpus="0-3", memory_total_bytes=1),
        event(3, "node-removed", node=1, cpus="0-3", memory_total_bytes=1),
        event(4, "hugepages-lost", node=0, size_bytes=2048, old=1, new=0),
        event(5, "hugepages-lost", node=0, size_bytes=4096, old=1, new=0),
        event(6, "kernel-changed", old="5", new="6"),
        event(7, "hostname-changed", old="a", new="b"),
    ]
    assert Folding(WINDOW).pass_on(events, 0) == events


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("memory-lost", "memory-gained"),
        ("node-removed", "node-added"),
        ("cpus-offline", "cpus-online"),
        ("vulnerability-opened", "vulnerability-closed"),
        ("vulnerability-opened", "vulnerability-changed"),
    ],
)
def test_both_ways_are_about_the_same_thing(one: str, other: str) -> None:
    assert thing(one, {"node": 1, "old": 1, "new": 2}) == thing(other, {"node": 1, "old": 2, "new": 1})


def test_without_a_window_everything_is_told() -> None:
    folding = Folding(0)
    assert [len(folding.pass_on([off(number)], 0)) for number in range(5)] == [1] * 5


def test_what_is_kept_back_can_be_written_down() -> None:
    folding = Folding(WINDOW)
    folding.pass_on([off(0)], 0)
    assert folding.kept_back() == []
    folding.pass_on([on(1)], 1)
    folding.pass_on([off(2)], 2)

    (kept,) = folding.kept_back()
    assert folding.pass_on([], 600) == [kept], "told by the next process, it is the same event"


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=3)),
        max_size=60,
    )
)
def test_never_more_than_two_a_window_and_the_last_state_is_told(
    turns: list[tuple[int, list[tuple[str, bool]]]],
) -> None:
    folding, now, number = Folding(WINDOW), 0, 0
    last: dict[str, str] = {}
    told: dict[str, list[tuple[int, Event]]] = defaultdict(list)
    for pause, changes in [*turns, (WINDOW, []), (WINDOW, [])]:
        now += pause
        events = []
        for name, is_online in changes:
            number += 1
            events.append((on if is_online else off)(number, name))
            last[name] = events[-1].message
        for passed in folding.pass_on(events, now):
            told[_name(passed)].append((now, passed))

    assert folding.kept_back() == []
    for name, message in last.items():
        assert told[name][-1][1].message.endswith(message)
    for tellings in told.values():
        for start, _ in tellings:
            assert sum(start <= at < start + WINDOW for at, _ in tellings) <= 2


def _name(told: Event) -> str:
    last = told.detail.get("last")
    detail = last["detail"] if isinstance(last, dict) else told.detail
    return str(detail["cpus"])
