# SPDX-License-Identifier: Apache-2.0
"""The daemon's jobs taken in turn by hand, on a clock that moves on by itself: days of an agent's life in seconds."""

from __future__ import annotations

import uuid
import weakref
from pathlib import Path

from host_agent.baseline import Baseline
from host_agent.collector import Collector
from host_agent.folding import Folding
from host_agent.health import Health, Snapshot
from host_agent.identity import LocalIdentity, make_state_directory
from host_agent.metrics import Metrics
from host_agent.notify import Notifier
from host_agent.outbox import Outbox
from host_agent.publisher import Publisher
from host_agent.reporter import Reporter
from host_agent.settings import hide_password, load
from host_agent.spool import Spool
from host_agent.status import STATE_FILE, StateFile
from host_agent.store import open_engine
from host_agent.watch import HostWatch
from os_capability import __version__, load_driver

__all__ = ["Cycles"]


class Cycles:
    """What `host_agent.daemon` puts together, without its schedule.

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
        self._collector, self._reporter = self._jobs()
        self._publisher = Publisher(
            health=self._health,
            state_file=StateFile(state_path / STATE_FILE, self.settings.agent),
            metrics=Metrics(self.settings.metrics, self._health, __version__),
            notifier=Notifier(),
            database=hide_password(self.settings.database.url),
        )

    def _jobs(self) -> tuple[Collector, Reporter]:
        settings, state_path = self.settings, self.settings.state_path
        driver = load_driver(settings.agent.root, settings.agent.source, self._health.part)
        outbox = Outbox(Spool(state_path / "events.jsonl", settings.events.spool_size))
        identity = LocalIdentity(
            state_path, host=settings.host, my_ip=settings.my_ip, host_uuid_file=settings.host_uuid_file
        )
        collector = Collector(
            watch=HostWatch(driver, settings.agent.full_interval, self._clock),
            baseline=Baseline(state_path / "facts.json"),
            folding=Folding(settings.events.fold_interval),
            outbox=outbox,
            health=self._health,
            host_uuid=lambda: identity.uuid,
            collected=lambda: None,
            clock=self._clock,
        )
        engine = open_engine(settings.database.url)
        # The connection that is kept open to a file must not be left to the garbage collector.
        weakref.finalize(self, engine.dispose)
        reporter = Reporter(
            engine=engine,
            settings=settings,
            identity=identity,
            driver=driver,
            collector=collector,
            outbox=outbox,
            health=self._health,
            next_turn=lambda seconds: None,
        )
        return collector, reporter

    def turn(self) -> Snapshot:
        """Collect, report and tell once, and move on to the next collection's time.

        Raises:
            AssertionError: something did not go well.
        """
        self._collector.turn()
        self._reporter.turn()
        self._publisher.turn()
        snapshot = self._health.snapshot()
        assert (snapshot.collect.trouble, snapshot.report.trouble) == (None, None)
        self.now += self.settings.agent.refresh_interval
        return snapshot

    def _clock(self) -> float:
        return self.now
