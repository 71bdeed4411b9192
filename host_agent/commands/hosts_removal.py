# SPDX-License-Identifier: Apache-2.0
"""``host-agent hosts retire`` and ``prune``: how hosts leave the fleet."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from host_agent.commands.ages import age_seconds
from host_agent.commands.answer import EXIT_NO, EXIT_USAGE, PATIENCE_SECONDS, Answer, Failed, say
from host_agent.commands.arguments import Commands, add_command, configuration
from host_agent.commands.database import opened, opened_current
from host_agent.commands.fleet import one_host, with_states

if TYPE_CHECKING:
    from host_agent.settings import Settings
    from host_agent.store import Row

__all__ = ["add_commands"]

# Removed at once; between two pages there is a line of progress.
_PAGE = 200


def add_commands(commands: Commands) -> None:
    """Add the commands to their family."""
    retire = add_command(commands, "retire", _retire, "take a host out of the fleet, or back; its row stays")
    retire.add_argument("name", metavar="NAME_OR_UUID", help="a host's name or uuid")
    retire.add_argument("--undo", action="store_true", help="take it back")
    prune = add_command(commands, "prune", _prune, "remove the hosts that nobody has heard of for long")
    prune.add_argument(
        "--older-than", metavar="AGE", type=age_seconds, required=True, help="not heard of for so long: 12h, 30d, 8w"
    )
    prune.add_argument("--dry-run", action="store_true", help="show which they are and remove none")
    prune.add_argument("--yes", action="store_true", help="do not ask")


def _retire(asked: argparse.Namespace) -> Answer:
    from host_agent import store

    with opened_current(configuration(asked).settings) as engine:
        row = one_host(engine, asked.name)
        changed = store.retire(engine, str(row["uuid"]), undo=asked.undo)
    who = f"host {row['host']} ({row['uuid']})"
    if asked.undo:
        return Answer(f"{who} is back" if changed else f"{who} was not retired")
    if not changed:
        return Answer(f"{who} was retired already")
    return Answer(f"{who} is retired: its reports are refused; `hosts retire --undo {row['uuid']}` takes it back")


def _prune(asked: argparse.Namespace) -> Answer:
    from host_agent import store

    settings = configuration(asked).settings
    _refuse_rashness(asked, settings)
    with opened_current(settings) as engine:
        old = store.prune(engine, older_than_seconds=asked.older_than, dry_run=True)
    if not old:
        return Answer("no host was silent for so long")
    if asked.dry_run:
        return Answer(f"{_table(old, settings)}\n{_counted(old)} would be removed; nothing was")
    if not asked.yes:
        say(f"{_counted(old)} would be removed for good, with their events:\n{_table(old, settings)}")
        if not _agreed():
            return Answer("nothing was removed", EXIT_NO)
    removed = _removed(settings, asked.older_than, [str(row["uuid"]) for row in old])
    spared = len(old) - len(removed)
    heard = f"; {spared} were heard of again in the meantime" if spared else ""
    return Answer(f"{_table(removed, settings)}\n{_counted(removed)} removed{heard}")


def _refuse_rashness(asked: argparse.Namespace, settings: Settings) -> None:
    down_after = settings.agent.down_after
    if asked.older_than < down_after:
        raise Failed(
            f"--older-than of {asked.older_than} s would remove hosts that are alive: give at least "
            f"down_after, which is {down_after} s",
            EXIT_USAGE,
        )
    if not (asked.dry_run or asked.yes or (sys.stdin is not None and sys.stdin.isatty())):
        raise Failed("nobody can be asked here: say --yes, or --dry-run to see what would go", EXIT_USAGE)


def _agreed() -> bool:
    sys.stderr.write("remove them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _removed(settings: Settings, older_than_seconds: int, uuids: Sequence[str]) -> list[Row]:
    from host_agent import store

    removed: list[Row] = []
    with opened(settings) as engine:
        told = time.monotonic()
        for start in range(0, len(uuids), _PAGE):
            page = uuids[start : start + _PAGE]
            removed += store.prune(engine, older_than_seconds=older_than_seconds, uuids=page, dry_run=False)
            if time.monotonic() - told > PATIENCE_SECONDS:
                told = time.monotonic()
                say(f"{len(removed)} of {len(uuids)} hosts removed ...")
    return removed


def _table(rows: Sequence[Row], settings: Settings) -> str:
    from host_agent.render.hosts import host_departures

    return host_departures(with_states(rows, settings.agent))


def _counted(rows: Sequence[Row]) -> str:
    return "1 host" if len(rows) == 1 else f"{len(rows)} hosts"
