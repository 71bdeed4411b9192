# SPDX-License-Identifier: Apache-2.0
"""Notices, from outside of the schedule, that a job hangs; and tells systemd that none does for too long."""

from __future__ import annotations

import logging

from host_agent.health import COLLECT, JOBS, PLACEMENT, REPORT, SURVEY, Health
from host_agent.log import Condition
from host_agent.notify import Notifier

__all__ = ["StallDetector", "Watchdog"]

LOG = logging.getLogger(__name__)

_MEANING = {
    COLLECT: "lscpu, a disk or the kernel hangs; heartbeats go on, the facts grow old",
    SURVEY: "no engine tells what it runs; what they told last stands, and grows old",
    REPORT: "the database does not answer; the machine is read all the same",
    PLACEMENT: "Placement does not answer; the database is told all the same",
}
# Longer than any one step of a report can take: each ends by time limits of its own, on connecting, on locks, on
# statements, and is tried again for a few seconds only. What takes longer hangs for ever.
_LONGEST_STEP_SECONDS = 600


class StallDetector:
    """Says once that a job hangs, and once that it returned."""

    def __init__(self, health: Health, stall_after_seconds: float) -> None:
        self._health = health
        self._stall_after = stall_after_seconds
        self._stuck = {job: Condition(LOG, f"the {job} job returned") for job in JOBS}

    def look(self) -> bool:
        """Look at every job, and tell whether one hangs that did not, or the other way round."""
        snapshot = self._health.snapshot()
        is_otherwise = False
        for name, condition in self._stuck.items():
            job = getattr(snapshot, name)
            since = job.running_since
            hangs = since is not None and snapshot.now - since > self._stall_after
            is_otherwise |= hangs != (condition.trouble is not None)
            if hangs:
                self._health.stuck(name)
            meaning = f"the {name} job has not returned for {self._stall_after:g} s: {_MEANING[name]}"
            condition.report(meaning if hangs else None)
        return is_otherwise


class Watchdog:
    """Feeds systemd's watchdog while both threads that keep the daemon going do so, and reports get on.

    A database that is down is no reason to be killed: tries that fail are progress.
    """

    def __init__(self, notifier: Notifier, health: Health, longest_pause_seconds: float) -> None:
        """Prepare.

        Args:
            notifier: the way to systemd.
            health: says how the reports get on.
            longest_pause_seconds: for how long no report may be under way.
        """
        self._notifier = notifier
        self._health = health
        self._limit = _LONGEST_STEP_SECONDS + longest_pause_seconds
        self._looked_at = health.now()

    def main_thread_lives(self) -> None:
        """Take note of a turn of the main thread."""
        self._looked_at = self._health.now()

    def turn(self) -> None:
        """Feed it, called by the schedule, unless something stands still."""
        snapshot = self._health.snapshot()
        patience = self._notifier.watchdog_seconds or 0.0
        progressed = snapshot.report.progressed_at or snapshot.started_at
        if snapshot.now - self._looked_at < patience and snapshot.now - progressed < self._limit:
            self._notifier.alive()
