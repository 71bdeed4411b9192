# SPDX-License-Identifier: Apache-2.0
"""Publishes how the agent fares: the state file, the metrics' file, systemd's status line."""

from __future__ import annotations

from host_agent.health import JOBS, Health, Snapshot
from host_agent.metrics import Metrics
from host_agent.notify import Notifier
from host_agent.status import StateFile

__all__ = ["Publisher", "status_line"]


class Publisher:
    """One more job of the schedule, so that neither of the others can hold it up."""

    def __init__(
        self, *, health: Health, state_file: StateFile, metrics: Metrics, notifier: Notifier, database: str
    ) -> None:
        """Prepare.

        Args:
            health: what is told.
            state_file: for ``host-agent status``.
            metrics: for Prometheus.
            notifier: for systemd.
            database: its url, as people may see it.
        """
        self._health = health
        self._state_file = state_file
        self._metrics = metrics
        self._notifier = notifier
        self._database = database
        self._status = ""

    def turn(self) -> None:
        """Publish it as it is now."""
        snapshot = self._health.snapshot()
        self._state_file.write(snapshot, self._database)
        self._metrics.write()
        line = status_line(snapshot)
        if line != self._status:
            self._status = line
            self._notifier.status(line)


def status_line(snapshot: Snapshot) -> str:
    """Give the line that ``systemctl status`` shows."""
    troubles = [
        f"the {name} job hangs" if job.is_stuck else job.trouble
        for name, job in ((name, getattr(snapshot, name)) for name in JOBS)
        if job.is_stuck or job.trouble
    ]
    if snapshot.is_duplicate and snapshot.report.trouble is None:
        troubles.append("another machine claims this host's uuid")
    if troubles:
        return "; ".join(map(str, troubles))
    return "starting" if snapshot.stored_at is None else "the row of this host is up to date"
