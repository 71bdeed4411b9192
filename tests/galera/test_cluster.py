# SPDX-License-Identifier: Apache-2.0
"""Writers on every node of a cluster, and a node that is killed under them: nothing is lost, nothing comes twice."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone

import pytest
from sqlalchemy import text

from host_agent import store
from host_agent.errors import LeaseLost, StoreBusy, StoreConnectionLost, StoreError
from host_agent.event import Event
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.transaction import transaction
from tests.galera.cluster import Cluster, Node
from tests.host_agent.facts import record
from tests.host_agent.servers import joined_url
from tests.host_agent.store.fleet import BOOT, DOWN_AFTER, claim

Open = Callable[..., Engine]

HOSTS = 18
WRITERS = 6


def urls(cluster: Cluster) -> list[str]:
    """Give urls that all name the three nodes, each beginning with another one."""
    return [joined_url(*cluster.nodes[turn:], *cluster.nodes[:turn]) for turn in range(3)]


def pointing(cluster: Cluster, opened: Open, count: int) -> list[Engine]:
    return [opened(urls(cluster)[number % 3], connect_timeout_seconds=3) for number in range(count)]


def test_the_schema_is_upgraded_once_however_many_nodes_are_told_to(empty_cluster: Cluster, opened: Open) -> None:
    command = [sys.executable, "-m", "host_agent", "db", "upgrade", "--database-url"]
    upgrades = [
        subprocess.Popen([*command, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for url in urls(empty_cluster) * 2
    ]
    said = [(upgrade.communicate(timeout=60)[0], upgrade.returncode) for upgrade in upgrades]
    assert [text for text, status in said if status] == []
    for engine in pointing(empty_cluster, opened, 3):
        assert migrate.check(engine) == []
    assert empty_cluster.answer("SELECT version_num FROM fleet.alembic_version") == [(migrate.head(),)]


@dataclass
class Reporter:
    """One host's agent: what fails is done again until it is acknowledged, as the daemon does."""

    number: int
    engine: Engine
    sequence: int = 0
    events: list[str] = field(default_factory=list)
    lease: store.Lease | None = None

    def turn(self) -> None:
        self.sequence += 1
        event = Event(
            code="cpu-changed",
            message=f"turn {self.sequence}",
            detail={},
            at=datetime.now(timezone.utc),
            boot_id=BOOT,
            sequence=self.sequence,
        )
        self.events.append(event.uuid)
        self._until_done(self._beat)
        self._until_done(self._facts)
        self._until_done(lambda: self._tell(event))

    def _until_done(self, work: Callable[[], None]) -> None:
        while True:
            try:
                return work()
            except LeaseLost:
                self.lease = None
                self._until_done(self._beat)
            except StoreError:
                time.sleep(random.uniform(0, 0.2))

    def _beat(self) -> None:
        beat = self.lease and store.heartbeat(
            self.engine, service_uuid=self.lease.service_uuid, boot_id=BOOT, down_after_seconds=DOWN_AFTER
        )
        self.lease = beat.lease if beat else store.register(self.engine, claim(self.number)).lease

    def _facts(self) -> None:
        facts = record(self.number, boot_id=BOOT, sequence=self.sequence, running_containers=self.sequence)
        store.upsert(self.engine, facts, self.lease)

    def _tell(self, event: Event) -> None:
        facts = record(self.number)
        store.add_events(
            self.engine,
            facts.uuid,
            facts.host,
            [event],
            boot_id=BOOT,
            sequence=self.sequence,
            max_age_days=90,
            max_per_host=100_000,
        )


def test_nothing_is_lost_and_nothing_comes_twice_while_a_node_is_killed(cluster: Cluster, opened: Open) -> None:
    own = pointing(cluster, opened, HOSTS)
    reporters = [Reporter(number, own[number - 1]) for number in range(1, HOSTS + 1)]
    end = threading.Event()

    def report(turn: int) -> None:
        while not end.is_set():
            for reporter in reporters[turn::WRITERS]:
                reporter.turn()

    with ThreadPoolExecutor(WRITERS) as pool:
        running = [pool.submit(report, turn) for turn in range(WRITERS)]
        try:
            wait_for_turns(reporters, 4)
            assert int(cluster.nodes[2].status("wsrep_replicated")) > HOSTS, "nobody wrote there"
            cluster.nodes[2].kill()
            wait_for_turns(reporters, 4)
            cluster.nodes[2].rejoin()
            wait_for_turns(reporters, 4)
        finally:
            end.set()
        for one in running:
            one.result()
    verify(cluster, reporters)


def wait_for_turns(reporters: list[Reporter], turns: int) -> None:
    wanted = [reporter.sequence + turns for reporter in reporters]
    deadline = time.monotonic() + 120
    while any(reporter.sequence < least for reporter, least in zip(reporters, wanted, strict=True)):
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.05)


def verify(cluster: Cluster, reporters: list[Reporter]) -> None:
    expected = [(record(one.number).uuid, one.sequence, one.sequence) for one in reporters]
    hosts = cluster.answer("SELECT uuid, sequence, running_containers FROM fleet.compute_host ORDER BY uuid")
    assert hosts == sorted(expected)
    assert cluster.answer("SELECT COUNT(*), COUNT(DISTINCT uuid) FROM fleet.services") == [(HOSTS, HOSTS)]
    told = cluster.answer("SELECT uuid FROM fleet.events WHERE code = 'cpu-changed' ORDER BY uuid")
    assert told == [(uuid,) for uuid in sorted(uuid for one in reporters for uuid in one.events)]
    registered = cluster.answer("SELECT COUNT(*) FROM fleet.events WHERE code = 'host-registered'")
    assert registered == [(HOSTS,)]


def test_writers_of_one_row_on_all_nodes_lose_no_update(cluster: Cluster, opened: Open) -> None:
    """Deadlocks at COMMIT, the everyday of a cluster: the retry goes round the whole transaction."""
    store.upsert(pointing(cluster, opened, 1)[0], record(9_999))
    conflicts: list[str] = []

    def add_one(engine: Engine) -> None:
        while True:
            try:
                with transaction(engine) as connection:
                    query = "UPDATE compute_host SET mapped = COALESCE(mapped, 0) + 1 WHERE uuid = :uuid"
                    connection.execute(text(query), {"uuid": record(9_999).uuid})
                return
            except (StoreBusy, StoreConnectionLost) as error:
                conflicts.append(error.reason)
                time.sleep(random.uniform(0, 0.05))

    def add(engine: Engine) -> None:
        for _ in range(30):
            add_one(engine)

    writers = pointing(cluster, opened, WRITERS)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(add, writers))
    query = f"SELECT mapped FROM fleet.compute_host WHERE uuid = '{record(9_999).uuid}'"
    assert cluster.answer(query) == [(30 * WRITERS,)]
    assert any("1213" in reason for reason in conflicts), "the writers never met"


def test_a_node_that_is_cut_off_is_passed_over(
    cluster: Cluster, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """It is there, answers every question about itself, and has 1047 for everything else."""
    node, alone, (engine, *_) = cluster.nodes[0], opened(cluster.nodes[0].url), pointing(cluster, opened, 1)
    store.upsert(engine, record(8_888, sequence=1))
    try:
        with pytest.raises(StoreBusy, match="1180"):
            write_while_it_is_isolated(alone, node)
        node.cut_off()
        store.upsert(engine, record(8_888, sequence=2))
        with pytest.raises(StoreBusy, match="1047"):
            store.list_hosts(alone)
    finally:
        node.let_in()
    query = f"SELECT sequence, running_containers FROM fleet.compute_host WHERE uuid = '{record(8_888).uuid}'"
    assert cluster.answer(query) == [(2, None)]
    assert caplog.records == []


def write_while_it_is_isolated(engine: Engine, node: Node) -> None:
    with transaction(engine) as connection:
        connection.execute(text("UPDATE compute_host SET running_containers = 9"))
        node.isolate()
