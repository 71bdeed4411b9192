# SPDX-License-Identifier: Apache-2.0
"""When what runs: APScheduler with every job option spelt out, and threads that nothing has to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

__all__ = ["ClockWatch", "Schedule"]

_JITTER = 0.1  # of the interval: a fleet that was started at once must not report at once for ever


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

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the running jobs; False when some still run after that time."""
        until = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


class Schedule:
    """Calls functions at intervals, each at most once at a time, whatever the others do."""

    def __init__(self, stuck: Callable[[str, bool], None]) -> None:
        """Prepare, without starting anything.

        Args:
            stuck: called with a job's name and True when its turn came while it still ran, with False when it returned.
        """
        self._executor = _DaemonThreads()
        self._scheduler = BackgroundScheduler(executors={"default": self._executor}, timezone=timezone.utc)
        self._scheduler.add_listener(
            lambda event: stuck(event.job_id, isinstance(event, JobSubmissionEvent)),
            EVENT_JOB_MAX_INSTANCES | EVENT_JOB_EXECUTED | EVENT_JOB_ERROR,
        )

    def every(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        """Call `call` now and then every so many `seconds`."""
        self._scheduler.add_job(
            call,
            IntervalTrigger(seconds=seconds, jitter=seconds * _JITTER, timezone=timezone.utc),
            id=name,
            name=name,
            next_run_time=datetime.now(timezone.utc),
            misfire_grace_time=None,  # late is better than never, however late
            coalesce=True,  # turns that were missed are made up by one
            max_instances=1,  # a job that hangs is not started a second time beside itself
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def run_all_now(self) -> None:
        """Give every job its turn now: after a step of the wall clock the next turns are hours off or long past."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(timezone.utc))

    def stop(self, grace_seconds: float) -> bool:
        """Start nothing more and wait so long for what runs; False when something still runs."""
        self._scheduler.shutdown(wait=False)
        return self._executor.join(grace_seconds)


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
