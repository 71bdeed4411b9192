# SPDX-License-Identifier: Apache-2.0
"""The daemon's jobs taken in turn by hand, on a clock that moves on by itself: days of an agent's life in seconds."""

from __future__ import annotations

import uuid
import weakref
from pathlib import Path

from host_agent.health import Health, Snapshot
from host_agent.identity import make_state_directory
from host_agent.jobs import put_together
from host_agent.notify import Notifier
from host_agent.settings import load

__all__ = ["Cycles"]


class Cycles:
    """The jobs of the daemon, without its schedule.

    Args:
        state_path: the state directory, made if it is not there.
        url: the database; by default the embedded one.
        root: the machine's root.
        textfile: whether to keep the metrics in a file.
    """

    def __init__(self, state_path: Path, url: str | None = None, root: str = "/", *, textfile: bool = True) -> None:
        make_state_directory(state_path)
        # Given, not new: a fresh identity would have to be told from the rows that this machine has had before.
        given_uuid, own_uuid = state_path / "given_uuid", str(uuid.uuid4())
        given_uuid.write_text(own_uuid)
        environ = {
            "OS_CAPABILITY_CONFIG_FILE": "/dev/null",
            "OS_CAPABILITY_DEFAULT__STATE_PATH": str(state_path),
            "OS_CAPABILITY_DEFAULT__HOST": f"host-{own_uuid}",
            "OS_CAPABILITY_DEFAULT__HOST_UUID_FILE": str(given_uuid),
            "OS_CAPABILITY_AGENT__ROOT": root,
        }
        if textfile:
            environ["OS_CAPABILITY_METRICS__TEXTFILE"] = str(state_path / "agent.prom")
        self.settings = load(database_url=url, environ=environ).settings
        self.now = 0.0
        self._health = Health(self._clock)
        self._jobs = put_together(
            self.settings,
            self._health,
            Notifier(),
            report_now=lambda: None,
            report_after=lambda job, seconds: None,
            clock=self._clock,
        )
        # The connection that is kept open to a file must not be left to the garbage collector.
        weakref.finalize(self, self._jobs.engine.dispose)

    def turn(self) -> Snapshot:
        """Collect, survey, report and tell once, and move on to the next collection's time.

        Raises:
            AssertionError: something did not go well.
        """
        self._jobs.collector.turn()
        self._jobs.surveyor.turn()
        self._jobs.reporter.turn()
        self._jobs.publisher.turn()
        snapshot = self._health.snapshot()
        assert (snapshot.collect.trouble, snapshot.survey.trouble, snapshot.report.trouble) == (None, None, None)
        self.now += self.settings.agent.refresh_interval
        return snapshot

    def _clock(self) -> float:
        return self.now
