# SPDX-License-Identifier: Apache-2.0
"""Discovery: what all engines of a host run, joined; and the disks that it lies on. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from host_agent.workloads.engine import EngineReport
from host_agent.workloads.workload import Workload

__all__ = ["Discovery", "DiskSpace", "SeenEngine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """The space where workloads live, each file system counted once.

    Attributes:
        total_bytes, free_bytes: of all of it; free is what an unprivileged process could write.
        shared_storage: what names the storage where other hosts use it as well (``server:/export``, a Ceph cluster);
            ``None`` for disks of this host's own. The sum over a fleet counts each name once.
    """

    total_bytes: int
    free_bytes: int
    shared_storage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEngine:
    """The last good report of one engine, and whether it still stands.

    Attributes:
        report: the last that was given in time and answered; the newest of any kind where none ever did.
        age_seconds: how old that is; 0 for one of this look.
        trouble: why there is no newer one; ``None`` where the report is of this look.
    """

    report: EngineReport
    age_seconds: float = 0.0
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """One look at everything that runs here.

    Attributes:
        engines: each engine that is on this host, sorted by name; absent ones are left out.
        workloads: all that was found, each uuid once, sorted by uuid.
        complete: names of the engines whose every workload, stopped ones too, is among them.
        knows_running: whether everything that runs is among them: each engine that is here answered, or the control
            groups told of it.
        disk: ``None`` where it could not be measured.
        disk_overcommitted_bytes: what the found workloads' disks may still grow by.
    """

    engines: tuple[SeenEngine, ...] = ()
    workloads: tuple[Workload, ...] = ()
    complete: frozenset[str] = frozenset()
    knows_running: bool = True
    disk: DiskSpace | None = None
    disk_overcommitted_bytes: int = 0
