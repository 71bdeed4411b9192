# SPDX-License-Identifier: Apache-2.0
"""The watch: when everything is read, when only the fast facts, and what a failure leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host_agent.watch import HostWatch
from os_capability import CpuSet, Host, SourceUnreadable
from tests.host_agent.facts import machine


class RecordedDriver:
    """Gives what it is told to give, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Host | Exception = machine()

    def collect(self) -> Host:
        return self._give("collect")

    def refresh(self, host: Host) -> Host:
        return self._give("refresh")

    def _give(self, name: str) -> Host:
        self.asked.append(name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def driver() -> RecordedDriver:
    return RecordedDriver()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_everything_is_read_at_first_and_after_each_full_interval(driver: RecordedDriver, clock: Clock) -> None:
    watch = HostWatch(driver, 100, clock)
    for clock.now in (1000, 1050, 1099, 1100, 1150, 1200):
        watch.look()

    assert driver.asked == ["collect", "refresh", "refresh", "collect", "refresh", "collect"]


def test_a_failure_keeps_the_last_good_facts(driver: RecordedDriver, clock: Clock) -> None:
    watch = HostWatch(driver, 100, clock)
    good = watch.look()

    driver.answer = SourceUnreadable("/proc/meminfo", "Permission denied")
    for clock.now in (1010, 1100):
        with pytest.raises(SourceUnreadable):
            watch.look()
    assert watch.last is good

    driver.answer = good
    watch.look()
    assert driver.asked == ["collect", "refresh", "collect", "collect"], "a full look that failed is still due"


def test_a_machine_without_cpus_is_a_failure(driver: RecordedDriver) -> None:
    driver.answer = replace(machine(), cpu=replace(machine().cpu, online=CpuSet()))
    watch = HostWatch(driver, 100)

    with pytest.raises(SourceUnreadable, match="CPU"):
        watch.look()
    assert watch.last is None
