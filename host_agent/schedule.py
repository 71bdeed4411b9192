# SPDX-License-Identifier: Apache-2.0
"""When what runs: APScheduler with every job option spelt out, and threads that nothing has to wait for."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta, timezone

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

__all__ = ["ClockWatch", "Schedule", "phase"]

_JITTER = 0.1  # of the interval: a fleet that was started at once must not report at once for ever


def phase(host_uuid: str) -> float:
    """Give this host's place in every interval, from 0 to 1: a fleet's places are spread evenly, and stay."""
    # Hashed, because uuids that somebody made up for a fleet may be counted.
    return int.from_bytes(hashlib.sha256(host_uuid.encode()).digest()[:4], "big") / 2**32


class Schedule:
    """Calls functions at intervals, each at most once at a time, whatever the others do."""

    def __init__(self) -> None:
        """Prepare, without starting anything."""
        self._executor = _DaemonThreads()
        self._scheduler = BackgroundScheduler(executors={"default": self._executor}, timezone=timezone.utc)
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        # Jobs whose turn was asked for and has not begun.
        self._asked: set[str] = set()

    def every(self, seconds: float, name: str, call: Callable[[], None], *, phase: float = 1.0) -> None:
        """Call `call` now, then at the `phase` of the interval (0 to 1), and then every so many `seconds`."""

        def turn() -> None:
            self._asked.discard(name)
            call()

        first = datetime.now(timezone.utc)
        self._scheduler.add_job(
            turn,
            _Turns(first, seconds, phase),
            id=name,
            name=name,
            next_run_time=first,
            misfire_grace_time=None,  # late is better than never, however late
            coalesce=True,  # turns that were missed are made up by one
            max_instances=1,  # a job that hangs is not started a second time beside itself
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def now(self, name: str) -> None:
        """Give a job a turn now, or as soon as the one that it has is over."""
        self._asked.add(name)
        self.after(name, 0)

    def after(self, name: str, seconds: float) -> None:
        """Give a job its next turn so many seconds from now, instead of when it would have had it."""
        job = self._scheduler.get_job(name)
        if job is not None:
            job.modify(next_run_time=datetime.now(timezone.utc) + timedelta(seconds=seconds))

    def run_all_now(self) -> None:
        """Give every job its turn now: after a step of the wall clock the next turns are hours off or long past."""
        for job in self._scheduler.get_jobs():
            self.now(job.id)

    def stop(self, grace_seconds: float, *names: str) -> bool:
        """Start nothing more, and wait so long for the jobs of these names; False when one of them still runs.

        Without names it is every job that is waited for.
        """
        if self._scheduler.running:
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=False)
        return self._executor.join(grace_seconds, names)

    def _ended(self, event: JobExecutionEvent) -> None:
        if event.job_id in self._asked:
            self.after(event.job_id, 0)


class _Turns(BaseTrigger):  # type: ignore[misc]
    """At first at the phase of the interval, then after each interval, a little more or less.

    Turns that were asked for come between these and move none of them.
    """

    def __init__(self, first: datetime, seconds: float, phase: float) -> None:
        self._seconds = seconds
        self._planned = first + timedelta(seconds=seconds * phase)

    def get_next_fire_time(self, previous: datetime, now: datetime) -> datetime:
        # Past: it is that turn's time. Too far off: the clock was set back.
        if not now < self._planned <= now + timedelta(seconds=self._seconds * (1 + _JITTER)):
            share = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load
            self._planned = now + timedelta(seconds=self._seconds * share)
        return self._planned


class _DaemonThreads(BaseExecutor):  # type: ignore[misc]
    """Runs each job in a thread of its own, which does not keep the process alive.

    The pool of APScheduler joins its threads when the interpreter ends, so one call that hangs in a dead database or
    a dead file system would keep the daemon from ending.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads: set[threading.Thread] = set()

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        thread = threading.Thread(target=self._run, args=(job, run_times), name=job.id, daemon=True)
        self._threads = {known for known in self._threads if known.is_alive()} | {thread}
        thread.start()

    def _run(self, job: Job, run_times: list[datetime]) -> None:
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        except Exception as error:
            self._run_job_error(job.id, error, error.__traceback__)
        else:
            self._run_job_success(job.id, events)

    def join(self, timeout_seconds: float, names: Collection[str]) -> bool:
        """Wait for the running jobs of these names, or all; False when some still run after that time."""
        until = time.monotonic() + timeout_seconds
        threads = [thread for thread in self._threads if not names or thread.name in names]
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)


class ClockWatch:
    """Notices that somebody set the wall clock.

    APScheduler 3 plans in wall clock time: set back by an hour, it would be silent for an hour (the same fault as
    Nova's bug 1510234).
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()

    def step_seconds(self) -> float:
        """Give by how much the clock was set since the last call; 0 for what is only slewing and rounding."""
        before, self._offset = self._offset, self._wall() - self._steady()
        step = self._offset - before
        return step if abs(step) > 1 else 0.0
