# SPDX-License-Identifier: Apache-2.0
"""The daemon: gives each job its turns until a signal comes, and ends in order, whatever hangs at that moment."""

from __future__ import annotations

import logging
import select
import signal
import socket
import threading
import time
from types import FrameType, TracebackType

from host_agent import log
from host_agent.health import COLLECT, PLACEMENT, REPORT, SURVEY, Health
from host_agent.identity import make_state_directory
from host_agent.jobs import put_together
from host_agent.notify import Notifier
from host_agent.schedule import ClockWatch, Schedule, phase
from host_agent.settings import Configuration, Settings, hide_password
from host_agent.stall import StallDetector, Watchdog
from host_agent.state_lock import state_lock
from os_capability import __version__

__all__ = ["run"]

LOG = logging.getLogger(__name__)

_PUBLISH = "publish"
_WATCHDOG = "watchdog"
# SIGTERM ends the daemon within 2 s. What still runs after this long hangs outside, and is left behind.
_GRACE_SECONDS = 0.8
_RELEASE_SECONDS = 0.4
# How often the main thread looks at the clock and at the jobs.
_LOOK_SECONDS = 1.0


def run(configuration: Configuration) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        OsCapabilityError: there is no driver for this machine, or ``root`` holds none.
        HostAgentError: the state directory is not usable or in use, the database's URL or a setting is wrong, or a
            setting asks of this machine what it does not have.
    """
    settings = configuration.settings
    log.set_up(configuration.logging, __version__)
    make_state_directory(settings.state_path)
    with _StopSignals() as stop, state_lock(settings.state_path):
        daemon = _Daemon(settings)
        daemon.start()
        try:
            while not stop.wait(_LOOK_SECONDS):
                daemon.look()
        finally:
            daemon.stop()


class _Daemon:
    """The jobs, and when each has its turn."""

    def __init__(self, settings: Settings) -> None:
        agent = settings.agent
        self._settings = settings
        self._health = Health()
        self._notifier = Notifier()
        self._clock = ClockWatch()
        self._schedule = Schedule()
        self._jobs = put_together(
            settings,
            self._health,
            self._notifier,
            report_now=self._report_now,
            report_after=self._schedule.after,
        )
        self._stall = StallDetector(self._health, agent.stall_after)
        self._watchdog = Watchdog(self._notifier, self._health, max(agent.retry_interval, agent.report_interval))

    def start(self) -> None:
        """Begin, and say so."""
        agent, jobs = self._settings.agent, self._jobs
        place = phase(jobs.host_uuid)
        jobs.metrics.start()
        self._schedule.every(agent.report_interval, REPORT, self._report, phase=place)
        self._schedule.every(agent.refresh_interval, COLLECT, jobs.collector.turn, phase=place)
        self._schedule.every(agent.refresh_interval, SURVEY, jobs.surveyor.turn, phase=place)
        if jobs.placement is not None:
            self._schedule.every(agent.report_interval, PLACEMENT, jobs.placement.turn, phase=place)
        self._schedule.every(agent.report_interval, _PUBLISH, jobs.publisher.turn)
        if self._notifier.watchdog_seconds is not None:
            self._schedule.every(self._notifier.watchdog_seconds / 2, _WATCHDOG, self._watchdog.turn)
        self._schedule.start()
        self._notifier.ready()
        LOG.info("host %s reports to %s", self._health.snapshot().host_uuid, hide_password(self._settings.database.url))

    def look(self) -> None:
        """Look at what the jobs cannot see themselves: a clock that was set, a job that hangs.

        Raises:
            ConfigError: the settings ask of this machine what it does not have.
        """
        if self._jobs.collector.refusal is not None:
            raise self._jobs.collector.refusal
        self._watchdog.main_thread_lives()
        step = self._clock.step_seconds()
        if step:
            LOG.warning("the clock moved by %+.0f s: every job runs now", step)
            self._schedule.run_all_now()
        if self._stall.look():
            self._schedule.now(_PUBLISH)

    def stop(self) -> None:
        """End within two seconds."""
        self._notifier.stopping()
        # Only for this job: what the others leave undone they do at the next start, and an engine may hang.
        if self._schedule.stop(_GRACE_SECONDS, REPORT):
            release = threading.Thread(target=self._jobs.reporter.release, daemon=True)
            release.start()
            release.join(_RELEASE_SECONDS)
        self._jobs.metrics.stop()
        LOG.info("stopped")

    def _report(self) -> None:
        try:
            self._jobs.reporter.turn()
        finally:
            self._schedule.now(_PUBLISH)

    def _report_now(self) -> None:
        # While reports fail, the pauses between them are not cut short.
        if self._health.snapshot().report.trouble is None:
            self._schedule.now(REPORT)


class _StopSignals:
    """Waits for SIGTERM or SIGINT; SIGHUP changes nothing, settings are read at the start.

    The handlers do nothing: Python writes each signal's number into the socket. Setting an Event in a handler can
    deadlock with the very wait it interrupts, since its lock is not reentrant.
    """

    _STOP = (signal.SIGTERM, signal.SIGINT)

    def __enter__(self) -> _StopSignals:
        self._read_end, self._write_end = socket.socketpair()
        self._write_end.setblocking(False)
        signal.set_wakeup_fd(self._write_end.fileno(), warn_on_full_buffer=False)
        for number in (*self._STOP, signal.SIGHUP):
            signal.signal(number, _note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (*self._STOP, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        self._read_end.close()
        self._write_end.close()

    def wait(self, seconds: float) -> bool:
        """Wait so long; True when the daemon is to stop."""
        until = time.monotonic() + seconds
        while select.select([self._read_end], [], [], max(0.0, until - time.monotonic()))[0]:
            if set(self._read_end.recv(64)) & set(self._STOP):
                return True
            LOG.info("SIGHUP: settings are read at the start only; restart to apply changes")
        return False


def _note(number: int, frame: FrameType | None) -> None:
    """Let the signal be written to the wake-up socket instead of its default effect."""
