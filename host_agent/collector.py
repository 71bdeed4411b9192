# SPDX-License-Identifier: Apache-2.0
"""The collecting half of the daemon: it looks at the machine and never at the database."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence

from host_agent.baseline import Baseline
from host_agent.errors import ConfigError
from host_agent.event import Event
from host_agent.folding import Folding
from host_agent.health import COLLECT, Health
from host_agent.log import Condition
from host_agent.outbox import Facts, Outbox
from host_agent.uptime import sequence
from host_agent.watch import HostWatch
from os_capability import Host, OsCapabilityError
from os_capability.insight.diff import Change, diff
from os_capability.model import HostWarning

__all__ = ["Collector"]

LOG = logging.getLogger(__name__)

# What binds the asking process, and what the reader thinks of its sources, is no news of the machine.
_NO_NEWS = frozenset(
    {
        "affinity-changed",
        "cgroup-version-changed",
        "cpu-limit-changed",
        "cpu-quota-changed",
        "memory-limit-changed",
        "warning-cleared",
        "warning-raised",
    }
)


class Collector:
    """Keeps the newest facts and the events of what changed in the outbox; each turn may follow whatever happened."""

    def __init__(
        self,
        *,
        watch: HostWatch,
        baseline: Baseline,
        folding: Folding,
        outbox: Outbox,
        health: Health,
        host_uuid: Callable[[], str],
        admit: Callable[[Host], None],
        collected: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare, and pass on what the process before had kept back.

        Args:
            watch: looks at the machine.
            baseline: what it looked like last.
            folding: keeps back what flaps.
            outbox: takes what the database is to have.
            health: is told how it goes.
            host_uuid: gives this host's uuid, by which its events are told from those of its clones.
            admit: called with the first facts; raises `ConfigError` where the settings ask for what is not there.
            collected: called after each collection that went well.
            clock: seconds that never go back, for the folding.
        """
        self._watch = watch
        self._baseline = baseline
        self._folding = folding
        self._outbox = outbox
        self._health = health
        self._host_uuid = host_uuid
        self._admit: Callable[[Host], None] | None = admit
        self._collected = collected
        self._clock = clock
        self._machine = Condition(LOG, "the machine can be read again")
        self._warnings: frozenset[HostWarning] = frozenset()
        self._lock = threading.Lock()
        # The first facts of a process that found no baseline; what the database knows of this host comes before them.
        self._first: Facts | None = None
        self._knows_past = baseline.host is not None
        outbox.events.append(baseline.kept_back)
        # Why this process must end: what it was told to do cannot be done on this machine.
        self.refusal: ConfigError | None = None

    @property
    def asks_for_past(self) -> bool:
        """Whether the local copy of the last known facts was lost, so that those in the database are wanted."""
        return not self._knows_past

    def turn(self) -> None:
        """Look at the machine; a look that fails leaves everything as it is."""
        self._health.begin(COLLECT)
        facts, trouble = None, "a fault in this program: see the log"
        try:
            number = sequence()  # the facts are no older than that
            facts, trouble = Facts(host=self._watch.look(), sequence=number), ""
        except OsCapabilityError as error:
            trouble = f"cannot read this machine: {error}"
        finally:
            self._health.end(COLLECT, trouble or None)
        self._machine.report(trouble or None)
        if facts is not None and not self._is_admitted(facts.host):
            return
        if facts is None:
            with self._lock:
                self._tell([])
            return
        self._take(facts)
        self._collected()

    def _is_admitted(self, host: Host) -> bool:
        """Say whether the settings suit this machine. Asked once: what goes offline later is no fault of theirs."""
        if self._admit is not None:
            try:
                self._admit(host)
            except ConfigError as error:
                self.refusal = error
                return False
            self._admit = None
        return True

    def learn(self, past: Host | None) -> None:
        """Take what the database knows of this host, from before this process, for what it looked like last."""
        with self._lock:
            self._knows_past = True
            if past is not None and self._first is not None:
                self._tell(self._changes(past, self._first))
            elif past is not None:
                self._baseline.keep(past, [])
            self._first = None

    def _take(self, facts: Facts) -> None:
        self._mention(facts.host.warnings)
        self._health.set(facts=facts.host, facts_at=self._health.now())
        with self._lock:
            known = self._baseline.host
            if not self._knows_past and self._first is None:
                self._first = facts
            events = [] if known is None else self._changes(known, facts)
            # Now and then without a change as well: what could not be read before may be known by now.
            self._tell(events, facts.host if events or known is None or self._watch.was_full else None)
            self._outbox.take_facts(facts)

    def _tell(self, events: Sequence[Event], host: Host | None = None) -> None:
        """Put into the outbox what is to be told now, and then write down what has been told."""
        told = self._folding.pass_on(events, self._clock())
        self._outbox.events.append(told)
        host = host or self._baseline.host
        # In this order: a kill between the two makes the same events again, by the same uuids.
        if host is not None and (events or told or host is not self._baseline.host):
            self._baseline.keep(host, self._folding.kept_back())

    def _changes(self, known: Host, facts: Facts) -> list[Event]:
        return [
            Event(
                uuid=self._event_uuid(known, change),
                code=change.code,
                message=change.message,
                detail=change.detail,
                at=facts.host.collected_at,
                boot_id=facts.host.boot_id,
                sequence=facts.sequence,
            )
            for change in diff(known, facts.host)
            if change.code not in _NO_NEWS
        ]

    def _event_uuid(self, known: Host, change: Change) -> str:
        """Give the uuid of "this is otherwise than it was known to be then", the same however often it is found."""
        name = f"{known.collected_at.isoformat()} {change.code} {change.message}"
        return str(uuid.uuid5(uuid.UUID(self._host_uuid()), name))

    def _mention(self, warnings: Iterable[HostWarning]) -> None:
        """Log each warning about the facts when it comes up, and not again while it lasts."""
        for warning in warnings:
            if warning not in self._warnings:
                LOG.warning("%s: %s", warning.code, warning.message)
        self._warnings = frozenset(warnings)
