# SPDX-License-Identifier: Apache-2.0
"""``host-agent hosts``: the hosts in the database."""

from __future__ import annotations

import argparse

from host_agent.commands import hosts_events, hosts_removal, hosts_usage
from host_agent.commands.answer import Answer, say, takes_colour
from host_agent.commands.arguments import Parser, add_command, add_commands, configuration
from host_agent.commands.database import opened_current
from host_agent.commands.fleet import all_hosts, one_host, shown_host, with_states

__all__ = ["add_arguments"]


def add_arguments(parser: Parser) -> None:
    """Add the commands of the family."""
    commands = add_commands(parser)
    listing = add_command(commands, "list", _list, "one line for each host", formats=("table", "json"))
    listing.add_argument("--all", action="store_true", dest="with_retired", help="retired hosts as well")
    show = add_command(commands, "show", _show, "the row of one host and its usage", formats=("table", "json"))
    show.add_argument("name", metavar="NAME_OR_UUID", help="a host's name or uuid")
    hosts_usage.add_commands(commands)
    hosts_events.add_command(commands)
    hosts_removal.add_commands(commands)


def _list(asked: argparse.Namespace) -> Answer:
    from host_agent.liveness import RETIRED
    from host_agent.render.hosts import host_list, host_list_json

    settings = configuration(asked).settings
    with opened_current(settings) as engine:
        rows = with_states(all_hosts(engine), settings.agent)
    shown = [row for row in rows if asked.with_retired or row["state"] != RETIRED]
    if len(shown) < len(rows):
        say(f"retired hosts left out: {len(rows) - len(shown)}; --all shows them")
    return Answer(host_list_json(shown) if asked.format == "json" else host_list(shown, colour=takes_colour()))


def _show(asked: argparse.Namespace) -> Answer:
    from host_agent import store

    settings = configuration(asked).settings
    with opened_current(settings) as engine:
        row = one_host(engine, asked.name)
        uuid = str(row["uuid"])
        row = store.get(engine, uuid) or row  # with its document
        used = store.host_usage(engine, uuid)
    return Answer(shown_host(asked, settings, row, None if used is None else used.usage))
