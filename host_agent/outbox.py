# SPDX-License-Identifier: Apache-2.0
"""What waits for the database: the newest facts, which make older ones worthless, and every event."""

from __future__ import annotations

from dataclasses import dataclass

from host_agent.spool import Spool
from os_capability import Host

__all__ = ["Facts", "Outbox"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """One collection.

    Attributes:
        host: what the machine can give.
        sequence: microseconds from the boot to the collection.
    """

    host: Host
    sequence: int


class Outbox:
    """Filled by the collector, emptied by the reporter, each in a thread of its own.

    Attributes:
        facts: the newest; ``None`` before the first, and once they are stored.
        events: those that wait.
    """

    def __init__(self, events: Spool) -> None:
        self.facts: Facts | None = None
        self.events = events

    def stored(self, facts: Facts) -> None:
        """Take note that these facts are stored; newer ones, if there are any by now, stay."""
        if self.facts is facts:
            self.facts = None
