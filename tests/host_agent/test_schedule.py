# SPDX-License-Identifier: Apache-2.0
"""The schedule: real threads, short intervals."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from host_agent.schedule import ClockWatch, Schedule


@pytest.fixture
def schedule() -> Iterator[Schedule]:
    schedule = Schedule()
    schedule.start()
    yield schedule
    schedule.stop(5)


def test_the_first_turn_is_now(schedule: Schedule) -> None:
    ran = threading.Event()
    schedule.every(3600, "job", ran.set)
    assert ran.wait(2)


def test_the_second_turn_is_at_the_phase_of_this_host(schedule: Schedule) -> None:
    turns = threading.Semaphore(0)
    schedule.every(3600, "job", turns.release, phase=0.0001)
    assert turns.acquire(timeout=2)
    assert turns.acquire(timeout=5)
    assert not turns.acquire(timeout=0.5), "and then the interval begins"


def test_a_job_that_hangs_runs_once_and_stops_no_other(schedule: Schedule) -> None:
    let_go, calls, beats = threading.Event(), [], threading.Semaphore(0)

    def hang() -> None:
        calls.append(1)
        let_go.wait(10)

    schedule.every(0.05, "hangs", hang)
    schedule.every(0.05, "beats", beats.release)

    for _ in range(5):
        assert beats.acquire(timeout=2)
    assert len(calls) == 1
    assert not schedule.stop(0.1), "it still hangs"
    let_go.set()


def test_a_job_that_fails_has_its_next_turn(schedule: Schedule, caplog: pytest.LogCaptureFixture) -> None:
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
    let_go, again = threading.Event(), threading.Event()

    def slow() -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            let_go.wait(10)
        elif len(calls) == 3:
            again.set()

    schedule.every(0.2, "slow", slow)
    time.sleep(1.5)  # seven turns are missed
    let_go.set()
    assert again.wait(10)
    assert calls[2] - calls[1] > 0.1, "two turns at once"


def test_a_turn_that_is_asked_for_comes_now(schedule: Schedule) -> None:
    turns = threading.Semaphore(0)
    schedule.every(3600, "job", turns.release)
    assert turns.acquire(timeout=2)

    for _ in range(20):
        schedule.now("job")
        assert turns.acquire(timeout=2)


def test_a_turn_that_is_asked_for_moves_no_other(schedule: Schedule) -> None:
    turns: list[float] = []
    began = time.monotonic()
    schedule.every(2, "job", lambda: turns.append(time.monotonic() - began), phase=0.75)
    while time.monotonic() < began + 1.2:
        schedule.now("job")
        time.sleep(0.1)
    asked = len(turns)
    while len(turns) == asked:
        assert time.monotonic() < began + 20
        time.sleep(0.05)

    assert turns[asked] >= 1.5
    assert turns[asked] - turns[asked - 1] < 1.5, "the interval began anew with the turn that was asked for"


def test_a_turn_that_is_asked_for_during_a_turn_follows_it(schedule: Schedule) -> None:
    began, let_go = threading.Semaphore(0), threading.Semaphore(0)

    def turn() -> None:
        began.release()
        let_go.acquire(timeout=10)

    schedule.every(3600, "job", turn)
    assert began.acquire(timeout=2)
    for _ in range(3):
        schedule.now("job")
    assert not began.acquire(timeout=0.3), "it runs beside itself"
    let_go.release()

    assert began.acquire(timeout=2), "the turn was dropped"
    let_go.release()
    assert not began.acquire(timeout=0.3), "asked for three times, it runs once"


def test_a_job_may_say_when_its_next_turn_is(schedule: Schedule) -> None:
    turns = threading.Semaphore(0)

    def turn() -> None:
        turns.release()
        schedule.after("job", 0.05)

    schedule.every(3600, "job", turn)
    for _ in range(4):
        assert turns.acquire(timeout=2)


def test_what_does_not_run_any_more_is_not_asked_for(schedule: Schedule) -> None:
    schedule.every(3600, "job", lambda: None)
    schedule.stop(5)
    schedule.now("job")
    schedule.now("never")


def test_every_job_has_its_turn_when_the_clock_was_set(schedule: Schedule) -> None:
    calls = threading.Semaphore(0)
    schedule.every(3600, "job", calls.release)
    assert calls.acquire(timeout=2)

    schedule.run_all_now()

    assert calls.acquire(timeout=2)


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
