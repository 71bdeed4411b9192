# SPDX-License-Identifier: Apache-2.0
"""The reporting half of the daemon: it speaks with the database and never with the machine's slow parts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from host_agent import store
from host_agent.backoff import Backoff
from host_agent.baseline import host_of
from host_agent.capacity import capacity
from host_agent.collector import Collector
from host_agent.enrolment import enrol
from host_agent.errors import DuplicateHost, HostAgentError, HostRetired, LeaseLost, StoreError
from host_agent.health import REPORT, Health
from host_agent.identity import LocalIdentity
from host_agent.log import Condition, name_host
from host_agent.outbox import Outbox
from host_agent.record import Identity, compute_host
from host_agent.settings import Settings
from host_agent.store import Lease, migrate
from host_agent.store.engine import Engine
from host_agent.uptime import sequence
from os_capability import HostDriver, MachineIdentity, OsCapabilityError, __version__

__all__ = ["Reporter"]

LOG = logging.getLogger(__name__)


class Reporter:
    """Heartbeat, then facts, then events; what fails waits, and is tried again after pauses that grow."""

    def __init__(
        self,
        *,
        engine: Engine,
        settings: Settings,
        identity: LocalIdentity,
        driver: HostDriver,
        collector: Collector,
        outbox: Outbox,
        health: Health,
        next_turn: Callable[[float], None],
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            engine: the database.
            settings: all of them.
            identity: who this host is.
            driver: says what the machine calls itself.
            collector: is told what the database knows of this host, if it asks.
            outbox: what is to be reported.
            health: is told how it goes.
            next_turn: sets in how many seconds the next turn is to be.
        """
        self._engine = engine
        self._settings = settings
        self._identity = identity
        self._driver = driver
        self._collector = collector
        self._outbox = outbox
        self._health = health
        self._next_turn = next_turn
        self._backoff = Backoff(settings.agent.report_interval, settings.agent.retry_interval)
        self._storing = Condition(LOG, "reports are stored again")
        self._offering = Condition(LOG, "this machine has again all that the settings ask of it")
        self._contended = Condition(LOG, "no other machine claims this host's uuid any more")
        self._is_ready = False
        self._is_held = False
        self._machine: MachineIdentity | None = None
        self._lease: Lease | None = None
        # When this process was heard last, by the clock that nobody sets.
        self._heard_at: int | None = None
        # The boot that was found to hold our row, and when it was heard last at that time.
        self._rival: tuple[str, datetime] | None = None

    def turn(self) -> None:
        """Report all that waits."""
        self._health.begin(REPORT)
        trouble: str | None = "a fault in this program: see the log"
        try:
            failure = self._attempt()
            trouble = None if failure is None else self._in_words(failure)
        finally:
            self._pace(trouble)
            self._health.set(spool_depth=len(self._outbox.events), events_lost=self._outbox.events.lost)
            self._health.end(REPORT, trouble)
        if not isinstance(failure, OsCapabilityError):
            self._health.set(database_up=not isinstance(failure, StoreError))
        if failure is not None:
            self._health.retried(type(failure).__name__)
        self._storing.report(None if trouble is None else f"not stored: {trouble}")

    def release(self) -> None:
        """Give up the lease, so that the next boot of this host, or another machine in its place, need not wait."""
        if self._lease is None or self._health.snapshot().report.trouble is not None:
            return
        try:
            store.release(self._engine, self._lease)
        except StoreError as error:
            LOG.debug("the lease was not released: %s", error)

    def _attempt(self) -> HostAgentError | OsCapabilityError | None:
        try:
            self._is_held = False
            identity, lease = self._hold()
            self._is_held = True
            self._send_row(identity, lease)
            self._send_events(identity, lease)
        except LeaseLost as error:
            self._lease = None
            return error
        except (HostAgentError, OsCapabilityError) as error:
            # The database that comes back may be another one.
            self._is_ready = False
            return error
        return None

    def _hold(self) -> tuple[Identity, Lease]:
        """Say that this host is alive; register it where it is not registered, or not any more."""
        if not self._is_ready:
            migrate.make_ready(self._engine)
            self._is_ready = True
            self._health.progress(REPORT)
        begun = sequence()
        identity, lease = self._identity.current(), self._lease
        if identity is None or lease is None or not self._beat(lease):
            self._lease = None
            identity, lease = self._register()
        # Not when the answer came: the row has the time of its writing, and a machine may sleep in between.
        self._heard_at = begun
        self._health.progress(REPORT)
        return identity, lease

    def _beat(self, lease: Lease) -> bool:
        beat = store.heartbeat(
            self._engine,
            service_uuid=lease.service_uuid,
            boot_id=lease.boot_id,
            down_after_seconds=self._settings.agent.down_after,
        )
        if beat is None:
            return False
        self._health.set(is_duplicate=beat.contender is not None)
        self._contended.report(
            beat.contender
            and f"another machine that is alive, {beat.contender}, claims this host's uuid: if it was cloned from this "
            "one, run `host-agent identity reset` there"
        )
        return True

    def _register(self) -> tuple[Identity, Lease]:
        machine = self._driver.identify()
        try:
            identity, lease = enrol(self._engine, self._settings, self._identity, machine, self._silent_seconds())
        except DuplicateHost as error:
            self._suspect(error, machine)
            raise
        except HostRetired:
            self._health.set(is_retired=True, registered=False)
            raise
        self._machine, self._lease, self._rival = machine, lease, None
        name_host(identity.uuid)
        self._health.set(
            host_uuid=identity.uuid, host=identity.host, registered=True, is_retired=False, is_duplicate=False
        )
        LOG.info("registered as host %s, %s", identity.host, identity.uuid)
        if self._collector.asks_for_past:
            self._collector.learn(host_of(store.known_facts(self._engine, identity.uuid)))
        return identity, lease

    def _silent_seconds(self) -> float | None:
        return None if self._heard_at is None else (sequence() - self._heard_at) / 1_000_000

    def _suspect(self, error: DuplicateHost, machine: MachineIdentity) -> None:
        """Tell another machine from this one before its reboot: only the former is heard of again meanwhile."""
        rival, self._rival = self._rival, (error.other_boot_id, error.last_seen_up)
        is_alive = rival is not None and rival[0] == error.other_boot_id and rival[1] < error.last_seen_up
        if not is_alive and not self._health.snapshot().is_duplicate:
            return
        self._health.set(is_duplicate=True, registered=False)
        store.contend(
            self._engine,
            service_uuid=store.service_uuid(error.uuid, self._settings.agent.binary),
            boot_id=machine.boot_id,
            host=machine.hostname or "a machine without a name",
        )

    def _send_row(self, identity: Identity, lease: Lease) -> None:
        parcel = self._outbox.waiting()
        if parcel is None:
            return
        facts, discovery = parcel.facts, parcel.discovery
        offered = capacity(facts.host, self._settings.capacity, None if discovery is None else discovery.disk)
        self._offering.report("; ".join(offered.warnings) or None)
        record = compute_host(facts.host, identity, __version__, facts.sequence, offered, discovery)
        store.upsert(self._engine, record, lease, discovery)
        self._outbox.stored(parcel)
        self._health.progress(REPORT)
        self._health.set(stored_at=self._health.now())

    def _send_events(self, identity: Identity, lease: Lease) -> None:
        limits = self._settings.events
        while events := self._outbox.events.waiting():
            store.add_events(
                self._engine,
                identity.uuid,
                identity.host,
                events,
                boot_id=lease.boot_id,
                sequence=sequence(),
                max_age_days=limits.max_age_days,
                max_per_host=limits.max_per_host,
            )
            self._outbox.events.remove([event.uuid for event in events])
            self._health.progress(REPORT)

    def _in_words(self, failure: Exception) -> str:
        if isinstance(failure, DuplicateHost) and not self._health.snapshot().is_duplicate:
            return (
                f"waiting for up to {self._settings.agent.down_after} s until boot {failure.other_boot_id} of "
                f"{failure.other_host!r}, which reported last as host {failure.uuid}, counts as down: it ended without "
                "saying so, or another machine has the same uuid"
            )
        return str(failure)

    def _pace(self, trouble: str | None) -> None:
        seconds: float = self._settings.agent.report_interval
        if trouble is None:
            self._backoff.succeeded()
        else:
            seconds = self._backoff.failed()
            if self._is_held:
                # What else failed must not make a host look dead that is alive.
                seconds = min(seconds, self._settings.agent.report_interval)
            if self._health.snapshot().is_duplicate:
                # Seldom enough to be no burden, often enough that the holder goes on hearing of it.
                seconds = min(seconds, self._settings.agent.down_after / 2)
            self._next_turn(seconds)
        self._health.set(next_report_at=self._health.now() + seconds)
