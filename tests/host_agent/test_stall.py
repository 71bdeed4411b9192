# SPDX-License-Identifier: Apache-2.0
"""What hangs is noticed from outside; what only fails is not taken for it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_agent.health import COLLECT, REPORT, Health
from host_agent.notify import Notifier
from host_agent.stall import StallDetector, Watchdog
from tests.host_agent.test_watch import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


@pytest.mark.parametrize("job", [COLLECT, REPORT])
def test_a_job_that_hangs_is_told_once_and_so_is_its_return(
    health: Health, clock: Clock, job: str, caplog: pytest.LogCaptureFixture
) -> None:
    detector = StallDetector(health, 60)
    told = []
    with caplog.at_level(logging.INFO):
        health.begin(job)
        for _ in range(4):
            clock.now += 25
            told.append(detector.look())
        assert getattr(health.snapshot(), job).is_stuck
        health.end(job)
        told += [detector.look(), detector.look()]

    assert told == [False, False, True, False, True, False]
    assert not getattr(health.snapshot(), job).is_stuck
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith(f"the {job} job has not returned for 60 s: ")
    assert caplog.messages[1] == f"the {job} job returned"


def test_a_job_that_rests_or_works_is_no_news(health: Health, clock: Clock) -> None:
    detector = StallDetector(health, 60)
    for _ in range(100):
        health.begin(COLLECT)
        clock.now += 30
        assert not detector.look()
        health.end(COLLECT, "it failed")
        clock.now += 300
        assert not detector.look()


class Manager:
    """What systemd hears."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"})

    def heard(self) -> int:
        count = 0
        while True:
            try:
                assert self._socket.recv(100) == b"WATCHDOG=1"
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


@pytest.fixture
def watchdog(manager: Manager, health: Health) -> Watchdog:
    return Watchdog(manager.notifier, health, 60)


def test_it_is_fed_while_a_database_is_down(health: Health, clock: Clock, manager: Manager, watchdog: Watchdog) -> None:
    for _ in range(100):
        health.begin(REPORT)
        clock.now += 10
        watchdog.main_thread_lives()
        watchdog.turn()
        health.end(REPORT, "nobody listens")
        clock.now += 10
        watchdog.turn()
        assert manager.heard() == 2


def test_it_is_fed_while_a_long_report_goes_from_step_to_step(
    health: Health, clock: Clock, manager: Manager, watchdog: Watchdog
) -> None:
    health.begin(REPORT)
    for _ in range(20):
        clock.now += 500
        watchdog.main_thread_lives()
        watchdog.turn()
        health.progress(REPORT)
        assert manager.heard() == 1


@pytest.mark.parametrize("is_running", [True, False])
def test_it_is_not_fed_when_a_report_hangs_or_none_comes_any_more(
    health: Health, clock: Clock, manager: Manager, watchdog: Watchdog, is_running: bool
) -> None:
    health.begin(REPORT)
    if not is_running:
        health.end(REPORT)
    clock.now += 700
    watchdog.main_thread_lives()
    watchdog.turn()
    assert manager.heard() == 0


def test_it_is_not_fed_when_the_main_thread_stands_still(
    health: Health, clock: Clock, manager: Manager, watchdog: Watchdog
) -> None:
    health.begin(REPORT)
    watchdog.main_thread_lives()
    clock.now += 31
    watchdog.turn()
    assert manager.heard() == 0

    watchdog.main_thread_lives()
    watchdog.turn()
    assert manager.heard() == 1
