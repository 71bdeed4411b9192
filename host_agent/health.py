# SPDX-License-Identifier: Apache-2.0
"""How the agent fares: what it did last, what troubles it, what it counted.

The jobs write it; the metrics, the state file and systemd's status line are made from `Health.snapshot`. Times are
seconds of the monotonic clock, so that a step of the wall clock makes nothing look old.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from host_agent.workloads.discovery import Discovery
from os_capability import Host

__all__ = ["COLLECT", "JOBS", "PLACEMENT", "REPORT", "SURVEY", "Health", "JobHealth", "PartHealth", "Snapshot"]

# The jobs, by the names of their fields.
COLLECT, SURVEY, REPORT, PLACEMENT = JOBS = ("collect", "survey", "report", "placement")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHealth:
    """One job.

    Attributes:
        running_since: when its present turn began; ``None`` while it rests.
        succeeded_at: when a turn last did what it was to do.
        seconds: what the last turn that ended took.
        successes, failures: turns that ended so, since the start of the agent.
        trouble: one line on why the last turn failed; ``None`` after a success and before the first.
        progressed_at: when it last began, went on to its next step, or ended; ``None`` before the first turn.
        is_stuck: whether the present turn takes longer than it may.
    """

    running_since: float | None = None
    succeeded_at: float | None = None
    seconds: float | None = None
    successes: int = 0
    failures: int = 0
    trouble: str | None = None
    is_stuck: bool = False
    progressed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHealth:
    """The reading of one part of the document: how long it took, and whether it went well."""

    seconds: float
    success: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of the agent at one moment.

    Attributes:
        now: the moment, by the clock of all the others.
        started_at: when the agent started.
        host_uuid, host: its identity; ``None`` until it has one.
        registered: whether the database has taken this host since the agent started.
        database_up: whether the database did what the last report asked, or refused it; ``None`` before the first.
        collect, survey, report, placement: the jobs.
        parts: by name, as each was read last.
        facts: the last good ones; ``None`` before the first.
        facts_at: when those were read.
        discovery: what ran here at the last survey; ``None`` before the first.
        stored_at: when facts were stored last.
        next_report_at: when the next report is due.
        retries: reports that had to be tried again since the start, by the class name of the error.
        spool_depth: events that wait.
        events_lost: events that gave way in a full spool, since the start.
        is_duplicate: whether another machine that is alive claims this host's uuid.
        is_retired: whether an operator retired this host.
    """

    now: float
    started_at: float
    host_uuid: str | None = None
    host: str | None = None
    registered: bool = False
    database_up: bool | None = None
    collect: JobHealth = JobHealth()
    survey: JobHealth = JobHealth()
    report: JobHealth = JobHealth()
    placement: JobHealth = JobHealth()
    parts: Mapping[str, PartHealth] = field(default_factory=dict)
    facts: Host | None = None
    facts_at: float | None = None
    discovery: Discovery | None = None
    stored_at: float | None = None
    next_report_at: float | None = None
    retries: Mapping[str, int] = field(default_factory=dict)
    spool_depth: int = 0
    events_lost: int = 0
    is_duplicate: bool = False
    is_retired: bool = False


class Health:
    """Holds the present `Snapshot`; any thread may change or read it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._retries: Counter[str] = Counter()
        self._state = Snapshot(now=clock(), started_at=clock())

    def snapshot(self) -> Snapshot:
        """Give everything as it is now."""
        with self._lock:
            return replace(self._state, now=self._clock(), retries=dict(self._retries))

    def now(self) -> float:
        """Give the moment, by the clock of every time here."""
        return self._clock()

    def set(self, **changes: Any) -> None:
        """Change fields of the snapshot, by their names."""
        with self._lock:
            self._state = replace(self._state, **changes)

    def retried(self, reason: str) -> None:
        """Count a report that has to be tried again."""
        with self._lock:
            self._retries[reason] += 1

    def part(self, name: str, seconds: float, success: bool) -> None:
        """Note how the reading of one part went; `os_capability.load_driver` calls it."""
        with self._lock:
            parts = {**self._state.parts, name: PartHealth(seconds=seconds, success=success)}
            self._state = replace(self._state, parts=parts)

    def begin(self, job: str) -> None:
        """Note that a job's turn begins."""
        now = self._clock()
        self._change(job, lambda known: replace(known, running_since=now, progressed_at=now, is_stuck=False))

    def progress(self, job: str) -> None:
        """Note that a job's turn goes on to its next step."""
        self._change(job, lambda known: replace(known, progressed_at=self._clock()))

    def end(self, job: str, trouble: str | None = None) -> None:
        """Note that a job's turn is over, and why it failed if it did."""
        self._change(job, lambda known: self._ended(known, trouble))

    def stuck(self, job: str) -> None:
        """Note that a job's present turn takes longer than it may."""
        self._change(job, lambda known: replace(known, is_stuck=known.running_since is not None))

    def _ended(self, known: JobHealth, trouble: str | None) -> JobHealth:
        now = self._clock()
        ended = replace(
            known,
            running_since=None,
            progressed_at=now,
            is_stuck=False,
            trouble=trouble,
            seconds=None if known.running_since is None else now - known.running_since,
        )
        if trouble is None:
            return replace(ended, succeeded_at=now, successes=known.successes + 1)
        return replace(ended, failures=known.failures + 1)

    def _change(self, job: str, change: Callable[[JobHealth], JobHealth]) -> None:
        with self._lock:
            changed: dict[str, Any] = {job: change(getattr(self._state, job))}
            self._state = replace(self._state, **changed)
