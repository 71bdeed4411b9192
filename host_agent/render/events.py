# SPDX-License-Identifier: Apache-2.0
"""Events, as a log that a person reads from top to bottom, and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from host_agent.render.text import BOLD, DIM, painted, plain, relative, rfc3339

__all__ = ["events_json", "events_text"]


def events_text(events: Sequence[Mapping[str, object]], now: datetime, *, colour: bool = False) -> str:
    """Give one line for each event: when it was and how long ago, the host, the code and the message.

    Args:
        events: in the order of the lines; their times are UTC.
        now: the moment, in UTC like them.
        colour: whether what is for orientation is dimmed.
    """
    cells = [
        (rfc3339(_at(event)), f"({_ago(event, now)})", plain(str(event["host"] or "-")), plain(str(event["code"])))
        for event in events
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(4)]
    lines = []
    for event, row in zip(events, cells, strict=True):
        at, ago, host, code = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        when = painted(f"{at} {ago}", DIM, colour=colour)
        lines.append(f"{when}  {host}  {painted(code, BOLD, colour=colour)}  {plain(str(event['message']))}")
    return "\n".join(lines)


def events_json(events: Sequence[Mapping[str, object]]) -> str:
    """Give the events as a JSON list."""
    return json.dumps([_as_json(event) for event in events], indent=2, ensure_ascii=False)


def _as_json(event: Mapping[str, object]) -> dict[str, object]:
    texts = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in event.items()}
    detail = event["detail"]
    return {**texts, "detail": json.loads(detail) if isinstance(detail, str) else detail}


def _at(event: Mapping[str, object]) -> datetime:
    at = event["at"]
    assert isinstance(at, datetime)
    return at


def _ago(event: Mapping[str, object], now: datetime) -> str:
    return relative((now.replace(tzinfo=None) - _at(event).replace(tzinfo=None)).total_seconds())
