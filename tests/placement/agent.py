# SPDX-License-Identifier: Apache-2.0
"""The job that reports to Placement, without the daemon around it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from host_agent.capacity import capacity
from host_agent.health import Health
from host_agent.record import Identity
from host_agent.report.placement import PlacementReporter, Report
from host_agent.settings import AgentSettings, CapacitySettings, PlacementSettings, load
from host_agent.workloads.discovery import DiskSpace
from os_capability import Host
from tests.host_agent.facts import GIB, machine, uuid

__all__ = ["DISK", "AgentOfHost", "agent_settings"]

DISK = DiskSpace(total_bytes=1800 * GIB, free_bytes=900 * GIB)
# Each test has hosts of its own, so that one Placement serves all of them.
_NUMBERS = itertools.count(1)


def agent_settings() -> AgentSettings:
    return load(environ={"OS_CAPABILITY_CONFIG_FILE": "/dev/null"}).settings.agent


class _Noting(Health):
    """Keeps what each turn ended with."""

    def __init__(self, troubles: list[str | None]) -> None:
        super().__init__()
        self._troubles = troubles

    def end(self, job: str, trouble: str | None = None) -> None:
        self._troubles.append(trouble)
        super().end(job, trouble)


class AgentOfHost:
    """One process of an agent; a second one with the same `number` is the same host after a restart.

    Attributes:
        facts, capacity_settings, disk: what the next turn reports; `None`: it may not.
        troubles: what each turn ended with.
        pauses: what it asked for after turns that failed.
        seconds: the time on its clock.
    """

    def __init__(self, url: str | None, number: int | None = None, facts: Host | None = None, **settings: Any) -> None:
        self.number = next(_NUMBERS) if number is None else number
        self.uuid = uuid(self.number)
        self.name = f"node-{self.number}"
        self.facts: Host | None = replace(facts or machine(), hostname=self.name)
        self.capacity_settings = CapacitySettings()
        self.disk: DiskSpace | None = DISK
        self.troubles: list[str | None] = []
        self.pauses: list[float] = []
        self.seconds = 0.0
        self.reporter = PlacementReporter(
            settings=PlacementSettings(**{"url": url, "auth": "none", **settings}),
            agent=agent_settings(),
            current=self._current,
            health=_Noting(self.troubles),
            next_turn=self.pauses.append,
            clock=lambda: self.seconds,
        )

    def turn(self) -> str | None:
        """Take a turn, and give what troubles it."""
        before = len(self.troubles)
        self.reporter.turn()
        return self.troubles[-1] if len(self.troubles) > before else None

    def wait_an_hour(self) -> None:
        self.seconds += agent_settings().full_interval

    def change(self, **facts: Any) -> None:
        assert self.facts is not None
        self.facts = replace(self.facts, **facts)

    def _current(self) -> Report | None:
        if self.facts is None:
            return None
        return Report(
            host=self.facts,
            capacity=capacity(self.facts, self.capacity_settings, self.disk),
            identity=Identity(uuid=self.uuid, host=self.name, host_ip="192.0.2.1"),
        )
