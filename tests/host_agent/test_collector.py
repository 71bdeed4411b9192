# SPDX-License-Identifier: Apache-2.0
"""The collector: what becomes an event, once, whatever dies in between."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from host_agent.baseline import Baseline
from host_agent.collector import Collector
from host_agent.errors import ConfigError
from host_agent.folding import Folding
from host_agent.health import Health
from host_agent.outbox import Outbox
from host_agent.spool import Spool
from host_agent.watch import HostWatch
from os_capability import Host, SourceUnreadable
from os_capability.model import HostWarning, Limits
from tests.host_agent.events import START
from tests.host_agent.facts import GIB, machine, uuid
from tests.host_agent.test_watch import Clock, RecordedDriver


class Process:
    """One process of the agent on a machine and a state directory; another one on the same may follow it."""

    def __init__(self, folder: Path, driver: RecordedDriver, clock: Clock, fold_seconds: float = 0) -> None:
        self.outbox = Outbox(Spool(folder / "events.jsonl", 100))
        self.health = Health()
        self.collections = 0
        self.admits: ConfigError | None = None
        self._driver = driver
        self._clock = clock
        self.collector = Collector(
            watch=HostWatch(driver, 3600, clock),
            baseline=Baseline(folder / "facts.json"),
            folding=Folding(fold_seconds),
            outbox=self.outbox,
            health=self.health,
            host_uuid=uuid,
            admit=self._admit,
            collected=self._count,
            clock=clock,
        )

    def _admit(self, host: Host) -> None:
        if self.admits is not None:
            raise self.admits

    def _count(self) -> None:
        self.collections += 1

    def sees(self, *hosts: Host | Exception) -> list[str]:
        """Give the codes that wait after turns in which the machine looked like this."""
        for host in hosts:
            self._clock.now += 1
            at = START + timedelta(seconds=self._clock.now)
            self._driver.answer = replace(host, collected_at=at) if isinstance(host, Host) else host
            self.collector.turn()
        return self.codes()

    def codes(self) -> list[str]:
        return [event.code for event in self.outbox.events.waiting()]


Start = Callable[..., Process]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(tmp_path: Path, clock: Clock) -> Start:
    return lambda fold_seconds=0: Process(tmp_path, RecordedDriver(), clock, fold_seconds)


def with_kernel(kernel: str, host: Host | None = None) -> Host:
    host = host or machine()
    return replace(host, system=replace(host.system, kernel=kernel))


def without_memory(host: Host, lost_bytes: int) -> Host:
    assert host.memory.total_bytes is not None
    return replace(host, memory=replace(host.memory, total_bytes=host.memory.total_bytes - lost_bytes))


def test_a_change_is_an_event_and_the_newest_facts_wait(start: Start) -> None:
    agent = start()
    agent.collector.learn(None)

    assert agent.sees(machine(), machine(), with_kernel("6.12"), with_kernel("6.12")) == ["kernel-changed"]

    (told,) = agent.outbox.events.waiting()
    assert (told.message, told.boot_id) == ("kernel 6.1.0-18-amd64 -> 6.12", machine().boot_id)
    facts = agent.outbox.facts
    assert facts is not None
    assert facts.host.system.kernel == "6.12"
    assert facts.host.collected_at > told.at
    assert facts.sequence > told.sequence
    assert agent.collections == 4


def test_settings_that_do_not_suit_the_machine_end_the_agent_before_anything_is_told(start: Start) -> None:
    agent = start()
    agent.collector.learn(None)
    agent.admits = ConfigError("[compute] cpu_dedicated_set: CPU 9 is not there")
    assert agent.sees(machine()) == []
    assert agent.collector.refusal is agent.admits
    assert (agent.outbox.facts, agent.collections) == (None, 0)


def test_what_changes_later_is_no_fault_of_the_settings(start: Start) -> None:
    agent = start()
    agent.collector.learn(None)
    agent.sees(machine())
    agent.admits = ConfigError("[compute] cpu_dedicated_set: CPU 1 is offline")
    agent.sees(with_kernel("6.12"))
    assert agent.collector.refusal is None
    assert agent.collections == 2


def test_what_binds_the_process_and_what_the_reader_warns_of_is_no_event(start: Start) -> None:
    agent = start()
    agent.collector.learn(None)
    limited = replace(machine(), limits=Limits(cgroup_version=1, cpu_quota=1.5, memory_bytes=GIB))
    warned = replace(machine(), warnings=(HostWarning(code="odd", message="something is odd"),))

    assert agent.sees(machine(), limited, machine(), warned, machine()) == []


def test_a_change_between_two_processes_is_told(start: Start) -> None:
    start().sees(machine())
    rebooted = replace(machine(), boot_id="99999999-2222-4333-8444-555555555555")
    assert start().sees(with_kernel("6.12", rebooted)) == ["host-rebooted", "kernel-changed"]


def test_a_disk_in_another_machine_is_told(start: Start) -> None:
    start().sees(machine())
    assert start().sees(replace(machine(), machine_id="f" * 32)) == ["different-machine"]


def test_a_small_drift_is_told_once_it_is_large(start: Start) -> None:
    agent = start()
    agent.collector.learn(None)
    drift = [without_memory(machine(), step * 20 * 1024**2) for step in range(8)]

    told = [len(agent.sees(host)) for host in drift]

    assert told[:4] == [0, 0, 0, 0]
    assert told[-1] > 0, "steps that are too small to tell add up"


def test_a_kill_after_each_step_tells_each_change_once(start: Start, tmp_path: Path) -> None:
    """Killed after the event is on disk and before the baseline is, the next process finds the same event again."""
    first = start()
    first.sees(machine())
    shutil.copy(tmp_path / "facts.json", tmp_path / "before.json")
    assert first.sees(with_kernel("6.12")) == ["kernel-changed"]
    (told,) = first.outbox.events.waiting()

    shutil.copy(tmp_path / "before.json", tmp_path / "facts.json")
    second = start()
    assert second.sees(with_kernel("6.12")) == ["kernel-changed"]
    assert [event.uuid for event in second.outbox.events.waiting()] == [told.uuid]

    # Delivered meanwhile: the database knows the event by its uuid.
    second.outbox.events.remove([told.uuid])
    shutil.copy(tmp_path / "before.json", tmp_path / "facts.json")
    third = start()
    third.sees(with_kernel("6.12"))
    assert [event.uuid for event in third.outbox.events.waiting()] == [told.uuid]


def test_what_was_kept_back_is_told_by_the_next_process(start: Start) -> None:
    first = start(600)
    first.sees(machine())
    assert first.sees(*(with_kernel(f"6.{number}") for number in range(5))) == ["kernel-changed"]

    second = start(600)

    assert second.codes() == ["kernel-changed", "flapping"]
    assert second.outbox.events.waiting()[1].detail["count"] == 4
    assert second.sees(with_kernel("6.4")) == ["kernel-changed", "flapping"]


def test_a_flap_is_folded_and_its_end_is_told_also_while_the_machine_cannot_be_read(start: Start, clock: Clock) -> None:
    agent = start(600)
    agent.collector.learn(None)
    agent.sees(machine(), with_kernel("b"), with_kernel("c"), with_kernel("d"))
    clock.now += 600

    assert agent.sees(SourceUnreadable("/proc/meminfo", "gone")) == ["kernel-changed", "flapping"]


def test_without_a_local_copy_the_databases_serves(start: Start) -> None:
    agent = start()
    asked = agent.collector.asks_for_past
    assert agent.sees(with_kernel("b"), with_kernel("c")) == ["kernel-changed"]

    agent.collector.learn(machine())

    assert [event.message for event in agent.outbox.events.waiting()] == [
        "kernel b -> c",
        "kernel 6.1.0-18-amd64 -> b",
    ]
    assert (asked, agent.collector.asks_for_past, start().collector.asks_for_past) == (True, False, False)


def test_a_database_that_answers_before_the_machine_does(start: Start) -> None:
    agent = start()
    agent.collector.learn(machine())
    assert agent.sees(with_kernel("b")) == ["kernel-changed"]


def test_a_host_that_nobody_knows_has_no_past(start: Start) -> None:
    agent = start()
    agent.sees(machine())
    agent.collector.learn(None)
    assert agent.sees(machine()) == []


def test_a_look_that_fails_leaves_everything(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    agent = start()
    agent.sees(machine())
    facts = agent.outbox.facts
    with caplog.at_level(logging.INFO):
        failure = SourceUnreadable("/proc/meminfo", "Permission denied")
        assert agent.sees(failure, failure) == []
        health = agent.health.snapshot()
        assert agent.outbox.facts is facts
        assert agent.collections == 1
        agent.sees(machine())

    assert health.collect.trouble is not None
    assert "Permission denied" in health.collect.trouble
    assert (health.collect.successes, health.collect.failures) == (1, 2)
    assert caplog.text.count("cannot read this machine") == 1
    assert caplog.text.count("can be read again") == 1


def test_a_fault_of_our_own_is_not_hidden(start: Start) -> None:
    agent = start()
    with pytest.raises(ZeroDivisionError):
        agent.sees(ZeroDivisionError("a bug"))
    collect = agent.health.snapshot().collect
    assert collect.running_since is None
    assert collect.trouble == "a fault in this program: see the log"


def test_a_warning_is_logged_when_it_comes_up_and_not_again(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    agent = start()
    warned = replace(machine(), warnings=(HostWarning(code="odd", message="something is odd"),))
    with caplog.at_level(logging.WARNING):
        agent.sees(machine(), warned, warned)
    assert caplog.messages == ["odd: something is odd"]
