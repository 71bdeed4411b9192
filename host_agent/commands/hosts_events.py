# SPDX-License-Identifier: Apache-2.0
"""``host-agent hosts events``: what happened to one host, or to all."""

from __future__ import annotations

import argparse
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from host_agent.commands import arguments
from host_agent.commands.ages import moment
from host_agent.commands.answer import Answer, Failed, say, takes_colour
from host_agent.commands.arguments import Commands, configuration
from host_agent.commands.database import opened_current
from host_agent.commands.fleet import one_host

if TYPE_CHECKING:
    from host_agent.store.engine import Engine

__all__ = ["add_command"]

_DEFAULT_LIMIT = 100
_MOST = 1_000_000


def add_command(commands: Commands) -> None:
    """Add the command to its family."""
    events = arguments.add_command(
        commands, "events", _events, "what happened to one host, or to all, newest last", formats=("table", "json")
    )
    events.add_argument("name", metavar="NAME_OR_UUID", nargs="?", help="a host's name or uuid (default: all hosts)")
    events.add_argument(
        "--since", metavar="WHEN", type=moment, help="only events since then: 2h, 3d, or 2026-11-21T03:00Z"
    )
    events.add_argument(
        "--limit",
        metavar="N",
        type=_limit,
        default=_DEFAULT_LIMIT,
        help=f"the newest N alone (default: {_DEFAULT_LIMIT})",
    )


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_MOST}")
    return int(text)


def _events(asked: argparse.Namespace) -> Answer:
    from host_agent import store
    from host_agent.render.events import events_json, events_text

    with opened_current(configuration(asked).settings) as engine:
        host_uuid = None if asked.name is None else _host_uuid(engine, asked.name)
        # One more than asked for tells whether there are more.
        newest = store.list_events(engine, host_uuid=host_uuid, since=asked.since, limit=asked.limit + 1)
    if len(newest) > asked.limit:
        say(f"older events left out; --limit {asked.limit * 10} shows more")
    events = newest[: asked.limit][::-1]
    if asked.format == "json":
        return Answer(events_json(events))
    return Answer(events_text(events, datetime.now(timezone.utc), colour=takes_colour()))


def _host_uuid(engine: Engine, name: str) -> str:
    """Give the uuid of a host that is there, or of one that was pruned and left its events."""
    try:
        return str(one_host(engine, name)["uuid"])
    except Failed:
        try:
            return str(uuid.UUID(name))
        except ValueError:
            pass
        raise
