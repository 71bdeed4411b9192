# SPDX-License-Identifier: Apache-2.0
"""How the agent fares and what its host is, for Prometheus: served on the loopback, or kept in a file, or both."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from host_agent.atomic_file import replace_file
from host_agent.errors import ConfigError
from host_agent.health import Health, JobHealth, Snapshot
from host_agent.log import Condition
from host_agent.settings import MetricsSettings
from host_agent.workloads.discovery import Discovery
from os_capability.render.prometheus import Family, Sample, prometheus_text, render_prometheus

if TYPE_CHECKING:
    from host_agent.metrics_server import MetricsServer

__all__ = ["Metrics", "families"]

LOG = logging.getLogger(__name__)

_PREFIX = "os_capability_agent_"
# node_exporter is another user.
_TEXTFILE_MODE = 0o644


class Metrics:
    """Offers the metrics where the settings say so; without any it does nothing."""

    def __init__(self, settings: MetricsSettings, health: Health, version: str) -> None:
        self._settings = settings
        self._health = health
        self._version = version
        self._server: MetricsServer | None = None
        self._file = None if settings.textfile is None else Path(settings.textfile)
        self._writing = Condition(LOG, "the metrics' file is written again")

    @property
    def port(self) -> int | None:
        """The TCP port that is listened on."""
        return None if self._server is None else self._server.port

    def start(self) -> None:
        """Begin to listen, and write the file for the first time.

        Raises:
            ConfigError: the address or the file cannot be used.
        """
        if self._file is not None:
            _refuse_textfile(self._file)
        if self._settings.bind is not None:
            from host_agent.metrics_server import MetricsServer

            self._server = MetricsServer(self._settings.bind, self.text)
        self.write()

    def write(self) -> None:
        """Write the file anew; a disk that is full is said in the log, once."""
        if self._file is None:
            return
        trouble = None
        try:
            replace_file(self._file, self.text(), mode=_TEXTFILE_MODE)
        except OSError as error:
            trouble = f"{self._file}: the metrics cannot be written: {error.strerror}"
        self._writing.report(trouble)

    def stop(self) -> None:
        """Listen no more, and take the file away: numbers that nobody renews are no numbers."""
        if self._server is not None:
            self._server.stop()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()

    def text(self) -> str:
        """Give the metrics of this moment in Prometheus's text format."""
        snapshot = self._health.snapshot()
        own = prometheus_text(families(snapshot, time.time(), self._version))
        return own if snapshot.facts is None else own + render_prometheus(snapshot.facts)


def families(snapshot: Snapshot, now_seconds: float, version: str) -> Iterator[Family]:
    """Give everything there is to tell of the agent itself; what is not known has no sample.

    Args:
        snapshot: its state.
        now_seconds: the wall clock at that moment, in seconds since 1970.
        version: of the agent.
    """

    def moment(clock: float | None) -> float | None:
        """Give a time of the snapshot as one of the wall clock."""
        return None if clock is None else round(now_seconds - (snapshot.now - clock), 3)

    def age(clock: float | None) -> float | None:
        return None if clock is None else round(snapshot.now - clock, 3)

    yield _family("build_info", "The program.", Sample(1, {"version": version, "python": platform.python_version()}))
    if snapshot.host_uuid is not None:
        named = {"uuid": snapshot.host_uuid, "host": snapshot.host}
        yield _family("host_info", "Who this host is to the database.", Sample(1, named))
    yield _one("start_time_seconds", "When the agent started.", moment(snapshot.started_at))
    yield from _job("collection", "reading the machine", snapshot.collect)
    yield _one("last_collection_time_seconds", "When the machine was read last.", moment(snapshot.collect.succeeded_at))
    yield from _parts(snapshot)
    yield _one("facts_age_seconds", "How old the newest good facts are.", age(snapshot.facts_at))
    yield from _job("survey", "asking what runs here", snapshot.survey)
    yield from _workloads(snapshot.discovery)
    yield from _job("report", "telling the database", snapshot.report)
    yield _one("last_report_time_seconds", "When the database was told last.", moment(snapshot.report.succeeded_at))
    yield _one("facts_stored_time_seconds", "When facts were stored last.", moment(snapshot.stored_at))
    yield from _database(snapshot)
    if snapshot.placement.progressed_at is not None:
        yield from _job("placement_report", "telling Placement", snapshot.placement)


def _job(noun: str, doing: str, job: JobHealth) -> Iterator[Family]:
    results = {"success": job.successes, "failure": job.failures}
    yield _counter(f"{noun}s_total", f"Turns of {doing}, by how they ended.", results, "result")
    yield _one(f"last_{noun}_duration_seconds", f"What the last turn of {doing} took.", job.seconds)
    yield _one(f"{noun}_stuck", f"1 where {doing} takes longer than it may.", job.is_stuck)


def _parts(snapshot: Snapshot) -> Iterator[Family]:
    parts = sorted(snapshot.parts.items())
    yield _family(
        "collection_duration_seconds",
        "What the last reading of each part took.",
        *(Sample(round(part.seconds, 6), {"part": name}) for name, part in parts),
    )
    yield _family(
        "collection_success",
        "1 where the last reading of that part went well.",
        *(Sample(part.success, {"part": name}) for name, part in parts),
    )


def _workloads(discovery: Discovery | None) -> Iterator[Family]:
    engines = () if discovery is None else discovery.engines
    yield _family(
        "engine_up",
        "1 where the engine told what it runs at the last survey.",
        *(Sample(seen.trouble is None, {"engine": seen.report.engine}) for seen in engines),
    )
    yield _family(
        "engine_report_age_seconds",
        "How old the newest good answer of the engine was at the last survey.",
        *(Sample(round(seen.age_seconds, 3), {"engine": seen.report.engine}) for seen in engines),
    )
    found = Counter((item.engine, item.kind, item.state) for item in (discovery.workloads if discovery else ()))
    yield _family(
        "workloads",
        "Containers and virtual machines that were found here.",
        *(
            Sample(n, {"engine": engine, "kind": kind, "state": state})
            for (engine, kind, state), n in sorted(found.items())
        ),
    )


def _database(snapshot: Snapshot) -> Iterator[Family]:
    meaning = "1 where the database did what the last report asked, or refused it; 0 where it failed."
    yield _one("database_up", meaning, snapshot.database_up)
    yield _one("registered", "1 once the database has taken this host, since the start.", snapshot.registered)
    yield _counter("retries_total", "Reports that had to be tried again, by error.", snapshot.retries, "reason")
    yield _one("spool_depth", "Events that wait for the database.", snapshot.spool_depth)
    yield _family(
        "events_lost_total", "Events that gave way in a full spool.", Sample(snapshot.events_lost), type="counter"
    )
    yield _one("duplicate_identity", "1 where another machine that is alive claims this uuid.", snapshot.is_duplicate)
    yield _one("retired", "1 where an operator retired this host.", snapshot.is_retired)


def _one(name: str, meaning: str, value: float | None) -> Family:
    return _family(name, meaning, Sample(value))


def _counter(name: str, meaning: str, counts: Mapping[str, int], label: str) -> Family:
    samples = (Sample(count, {label: value}) for value, count in sorted(counts.items()))
    return _family(name, meaning, *samples, type="counter")


def _family(name: str, meaning: str, *samples: Sample, type: str = "gauge") -> Family:  # noqa: A002 - Family's name
    return Family(_PREFIX + name, meaning, samples, type)


def _refuse_textfile(path: Path) -> None:
    if path.suffix != ".prom":
        raise ConfigError(f"[metrics] textfile = {path} is not valid: node_exporter reads names that end in .prom")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError(
            f"[metrics] textfile = {path} is not valid: {path.parent} is no directory that the agent may write to"
        )
