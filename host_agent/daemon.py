# SPDX-License-Identifier: Apache-2.0
"""The daemon: builds everything, runs it until a signal comes, and ends in order, whatever hangs at that moment."""

from __future__ import annotations

import logging
import select
import signal
import socket
import time
from types import FrameType, TracebackType

from host_agent import log
from host_agent.agent import FACTS, HEARTBEAT, Agent
from host_agent.identity import LocalIdentity, make_state_directory
from host_agent.notify import Notifier
from host_agent.report.database import DatabaseReport
from host_agent.schedule import ClockWatch, Schedule
from host_agent.settings import Configuration, hide_password
from host_agent.store import open_engine
from host_agent.watch import HostWatch
from os_capability import __version__, load_driver

__all__ = ["run"]

LOG = logging.getLogger(__name__)

# SIGTERM ends the daemon within 2 s. What still runs after this long hangs outside, and is left behind.
_GRACE_SECONDS = 1.0


def run(configuration: Configuration) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        OsCapabilityError: there is no driver for this machine, or ``root`` holds none.
        HostAgentError: the state directory or the database's URL is not usable.
    """
    settings = configuration.settings
    log.set_up(configuration.logging, __version__)
    with _StopSignals() as stop:
        make_state_directory(settings.state_path)
        notifier = Notifier()
        engine = open_engine(settings.database.url)
        agent = Agent(
            watch=HostWatch(load_driver(settings.agent.root, settings.agent.source), settings.agent.full_interval),
            identity=LocalIdentity(settings.state_path, host=settings.host, my_ip=settings.my_ip),
            report=DatabaseReport(engine, binary=settings.agent.binary, topic=settings.agent.topic),
            notifier=notifier,
        )
        if settings.agent.root == "/":
            agent.identity.register(socket.gethostname())  # so that it is seen before its first facts are
        schedule = Schedule(stuck=agent.stuck)
        schedule.every(settings.agent.report_interval, HEARTBEAT, agent.heartbeat)
        schedule.every(settings.agent.refresh_interval, FACTS, agent.facts)
        if notifier.watchdog_seconds is not None:
            schedule.every(notifier.watchdog_seconds / 2, "watchdog", notifier.alive)
        schedule.start()
        notifier.ready()
        LOG.info("host %s reports to %s", agent.identity.uuid, hide_password(settings.database.url))
        _wait(stop, schedule)
        notifier.stopping()
        if schedule.stop(_GRACE_SECONDS):
            engine.dispose()  # a connection that hangs is left to the end of the process
        LOG.info("stopped")


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


def _wait(stop: _StopSignals, schedule: Schedule) -> None:
    clock = ClockWatch()
    while not stop.wait(1):
        step = clock.step_seconds()
        if step:
            LOG.warning("the clock moved by %+.0f s: every job runs now", step)
            schedule.run_all_now()
