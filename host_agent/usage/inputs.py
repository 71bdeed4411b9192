# SPDX-License-Identifier: Apache-2.0
"""What the usage of a host is made of: what is recorded, what is on its way, what was found. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from host_agent.workloads.discovery import Discovery
from host_agent.workloads.engine import ANSWERED, CONTROL_GROUPS
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, Workload

__all__ = ["FINISHED", "RELEASED", "FoundWorkloads", "Migration", "RecordedWorkload"]

# All that a migration ends in. Everything else is in progress, `accepted` too.
FINISHED = frozenset({"confirmed", "reverted", "error", "failed", "completed", "cancelled", "done"})
# States of a recorded workload that holds nothing. In every other it may be started again, and holds what it has.
RELEASED = frozenset({"deleted", "shelved_offloaded"})

# In these states an engine lists a workload. An orchestrator's other words stand for what is not there yet, or no more.
_LISTED = frozenset({RUNNING, PAUSED, STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWorkload:
    """What an orchestrator says of a workload.

    Attributes:
        workload: what it says; its engine may be ``""``, which is not known.
        host: as in ``compute_host.host``; ``None``: it has no host.
        missing_since: since when a complete list of what runs there lacks it.
    """

    workload: Workload
    host: str | None
    missing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A workload on its way from one host to another, or to another size on the same one.

    Attributes:
        workload_uuid: of the workload, which need not be recorded.
        source_host, dest_host: as in ``compute_host.host``; ``None`` is not known.
        status: as Nova spells it; see `FINISHED`.
        migration_type: ``live-migration``, ``evacuation``, ``resize`` ...
        vcpus, memory_bytes, disk_bytes: what it takes; ``None``: as much as the workload has.
    """

    uuid: str
    workload_uuid: str
    source_host: str | None
    dest_host: str | None
    status: str
    migration_type: str | None = None
    vcpus: float | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it takes nothing any more."""
        return self.status.lower() in FINISHED

    @property
    def is_on_one_host(self) -> bool:
        """Whether only the workload's size changes."""
        return self.source_host == self.dest_host


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWorkloads:
    """What an agent found on its host.

    Attributes:
        complete: names of the engines whose every workload is among them, stopped ones too.
        partial: names of the other engines of the host.
        nameless: names of the engines that told nothing themselves: control groups know their containers by ids alone.
        knows_running: whether everything that runs is among them.
    """

    workloads: tuple[Workload, ...] = ()
    complete: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    nameless: frozenset[str] = frozenset()
    knows_running: bool = False

    @classmethod
    def of(cls, discovery: Discovery) -> FoundWorkloads:
        """Give what matters of a discovery."""
        asked = {seen.report.engine for seen in discovery.engines}
        told = {seen.report.engine for seen in discovery.engines if seen.report.status == ANSWERED}
        told_of = {workload.engine for workload in discovery.workloads}
        return cls(
            workloads=discovery.workloads,
            complete=discovery.complete,
            partial=frozenset((asked | told_of) - discovery.complete - {CONTROL_GROUPS}),
            nameless=frozenset(told_of - told),
            knows_running=discovery.knows_running,
        )

    def would_list(self, workload: Workload) -> bool:
        """Tell whether `workload` would be among them if it were on the host.

        Of one whose engine is not known, that is so only where no engine kept anything back. One whose engine is not on
        the host does not run there, if all that runs is known.
        """
        if workload.state not in _LISTED:
            return False
        if workload.engine in self.complete or (self.complete and not self.partial):
            return True
        kept_back = workload.engine in self.partial if workload.engine else bool(self.partial)
        return self.knows_running and workload.state != STOPPED and not kept_back
