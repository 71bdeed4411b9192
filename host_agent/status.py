# SPDX-License-Identifier: Apache-2.0
"""The state file: what the daemon writes of itself, and what follows from it for somebody who asks.

Every time stands there twice: as people write it, and by the monotonic clock, which all processes of one boot share and
which no step of the wall clock moves.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeAlias

from host_agent.atomic_file import replace_file
from host_agent.health import JobHealth, Snapshot
from host_agent.log import Condition
from host_agent.process import is_running, started_ticks
from host_agent.settings import AgentSettings
from host_agent.workloads.discovery import Discovery
from os_capability import __version__

__all__ = ["STATE_FILE", "StateFile", "Status", "Trouble", "read_status", "troubles"]

LOG = logging.getLogger(__name__)

STATE_FILE = "status.json"

_SCHEMA = "os-capability-status/1"
_MODE = 0o640
# One turn that is late is no trouble yet.
_TURNS = 3


class StateFile:
    """Written by the daemon at each turn."""

    def __init__(self, path: Path, settings: AgentSettings) -> None:
        self._path = path
        self._settings = settings
        self._process = {"pid": os.getpid(), "started_ticks": started_ticks(os.getpid())}
        self._writing = Condition(LOG, "the state file is written again")

    def write(self, snapshot: Snapshot, database: str) -> None:
        """Write the state of this moment; a disk that is full is said in the log, once.

        Args:
            snapshot: the state.
            database: the url, as people may see it.
        """
        document = {**_document(snapshot, time.time(), self._settings), "database": database, "process": self._process}
        trouble = None
        try:
            replace_file(self._path, json.dumps(document, indent=1) + "\n", mode=_MODE)
        except OSError as error:
            trouble = f"{self._path}: the state cannot be written: {error.strerror}"
        self._writing.report(trouble)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state file at the moment somebody asks.

    Attributes:
        document: what the daemon wrote.
        now: the moment, by the monotonic clock.
        is_running: whether the process that wrote it still runs.
    """

    document: Mapping[str, Any]
    now: float
    is_running: bool

    def age(self, *path: str) -> float | None:
        """Give how many seconds ago the time at `path` was, negative in the future; ``None`` where it is unknown."""
        value: Any = self.document
        for name in path:
            value = value[name]
        return None if value is None else self.now - float(value["clock"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One reason why the agent is not well: a stable code, and a line that says what and what to do."""

    code: str
    message: str


def read_status(path: Path) -> Status | Trouble:
    """Read the state file, or say why nobody can tell how the agent fares."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != _SCHEMA:
            return Trouble(code="unreadable", message=f"{path}: written by another version: restart the agent")
        process = document["process"]
        running = is_running(process["pid"], process["started_ticks"])
    except FileNotFoundError:
        message = f"no agent has run here: there is no {path}; start it, or name its settings with --config-file"
        return Trouble(code="never-ran", message=message)
    except OSError as error:
        return Trouble(code="unreadable", message=f"{path}: {error.strerror}: ask as root or as the agent's user")
    except (KeyError, TypeError, ValueError):
        return Trouble(code="unreadable", message=f"{path}: not what an agent writes: restart the agent")
    return Status(document=document, now=time.monotonic(), is_running=running)


def troubles(status: Status) -> Iterator[Trouble]:
    """Give every reason why the agent is not well."""
    document = status.document
    if not status.is_running:
        yield Trouble(
            code="not-running",
            message=f"the agent is not running: process {document['process']['pid']} has ended; start it, and look "
            "into its log",
        )
        return
    yield from _silence(status)
    yield from _collection(status)
    yield from _survey(status)
    yield from _refusal(document)
    yield from _report(status)
    yield from _placement(status)


def _silence(status: Status) -> Iterator[Trouble]:
    age = status.age("written") or 0.0
    if age > status.document["intervals"]["down_after_seconds"]:
        yield Trouble(
            code="silent",
            message=f"the agent runs and has said nothing for {age:.0f} s: it hangs or is stopped; look into its log, "
            "and restart it",
        )


def _collection(status: Status) -> Iterator[Trouble]:
    collect, facts = status.document["collect"], status.document["facts"]
    running = status.age("collect", "running_since") or 0.0
    age = status.age("facts" if facts else "started") or 0.0
    if collect["stuck"]:
        yield Trouble(
            code="collection-stuck",
            message=f"the reading of the machine has been running for {running:.0f} s: lscpu, a disk or the kernel "
            "hangs; heartbeats go on, the facts grow old",
        )
    elif collect["trouble"]:
        yield Trouble(code="collection-failing", message=collect["trouble"])
    elif age > _facts_limit(status):
        what = f"the facts are {age:.0f} s old" if facts else f"the machine was not read in {age:.0f} s"
        yield Trouble(code="facts-old", message=f"{what}: look into the agent's log, and restart it")


def _survey(status: Status) -> Iterator[Trouble]:
    # An engine that cannot be asked is no fault of the agent: control groups tell what runs meanwhile.
    survey = status.document["survey"]
    running = status.age("survey", "running_since") or 0.0
    if survey["stuck"]:
        yield Trouble(
            code="survey-stuck",
            message=f"the survey of what runs here has been running for {running:.0f} s: restart the agent",
        )
    elif survey["trouble"]:
        yield Trouble(code="survey-failing", message=survey["trouble"])


def _refusal(document: Mapping[str, Any]) -> Iterator[Trouble]:
    uuid = document["host_uuid"]
    if document["retired"]:
        yield Trouble(
            code="retired",
            message=f"host {uuid} is retired, and its reports are refused: `host-agent hosts retire --undo {uuid}` "
            "takes it back; if it is gone for good, stop the agent",
        )
    if document["duplicate"]:
        yield Trouble(
            code="duplicate",
            message=f"another machine that is alive reports as host {uuid}: on the one that was cloned, run "
            "`host-agent identity reset`",
        )


def _report(status: Status) -> Iterator[Trouble]:
    report = status.document["report"]
    running = status.age("report", "running_since") or 0.0
    if report["stuck"]:
        yield Trouble(
            code="report-stuck", message=f"a report has been running for {running:.0f} s: the database does not answer"
        )
    if report["trouble"] and not (status.document["retired"] or status.document["duplicate"]):
        yield Trouble(code="report-failing", message=report["trouble"])


def _placement(status: Status) -> Iterator[Trouble]:
    placement = status.document["placement"]
    if placement is not None and placement["stuck"]:
        running = status.age("placement", "running_since") or 0.0
        yield Trouble(
            code="placement-stuck",
            message=f"a report to Placement has been running for {running:.0f} s: it or Keystone does not answer",
        )
    elif placement is not None and placement["trouble"]:
        yield Trouble(code="placement-failing", message=f"not reported to Placement: {placement['trouble']}")


def _facts_limit(status: Status) -> float:
    """Give after how many seconds new facts have been missed."""
    intervals = status.document["intervals"]
    return float(max(_TURNS * intervals["refresh_seconds"], intervals["stall_after_seconds"]))


# Gives a time by the monotonic clock as it stands in the file.
_Moment: TypeAlias = Callable[[float | None], dict[str, object] | None]


def _moments(now: float, wall_seconds: float) -> _Moment:
    def moment(clock: float | None) -> dict[str, object] | None:
        if clock is None:
            return None
        at = datetime.fromtimestamp(wall_seconds, timezone.utc) - timedelta(seconds=now - clock)
        return {"at": at.isoformat(timespec="seconds").replace("+00:00", "Z"), "clock": round(clock, 3)}

    return moment


def _job(job: JobHealth, moment: _Moment) -> dict[str, object]:
    return {
        "succeeded": moment(job.succeeded_at),
        "running_since": moment(job.running_since),
        "seconds": job.seconds,
        "successes": job.successes,
        "failures": job.failures,
        "trouble": job.trouble,
        "stuck": job.is_stuck,
    }


def _workloads(discovery: Discovery | None) -> dict[str, object] | None:
    if discovery is None:
        return None
    engines = [{"engine": seen.report.engine, "trouble": seen.trouble} for seen in discovery.engines]
    return {"found": len(discovery.workloads), "engines": engines}


def _document(snapshot: Snapshot, wall_seconds: float, settings: AgentSettings) -> dict[str, object]:
    """Give what the file tells of the agent; none of it is secret."""
    moment = _moments(snapshot.now, wall_seconds)
    return {
        "schema": _SCHEMA,
        "version": __version__,
        "written": moment(snapshot.now),
        "started": moment(snapshot.started_at),
        "intervals": {
            "report_seconds": settings.report_interval,
            "refresh_seconds": settings.refresh_interval,
            "down_after_seconds": settings.down_after,
            "stall_after_seconds": settings.stall_after,
        },
        "host_uuid": snapshot.host_uuid,
        "host": snapshot.host,
        "registered": snapshot.registered,
        "database_up": snapshot.database_up,
        "collect": _job(snapshot.collect, moment),
        "survey": _job(snapshot.survey, moment),
        "report": _job(snapshot.report, moment),
        "placement": None if snapshot.placement.progressed_at is None else _job(snapshot.placement, moment),
        "next_report": moment(snapshot.next_report_at),
        "facts": moment(snapshot.facts_at),
        "workloads": _workloads(snapshot.discovery),
        "stored": moment(snapshot.stored_at),
        "retries": dict(snapshot.retries),
        "spool_depth": snapshot.spool_depth,
        "events_lost": snapshot.events_lost,
        "duplicate": snapshot.is_duplicate,
        "retired": snapshot.is_retired,
    }
