# SPDX-License-Identifier: Apache-2.0
"""The reporter, on every database: what it sends, in what order, and what it makes of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from host_agent import store
from host_agent.baseline import Baseline
from host_agent.collector import Collector
from host_agent.enrolment import enrol
from host_agent.folding import Folding
from host_agent.health import Health, Snapshot
from host_agent.identity import LocalIdentity, make_state_directory, reset
from host_agent.outbox import Facts, Outbox
from host_agent.reporter import Reporter
from host_agent.settings import Settings, load
from host_agent.spool import Spool
from host_agent.store.engine import Engine
from host_agent.watch import HostWatch
from os_capability import Host, MachineIdentity
from tests.host_agent.events import event
from tests.host_agent.facts import machine

BOOT = "11111111-2222-4333-8444-555555555555"
OTHER_BOOT = "99999999-2222-4333-8444-555555555555"


class Driver:
    """A machine that only says who it is."""

    def __init__(self) -> None:
        self.machine = MachineIdentity(hostname="node-1", machine_id="a" * 32, product_uuid=None, boot_id=BOOT)

    def identify(self) -> MachineIdentity:
        return self.machine

    def collect(self) -> Host:
        raise AssertionError("a report waits for no collection")

    def refresh(self, host: Host) -> Host:
        raise AssertionError("a report waits for no collection")


class Process:
    """One process of the agent, less its schedule and its collections."""

    def __init__(self, state_path: Path, engine: Engine) -> None:
        make_state_directory(state_path)
        self.engine = engine
        self.driver = Driver()
        self.settings: Settings = load(
            environ={
                "OS_CAPABILITY_CONFIG_FILE": "/dev/null",
                "OS_CAPABILITY_DEFAULT__STATE_PATH": str(state_path),
                "OS_CAPABILITY_DEFAULT__HOST_UUID_FILE": str(state_path / "provisioned"),
            }
        ).settings
        self.identity = identity_in(state_path, self.settings)
        self.outbox = Outbox(Spool(state_path / "events.jsonl", 100))
        self.outbox.take_discovery(None)
        self.health = Health()
        self.pauses: list[float] = []
        self._sequence = 0
        self.reporter = Reporter(
            engine=engine,
            settings=self.settings,
            identity=self.identity,
            driver=self.driver,
            collector=Collector(
                watch=HostWatch(self.driver, 3600),
                baseline=Baseline(state_path / "facts.json"),
                folding=Folding(0),
                outbox=self.outbox,
                health=self.health,
                host_uuid=lambda: self.identity.uuid,
                admit=lambda host: None,
                collected=lambda: None,
            ),
            outbox=self.outbox,
            health=self.health,
            next_turn=self.pauses.append,
        )

    def turn(self, facts: Host | None = None) -> Snapshot:
        if facts is not None:
            self._sequence += 1
            self.outbox.take_facts(Facts(host=facts, sequence=self._sequence))
        self.reporter.turn()
        return self.health.snapshot()

    def codes(self) -> list[str]:
        return [str(row["code"]) for row in store.list_events(self.engine)]


def identity_in(state_path: Path, settings: Settings) -> LocalIdentity:
    return LocalIdentity(state_path, host=None, my_ip="192.0.2.1", host_uuid_file=settings.host_uuid_file)


Start = Callable[[], Process]


@pytest.fixture
def start(tmp_path: Path, engine: Engine) -> Start:
    return lambda: Process(tmp_path / "state", engine)


def test_the_heartbeat_waits_for_no_facts_and_the_facts_for_no_events(start: Start, engine: Engine) -> None:
    agent = start()
    agent.outbox.events.append([event(1), event(2)])

    first = agent.turn()
    assert (first.registered, first.host, first.host_uuid) == (True, "node-1", agent.identity.uuid)
    assert first.stored_at is None
    assert store.list_hosts(engine) == []
    assert sorted(agent.codes()) == ["host-registered", "memory-lost", "memory-lost"]
    assert first.spool_depth == 0

    second = agent.turn(machine())
    assert second.stored_at is not None
    (row,) = store.list_hosts(engine)
    assert (row["uuid"], row["sequence"]) == (agent.identity.uuid, 1)
    assert row["service_id"] == store.list_services(engine)[0]["id"]
    assert agent.outbox.waiting() is None
    assert agent.pauses == [], "regular turns keep their time"
    assert store.list_services(engine)[0]["report_count"] == 2


def test_facts_that_cannot_be_stored_do_not_make_a_host_look_dead(start: Start, engine: Engine) -> None:
    agent = start()
    agent.turn()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE compute_host RENAME TO elsewhere")

    troubles = [agent.turn(machine()).report.trouble for _ in range(16)]

    assert None not in troubles
    assert store.list_services(engine)[0]["report_count"] == 17
    assert max(agent.pauses) <= agent.settings.agent.report_interval < agent.settings.agent.retry_interval


def test_a_host_whose_rows_were_removed_registers_again_at_once(start: Start, engine: Engine) -> None:
    agent = start()
    agent.turn(machine())
    with engine.begin() as connection:
        for table in ("compute_host", "services"):
            connection.exec_driver_sql(f"DELETE FROM {table}")

    assert agent.turn(machine()).report.trouble is None
    assert [row["uuid"] for row in store.list_hosts(engine)] == [agent.identity.uuid]


def test_a_boot_before_ours_is_waited_for_and_one_that_lives_on_is_another_machine(
    start: Start, engine: Engine
) -> None:
    agent = start()
    agent.turn(machine())
    lease = store.list_services(engine)[0]
    agent.driver.machine = replace(agent.driver.machine, boot_id=OTHER_BOOT, hostname="node-2")
    second = start()
    second.driver.machine = agent.driver.machine

    for _ in range(3):
        waiting = second.turn(machine())
        assert waiting.report.trouble is not None
        assert waiting.report.trouble.startswith(f"waiting for up to 60 s until boot {BOOT} of 'node-1', ")
        assert not waiting.is_duplicate

    beat = store.heartbeat(engine, service_uuid=str(lease["uuid"]), boot_id=BOOT, down_after_seconds=60)
    assert beat is not None
    assert beat.contender is None
    proven = second.turn(machine())
    assert proven.is_duplicate
    assert proven.report.trouble is not None
    assert "host-agent identity reset" in proven.report.trouble
    assert proven.retries == {"DuplicateHost": 4}
    assert len(second.pauses) == 4

    holder = start()
    told = holder.turn()
    assert told.is_duplicate is False, "it registered, and was told nothing yet"
    told = holder.turn()
    assert (told.is_duplicate, told.report.trouble) == (True, None)


def test_a_lease_that_another_boot_took_is_registered_anew(start: Start, engine: Engine) -> None:
    agent = start()
    agent.turn(machine())
    with engine.begin() as connection:  # as after a silence of hours
        connection.exec_driver_sql(
            f"UPDATE services SET boot_id = '{OTHER_BOOT}', last_seen_up = '2020-01-01 00:00:00'"
        )

    assert agent.turn(machine()).report.trouble is None

    assert sorted(agent.codes()) == ["host-down", "host-registered", "host-up"]
    assert store.list_services(engine)[0]["boot_id"] == BOOT


def test_a_retired_host_is_refused_and_quiet(start: Start, engine: Engine) -> None:
    agent = start()
    agent.turn(machine())
    store.retire(engine, agent.identity.uuid)

    refused = [agent.turn(machine()) for _ in range(3)]

    assert [snapshot.is_retired for snapshot in refused] == [True] * 3
    assert store.list_services(engine) == []
    assert len(agent.pauses) == 3
    store.retire(engine, agent.identity.uuid, undo=True)
    assert agent.turn().is_retired is False
    assert agent.outbox.waiting() is None, "what waited was stored"


def test_the_lease_is_released_at_an_orderly_stop(start: Start, engine: Engine) -> None:
    agent = start()
    agent.reporter.release()
    agent.turn(machine())

    agent.reporter.release()

    assert store.list_services(engine)[0]["boot_id"] is None


def test_a_host_that_was_given_its_uuid_says_so_once(start: Start, tmp_path: Path, engine: Engine) -> None:
    start().turn(machine())
    made = reset(tmp_path / "state", str(tmp_path / "none"))
    agent = start()
    agent.driver.machine = replace(agent.driver.machine, hostname="node-2")
    copy = identity_in(tmp_path / "state", agent.settings)

    # Cut off after the event was stored, and before the file that says so was removed.
    enrol(engine, agent.settings, copy, agent.driver.machine)
    agent.turn(machine())

    assert agent.identity.uuid == made
    assert agent.codes().count("identity-reset") == 1


def test_an_old_event_is_told_at_the_databases_time(start: Start, engine: Engine) -> None:
    agent = start()
    agent.turn()
    agent.outbox.events.append([replace(event(1), boot_id=OTHER_BOOT)])
    agent.turn()
    (told,) = (row for row in store.list_events(engine) if row["code"] == "memory-lost")
    assert told["at"] == event(1).at


def test_a_driver_that_fails_is_trouble_and_no_end(start: Start) -> None:
    agent = start()
    agent.driver.machine = replace(agent.driver.machine, hostname=None)
    trouble = agent.turn().report.trouble
    assert trouble == "the machine does not tell its host name: set the option host"
