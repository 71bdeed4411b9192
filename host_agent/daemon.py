# SPDX-License-Identifier: Apache-2.0
"""The daemon: builds everything, runs it until a signal comes, and ends in order, whatever hangs at that moment."""

from __future__ import annotations

import logging
import select
import signal
import socket
import threading
import time
from types import FrameType, TracebackType

from host_agent import log
from host_agent.baseline import Baseline
from host_agent.collector import Collector
from host_agent.folding import Folding
from host_agent.health import COLLECT, REPORT, Health
from host_agent.identity import LocalIdentity, make_state_directory
from host_agent.metrics import Metrics
from host_agent.notify import Notifier
from host_agent.outbox import Outbox
from host_agent.publisher import Publisher
from host_agent.reporter import Reporter
from host_agent.schedule import ClockWatch, Schedule, phase
from host_agent.settings import Configuration, Settings, hide_password
from host_agent.spool import Spool
from host_agent.stall import StallDetector, Watchdog
from host_agent.state_lock import state_lock
from host_agent.status import STATE_FILE, StateFile
from host_agent.store import open_engine
from host_agent.watch import HostWatch
from os_capability import __version__, load_driver

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
        HostAgentError: the state directory is not usable or in use, or the database's URL or a setting is wrong.
    """
    settings = configuration.settings
    log.set_up(configuration.logging, __version__)
    make_state_directory(settings.state_path)
    with _StopSignals() as stop, state_lock(settings.state_path):
        daemon = _Daemon(settings)
        daemon.start()
        while not stop.wait(_LOOK_SECONDS):
            daemon.look()
        daemon.stop()


class _Daemon:
    """Everything that runs, put together."""

    def __init__(self, settings: Settings) -> None:
        agent, state_path = settings.agent, settings.state_path
        self._settings = settings
        self._health = Health()
        self._notifier = Notifier()
        self._clock = ClockWatch()
        self._schedule = Schedule()
        self._metrics = Metrics(settings.metrics, self._health, __version__)
        identity = LocalIdentity(
            state_path, host=settings.host, my_ip=settings.my_ip, host_uuid_file=settings.host_uuid_file
        )
        self._health.set(host_uuid=identity.uuid)
        log.name_host(identity.uuid)
        self._phase = phase(identity.uuid)
        self._collector, self._reporter = self._jobs(identity)
        self._publisher = Publisher(
            health=self._health,
            state_file=StateFile(state_path / STATE_FILE, agent),
            metrics=self._metrics,
            notifier=self._notifier,
            database=hide_password(settings.database.url),
        )
        self._stall = StallDetector(self._health, agent.stall_after)
        self._watchdog = Watchdog(self._notifier, self._health, max(agent.retry_interval, agent.report_interval))

    def _jobs(self, identity: LocalIdentity) -> tuple[Collector, Reporter]:
        settings, state_path = self._settings, self._settings.state_path
        driver = load_driver(settings.agent.root, settings.agent.source, self._health.part)
        outbox = Outbox(Spool(state_path / "events.jsonl", settings.events.spool_size))
        collector = Collector(
            watch=HostWatch(driver, settings.agent.full_interval),
            baseline=Baseline(state_path / "facts.json"),
            folding=Folding(settings.events.fold_interval),
            outbox=outbox,
            health=self._health,
            host_uuid=lambda: identity.uuid,
            collected=self._report_now,
        )
        reporter = Reporter(
            engine=open_engine(settings.database.url),
            settings=settings,
            identity=identity,
            driver=driver,
            collector=collector,
            outbox=outbox,
            health=self._health,
            next_turn=lambda seconds: self._schedule.after(REPORT, seconds),
        )
        return collector, reporter

    def start(self) -> None:
        """Begin, and say so."""
        agent = self._settings.agent
        self._metrics.start()
        self._schedule.every(agent.report_interval, REPORT, self._report, phase=self._phase)
        self._schedule.every(agent.refresh_interval, COLLECT, self._collector.turn, phase=self._phase)
        self._schedule.every(agent.report_interval, _PUBLISH, self._publisher.turn)
        if self._notifier.watchdog_seconds is not None:
            self._schedule.every(self._notifier.watchdog_seconds / 2, _WATCHDOG, self._watchdog.turn)
        self._schedule.start()
        self._notifier.ready()
        LOG.info("host %s reports to %s", self._health.snapshot().host_uuid, hide_password(self._settings.database.url))

    def look(self) -> None:
        """Look at what the jobs cannot see themselves: a clock that was set, a job that hangs."""
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
        if self._schedule.stop(_GRACE_SECONDS):
            release = threading.Thread(target=self._reporter.release, daemon=True)
            release.start()
            release.join(_RELEASE_SECONDS)
        self._metrics.stop()
        LOG.info("stopped")

    def _report(self) -> None:
        try:
            self._reporter.turn()
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
