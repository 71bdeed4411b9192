# SPDX-License-Identifier: Apache-2.0
"""How the agent of this machine fares, in words and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from host_agent.render.text import BOLD, GREEN, RED, duration, painted, plain, relative
from host_agent.status import Status, Trouble

__all__ = ["status_json", "status_text"]

_LABEL = 12


def status_text(status: Status | None, troubles: Sequence[Trouble], *, colour: bool = False) -> str:
    """Say whether the agent is well, every reason if not, and what it did last."""
    verdict = painted("not healthy", RED, colour=colour) if troubles else painted("healthy", GREEN, colour=colour)
    lines = [verdict, *(f"! {plain(trouble.message)}" for trouble in troubles)]
    if status is not None:
        lines += [f"{painted(f'{label:<{_LABEL}}', BOLD, colour=colour)}{plain(text)}" for label, text in _rows(status)]
    return "\n".join(lines)


def status_json(status: Status | None, troubles: Sequence[Trouble]) -> str:
    """Give the state file as a JSON object, with the verdict, and each time as how long ago it was."""
    verdict = {
        "healthy": not troubles,
        "running": status is not None and status.is_running,
        "troubles": [{"code": trouble.code, "message": trouble.message} for trouble in troubles],
    }
    document = {} if status is None else _aged(status.document, status.now)
    return json.dumps({**verdict, **document}, indent=2, ensure_ascii=False)


def _rows(status: Status) -> Iterator[tuple[str, str]]:
    document = status.document
    uuid = document["host_uuid"]
    yield "host", "not known yet" if uuid is None else f"{document['host'] or '(no name yet)'}, uuid {uuid}"
    yield "agent", _process(status)
    standing = (
        "" if document["registered"] else ", retired there" if document["retired"] else ", not registered there yet"
    )
    yield "database", document["database"] + standing
    yield "collection", _job(status, "collect")
    yield "report", _job(status, "report") + _next(status)
    if document["placement"] is not None:
        yield "placement", _job(status, "placement")
    yield "facts", _facts(status)
    yield "workloads", _workloads(document["workloads"])
    lost = document["events_lost"]
    yield "events", f"{document['spool_depth']} wait" + (f", {lost} were lost" if lost else "")
    if document["retries"]:
        yield "retries", ", ".join(f"{count} {reason}" for reason, count in sorted(document["retries"].items()))


def _process(status: Status) -> str:
    pid, version = status.document["process"]["pid"], status.document["version"]
    if not status.is_running:
        return f"version {version}, process {pid} has ended; heard {relative(status.age('written'))}"
    return f"version {version}, process {pid}, up {duration(status.age('started') or 0.0)}"


def _job(status: Status, name: str) -> str:
    job = status.document[name]
    parts = [f"last {relative(status.age(name, 'succeeded'))}"]
    if job["seconds"] is not None:
        parts.append(f"took {job['seconds']:.3g} s")
    if job["running_since"] is not None:
        parts.append(f"one runs since {duration(status.age(name, 'running_since') or 0.0)}")
    return ", ".join(parts) + f"; {job['successes']} done, {job['failures']} failed"


def _next(status: Status) -> str:
    age = status.age("next_report")
    if age is None or not status.is_running:
        return ""
    return "; next now" if age >= 0 else f"; next in {duration(-age)}"


def _facts(status: Status) -> str:
    if status.document["facts"] is None:
        return "none yet"
    return f"{duration(status.age('facts') or 0.0)} old, stored {relative(status.age('stored'))}"


def _workloads(seen: Mapping[str, Any] | None) -> str:
    if seen is None:
        return "not surveyed yet"
    engines = [
        f"{seen['engine']} cannot be asked: {trouble}" if (trouble := seen["trouble"]) else seen["engine"]
        for seen in seen["engines"]
    ]
    return "; ".join([f"{seen['found']} found", *engines])


def _aged(value: Any, now: float) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"at", "clock"}:
        return {"at": value["at"], "seconds_ago": round(now - value["clock"], 3)}
    return {name: _aged(below, now) for name, below in value.items()}
