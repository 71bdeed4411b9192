# SPDX-License-Identifier: Apache-2.0
"""The job that keeps Placement to what this host is: no request while nothing changes, one where something did."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from host_agent.backoff import Backoff
from host_agent.capacity import Capacity
from host_agent.health import PLACEMENT, Health
from host_agent.log import Condition
from host_agent.record import Identity
from host_agent.report.placement.client import PlacementClient
from host_agent.report.placement.errors import PlacementConflict, PlacementError
from host_agent.report.placement.inventory import host_amounts
from host_agent.report.placement.provider import Provider
from host_agent.report.placement.publication import Publication
from host_agent.report.placement.session import PlacementSession
from host_agent.report.placement.tree import host_tree
from host_agent.settings import AgentSettings, PlacementSettings
from os_capability import Host

__all__ = ["PlacementReporter", "Report"]

LOG = logging.getLogger(__name__)

# A scheduler that places on this host changes its generation; to lose to it so often in a row is no chance.
_TRIES = 5
_LONGEST_PAUSE_SECONDS = 0.2
# Of `full_interval`: how soon at the earliest it is looked at again what Placement has.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What Placement is to know of this host.

    Attributes:
        host: the facts.
        capacity: what of it workloads may use.
        identity: who it is.
    """

    host: Host
    capacity: Capacity
    identity: Identity


class PlacementReporter:
    """Brings Placement to what this host is, at each turn; what fails is tried again after pauses that grow."""

    def __init__(
        self,
        *,
        settings: PlacementSettings,
        agent: AgentSettings,
        current: Callable[[], Report | None],
        health: Health,
        next_turn: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is sent, and keystoneauth is not loaded yet.

        Args:
            settings: where Placement is, and what it is to be told.
            agent: how often everything is looked at again, and how long the pauses between failures grow.
            current: gives what to report; ``None`` while nothing may be: no facts yet, not registered, or retired.
            health: is told how it goes.
            next_turn: sets in how many seconds the next turn is to be.
            clock: seconds that never go back.
        """
        self._settings = settings
        self._agent = agent
        self._current = current
        self._health = health
        self._next_turn = next_turn
        self._clock = clock
        self._session = PlacementSession(settings)
        self._publication = Publication(PlacementClient(self._session))
        self._backoff = Backoff(agent.report_interval, agent.retry_interval)
        self._reporting = Condition(LOG, "Placement has what this host is again")
        self._is_known = False
        self._stuck = Condition(LOG, "Placement has nothing any more that is gone from this host")
        # What Placement was brought to, and when that is to be looked at again.
        self._written: Sequence[Provider] | None = None
        self._look_at = 0.0

    def turn(self) -> None:
        """Report what changed, and now and then look whether another program changed it in Placement."""
        report = self._current()
        if report is None:
            return
        self._health.begin(PLACEMENT)
        trouble: str | None = "a fault in this program: see the log"
        try:
            trouble = self._attempt(report)
        except Exception:
            LOG.exception("Placement was not brought to what this host is")
        finally:
            self._health.end(PLACEMENT, trouble)
        if trouble is None:
            self._backoff.succeeded()
            self._mention(report.identity.uuid)
            self._stuck.report("; ".join(self._publication.stuck) or None)
        else:
            self._written = None
            self._publication.forget()
            self._next_turn(self._backoff.failed())
        self._reporting.report(trouble and f"not reported to Placement: {trouble}")

    def _mention(self, uuid: str) -> None:
        if not self._is_known:
            self._is_known = True
            LOG.info("this host is resource provider %s in Placement at %s", uuid, self._session.url)

    def _attempt(self, report: Report) -> str | None:
        """Give one line on why it failed, or ``None``."""
        wanted = host_tree(
            report.host,
            host_amounts(report.host, report.capacity, self._settings.pci_classes or {}),
            host_uuid=report.identity.uuid,
            name=report.host.hostname or report.identity.host,
            numa_nodes=self._settings.numa_nodes,
        )
        try:
            self._bring_to(wanted)
        except PlacementError as error:
            return str(error)
        return None

    def _bring_to(self, wanted: Sequence[Provider]) -> None:
        if wanted == self._written:
            if self._clock() < self._look_at:
                return
            if not self._publication.is_untouched(wanted[0].uuid):
                self._publication.read_again()
                self._written = None
        if wanted != self._written:
            self._write(wanted)
            self._written = wanted
        # Drawn, so that a fleet which was started at once does not come back all at once for ever.
        share = random.uniform(_LEAST_SHARE, 1)  # noqa: S311 - spreads load
        self._look_at = self._clock() + self._agent.full_interval * share

    def _write(self, wanted: Sequence[Provider]) -> None:
        for _ in range(_TRIES - 1):
            try:
                self._publication.write(wanted)
            except PlacementConflict as error:
                LOG.debug("once more: %s", error)
                self._publication.read_again()
                self._health.progress(PLACEMENT)
                # Two that lose to each other must not do so in step.
                time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - spreads load
            else:
                return
        self._publication.write(wanted)
