# SPDX-License-Identifier: Apache-2.0
"""The survey: every engine of this host asked at once, and none of them waited for too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from host_agent.workloads.asking import Answer, Asking
from host_agent.workloads.discovery import Discovery, DiskSpace, SeenEngine
from host_agent.workloads.engine import ABSENT, ANSWERED, CONTROL_GROUPS, UNREADABLE, Engine, EngineReport
from host_agent.workloads.workload import Workload

__all__ = ["Survey"]


class Survey:
    """Looks at everything that runs here, again and again; what an engine told last stands until it tells again.

    One caller at a time. An engine that hangs costs one thread, and one look that waits for it.
    """

    def __init__(
        self,
        engines: Iterable[Engine],
        *,
        disk: Callable[[Sequence[str]], DiskSpace | None] | None = None,
        disk_paths: Sequence[str] = (),
        time_limit_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            engines: that may be on this host, the control groups among them.
            disk: measures the space that folders lie on; ``None``: nobody does.
            disk_paths: folders where workloads live, the most important one first; the engines' own follow them.
            time_limit_seconds: for each engine, all of which are asked at once; and for the disk after them.
            clock: seconds that never go back, for the ages.
        """
        self._engines = [_Watched(engine, clock) for engine in sorted(engines, key=lambda engine: engine.name)]
        self._measure = disk
        self._disk_paths = tuple(disk_paths)
        self._measuring: Asking[DiskSpace | None] = Asking("disk", clock)
        self._disk: DiskSpace | None = None
        self._limit = time_limit_seconds
        self._clock = clock

    def look(self) -> Discovery:
        """Ask every engine; what goes wrong is in the answer, never raised."""
        started_at = time.monotonic()
        for watched in self._engines:
            watched.start()
        for watched in self._engines:
            watched.wait(started_at, self._limit)
        now = self._clock()
        seen = tuple(watched.seen(now) for watched in self._engines if watched.is_present)
        silent = {one.report.engine for one in seen if one.trouble is not None}
        groups_answered = any(one.report.engine == CONTROL_GROUPS and one.trouble is None for one in seen)
        return Discovery(
            engines=seen,
            workloads=_joined(seen),
            complete=frozenset(one.report.engine for one in seen if one.trouble is None and one.report.lists_stopped),
            knows_running=bool(self._engines) and (groups_answered or not silent - {CONTROL_GROUPS}),
            disk=self._space([one.report.root_directory for one in seen]),
            disk_overcommitted_bytes=sum(one.report.disk_overcommitted_bytes for one in seen),
        )

    def _space(self, engines_paths: Iterable[str | None]) -> DiskSpace | None:
        """Measure the disk, or give what was measured last."""
        measure = self._measure
        if measure is None:
            return None
        paths = tuple(dict.fromkeys((*self._disk_paths, *filter(None, engines_paths))))
        self._measuring.start(lambda: measure(paths))
        self._measuring.wait(time.monotonic(), self._limit)
        measured = self._measuring.take()
        if measured is not None and not measured.failed:
            self._disk = measured.value
        return self._disk


class _Watched:
    """An engine, and what it told last.

    Attributes:
        is_present: whether it is on this host, as far as is known.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self.is_present = True
        self._engine = engine
        self._asking: Asking[EngineReport] = Asking(engine.name, clock)
        self._good: EngineReport | None = None
        self._good_at = 0.0
        self._trouble: str | None = None

    def start(self) -> None:
        """Ask it, unless it has not returned since it was asked before."""
        late = self._asking.take()
        if late is not None:
            self._keep(late)
        self._asking.start(self._engine.look)

    def wait(self, started_at: float, limit_seconds: float) -> None:
        """Wait for its answer, and keep it."""
        self._asking.wait(started_at, limit_seconds)
        answer = self._asking.take()
        if answer is not None:
            self._keep(answer)
        else:
            self.is_present = True
            self._trouble = f"no answer within {limit_seconds:g} s"

    def seen(self, now: float) -> SeenEngine:
        """Give its last good report with the age of that; where there never was one, the trouble."""
        if self._good is not None:
            age = 0.0 if self._trouble is None else max(0.0, now - self._good_at)
            return SeenEngine(report=self._good, age_seconds=age, trouble=self._trouble)
        report = EngineReport(engine=self._engine.name, status=UNREADABLE, reason=self._trouble, lists_stopped=False)
        return SeenEngine(report=report, trouble=self._trouble)

    def _keep(self, answer: Answer[EngineReport]) -> None:
        report = answer.value
        if report is None:
            self.is_present, self._trouble = True, "asking it failed by a fault of this program: see the log"
            return
        self.is_present = report.status != ABSENT
        self._trouble = report.reason or "it could not be asked" if report.status == UNREADABLE else None
        if report.status == ANSWERED:
            self._good, self._good_at = report, answer.at
        elif report.status == ABSENT:
            self._good = None


def _joined(seen: Iterable[SeenEngine]) -> tuple[Workload, ...]:
    """Join what the engines told, each uuid once; control groups count for those engines that never told anything."""
    told = [one for one in seen if one.report.engine != CONTROL_GROUPS]
    groups = [one for one in seen if one.report.engine == CONTROL_GROUPS]
    known = {one.report.engine for one in told if one.report.status == ANSWERED}
    found: dict[str, Workload] = {}
    for one in (*sorted(told, key=lambda one: one.age_seconds), *groups):
        for workload in one.report.workloads:
            if one not in groups or workload.engine not in known:
                found.setdefault(workload.uuid, workload)
    return tuple(found[uuid] for uuid in sorted(found))
