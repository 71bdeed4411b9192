# SPDX-License-Identifier: Apache-2.0
"""The schedule: real threads, short intervals."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from host_agent.log import Condition
from host_agent.schedule import ClockWatch, Schedule


class Told:
    """What the schedule tells about jobs that hang."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, bool]] = []
        self.hangs = threading.Event()

    def __call__(self, name: str, is_stuck: bool) -> None:
        self.changes.append((name, is_stuck))
        if is_stuck:
            self.hangs.set()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def schedule(told: Told) -> Iterator[Schedule]:
    schedule = started(told)
    yield schedule
    schedule.stop(5)


def started(told: Told) -> Schedule:
    schedule = Schedule(stuck=told)
    schedule.start()
    return schedule


def test_the_first_turn_is_now(schedule: Schedule) -> None:
    ran = threading.Event()
    schedule.every(3600, "job", ran.set)
    assert ran.wait(2)


def test_a_job_that_hangs_runs_once_and_stops_no_other(told: Told) -> None:
    schedule = started(told)
    let_go, calls, beats = threading.Event(), [], threading.Semaphore(0)

    def hang() -> None:
        calls.append(1)
        let_go.wait(10)

    schedule.every(0.05, "hangs", hang)
    schedule.every(0.05, "beats", beats.release)

    for _ in range(5):
        assert beats.acquire(timeout=2)
    assert told.hangs.wait(2)
    assert len(calls) == 1
    assert not schedule.stop(0.1), "it still hangs"
    let_go.set()


def test_a_job_that_fails_has_its_next_turn(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    schedule = started(told)
    calls = threading.Semaphore(0)

    def fail() -> None:
        calls.release()
        raise RuntimeError("a bug")

    with caplog.at_level(logging.ERROR):
        schedule.every(0.05, "fails", fail)
        assert calls.acquire(timeout=2)
        assert calls.acquire(timeout=2)
    assert schedule.stop(2)
    assert "a bug" in caplog.text, "an error nobody expected is told with its traceback"


def test_turns_that_were_missed_are_made_up_by_one(schedule: Schedule) -> None:
    calls: list[float] = []

    def slow() -> None:
        calls.append(time.monotonic())
        time.sleep(0.5 if len(calls) == 1 else 0)

    schedule.every(0.1, "slow", slow)
    time.sleep(0.75)
    # Turns at 0, then from 0.5 s on every 0.1 s; five missed turns would have been made up at 0.5 s at once.
    assert 2 <= len(calls) <= 5


def test_every_job_has_its_turn_when_the_clock_was_set(schedule: Schedule) -> None:
    calls = threading.Semaphore(0)
    schedule.every(3600, "job", calls.release)
    assert calls.acquire(timeout=2)

    # A job that still runs when the clock steps has this turn already: ask until the first one is over.
    for _ in range(20):
        schedule.run_all_now()
        if calls.acquire(timeout=0.5):
            return
    pytest.fail("the job had no turn after the clock was set")


def test_a_step_of_the_clock_is_told_once_and_a_slow_drift_never() -> None:
    moments = {"wall": 5000.0, "steady": 10.0}
    clock = ClockWatch(wall=lambda: moments["wall"], steady=lambda: moments["steady"])

    def pass_time(steady: float, wall: float) -> float:
        moments["steady"] += steady
        moments["wall"] += wall
        return clock.step_seconds()

    assert pass_time(1, 1) == 0
    assert pass_time(1, 1.5) == 0
    assert pass_time(1, -3599) == -3600
    assert pass_time(1, 1) == 0
    assert pass_time(1, 86401) == 86400


def test_a_condition_is_told_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    condition = Condition(logging.getLogger("test"), "well again")
    with caplog.at_level(logging.INFO):
        for trouble in (None, None, "cold", "cold", "warm", None, None, "cold"):
            condition.report(trouble)

    assert caplog.messages == ["cold", "warm", "well again", "cold"]
    assert condition.trouble == "cold"
