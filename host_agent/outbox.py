# SPDX-License-Identifier: Apache-2.0
"""What waits for the database: the newest facts, what runs here, which make older ones worthless, and every event."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from host_agent.spool import Spool
from host_agent.workloads.discovery import Discovery
from os_capability import Host

__all__ = ["Facts", "Outbox", "Parcel"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """One collection.

    Attributes:
        host: what the machine can give.
        sequence: microseconds from the boot to the collection.
    """

    host: Host
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parcel:
    """What the row of this host is to be made of.

    Attributes:
        facts: the newest.
        discovery: what runs here; ``None`` where no survey could find it out.
        number: counts what was put in, so that what came meanwhile is not taken for stored.
    """

    facts: Facts
    discovery: Discovery | None
    number: int


class Outbox:
    """Filled by the collector and the surveyor, emptied by the reporter, each in a thread of its own.

    Attributes:
        events: those that wait.
    """

    def __init__(self, events: Spool) -> None:
        self.events = events
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._discovery: Discovery | None = None
        self._is_surveyed = False
        self._number = self._stored = 0

    @property
    def facts(self) -> Facts | None:
        """The newest facts, stored or not; ``None`` before the first."""
        return self._facts

    @property
    def discovery(self) -> Discovery | None:
        """What ran here at the last survey that found it out, stored or not; ``None`` before that."""
        return self._discovery

    def take_facts(self, facts: Facts) -> None:
        """Let these facts wait."""
        with self._lock:
            self._facts = facts
            self._number += 1

    def take_discovery(self, discovery: Discovery | None) -> bool:
        """Keep what runs here; say whether it waits, which it does where it is otherwise than at the survey before.

        What only grew older, or moves all the time as free disk space does, goes along with the next facts.

        Args:
            discovery: ``None`` where the survey failed: what was known stands.
        """
        with self._lock:
            known = self._discovery if discovery is None else discovery
            is_news = not self._is_surveyed or _essence(known) != _essence(self._discovery)
            self._discovery, self._is_surveyed = known, True
            self._number += is_news
        return is_news

    def waiting(self) -> Parcel | None:
        """Give what waits; ``None`` where all of it is stored, and before the first facts and the first survey.

        Without the survey a restart would put NULL over disks and containers, until the slowest engine has answered.
        """
        with self._lock:
            if self._facts is None or not self._is_surveyed or self._stored == self._number:
                return None
            return Parcel(facts=self._facts, discovery=self._discovery, number=self._number)

    def stored(self, parcel: Parcel) -> None:
        """Take note that this is stored; what came meanwhile waits on."""
        with self._lock:
            self._stored = parcel.number


def _essence(discovery: Discovery | None) -> object:
    """Give what of a survey is worth a report of its own."""
    if discovery is None:
        return None
    engines = [(seen.report.engine, seen.report.status, seen.trouble is None) for seen in discovery.engines]
    return engines, discovery.workloads, discovery.complete, discovery.knows_running
