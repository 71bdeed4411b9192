# SPDX-License-Identifier: Apache-2.0
"""The surveying job of the daemon: it asks the engines what runs here, and waits for none that hangs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from host_agent.health import SURVEY, Health
from host_agent.log import Condition
from host_agent.outbox import Outbox
from host_agent.workloads.discovery import Discovery

__all__ = ["Surveyor"]

LOG = logging.getLogger(__name__)


class _Survey(Protocol):
    def look(self) -> Discovery:
        """Ask every engine, within a time limit."""


class Surveyor:
    """Keeps the newest discovery in the outbox; what an engine does not tell any more stands, with its age."""

    def __init__(self, *, survey: _Survey, outbox: Outbox, health: Health, changed: Callable[[], None]) -> None:
        """Prepare.

        Args:
            survey: asks the engines.
            outbox: takes what the database is to have.
            health: is told how it goes.
            changed: called after each survey that found something else than the one before.
        """
        self._survey = survey
        self._outbox = outbox
        self._health = health
        self._changed = changed
        self._engines: dict[str, Condition] = {}

    def turn(self) -> None:
        """Ask once."""
        self._health.begin(SURVEY)
        discovery, trouble = None, "a fault in this program: see the log"
        try:
            discovery, trouble = self._survey.look(), ""
        finally:
            self._health.end(SURVEY, trouble or None)
            if self._outbox.take_discovery(discovery):
                self._changed()
        self._mention(discovery)
        self._health.set(discovery=discovery)

    def _mention(self, discovery: Discovery) -> None:
        """Log what cannot be asked when that begins and when it ends, and not at each turn."""
        troubles = {seen.report.engine: seen.trouble for seen in discovery.engines}
        for name in troubles:
            self._engines.setdefault(name, Condition(LOG, f"{name} tells again what it runs"))
        for name, condition in self._engines.items():
            trouble = troubles.get(name)
            condition.report(trouble and f"what {name} runs is not known at present: {trouble}")
