# SPDX-License-Identifier: Apache-2.0
"""The watch: when everything is read, when only the fast facts, and what a failure leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host_agent.watch import HostWatch
from os_capability import CpuSet, Host, MachineIdentity, NumaTopology, SourceUnreadable
from tests.host_agent.facts import GIB, machine


class RecordedDriver:
    """Gives what it is told to give, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Host | Exception = machine()

    def identify(self) -> MachineIdentity:
        raise AssertionError("who the machine is does not concern the watch")

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


def without_node(host: Host, gone: int) -> Host:
    return replace(
        host, numa=NumaTopology(synthetic=False, nodes=tuple(node for node in host.numa.nodes if node.id != gone))
    )


def with_memory(host: Host, total_bytes: int | None) -> Host:
    return replace(host, memory=replace(host.memory, total_bytes=total_bytes))


@pytest.mark.parametrize(
    "torn", [without_node(machine(), 1), with_memory(machine(), 3 * GIB), with_memory(machine(), None)]
)
def test_a_node_or_most_of_the_memory_is_gone_when_two_looks_say_so(driver: RecordedDriver, torn: Host) -> None:
    watch = HostWatch(driver, 1000)
    whole = watch.look()

    driver.answer = torn
    with pytest.raises(SourceUnreadable, match="is gone at once"):
        watch.look()
    assert watch.last is whole

    assert watch.look() is torn
    assert driver.asked == ["collect", "refresh", "collect"], "the second look trusts nothing of the first"


def test_a_torn_look_is_forgotten_when_the_next_is_whole(driver: RecordedDriver) -> None:
    watch = HostWatch(driver, 1000)
    whole = watch.look()
    for _ in range(3):
        driver.answer = without_node(machine(), 0)
        with pytest.raises(SourceUnreadable):
            watch.look()
        driver.answer = whole
        assert watch.look() is whole


def test_two_torn_looks_that_differ_prove_nothing(driver: RecordedDriver) -> None:
    whole = machine(nodes=3)
    driver.answer = whole
    watch = HostWatch(driver, 1000)
    watch.look()

    for gone in (0, 1, 2):
        driver.answer = without_node(whole, gone)
        with pytest.raises(SourceUnreadable):
            watch.look()
    assert watch.last is whole


@pytest.mark.parametrize(
    "now", [with_memory(machine(), 5 * GIB), machine(nodes=3), machine(nodes=2, cores=1), machine(free_bytes=0)]
)
def test_what_may_well_be_is_believed_at_once(driver: RecordedDriver, now: Host) -> None:
    watch = HostWatch(driver, 1000)
    watch.look()
    driver.answer = now
    assert watch.look() is now


def test_it_says_which_looks_read_everything(driver: RecordedDriver, clock: Clock) -> None:
    watch, full = HostWatch(driver, 100, clock), []
    for clock.now in (1000, 1050, 1100):
        watch.look()
        full.append(watch.was_full)
    assert full == [True, False, True]
