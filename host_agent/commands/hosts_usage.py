# SPDX-License-Identifier: Apache-2.0
"""``host-agent hosts usage``: what is used, and where each number comes from; ``recount``: makes sure of it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Set
from typing import TYPE_CHECKING

from host_agent.commands import arguments
from host_agent.commands.answer import EXIT_NO, PATIENCE_SECONDS, Answer, Failed, say, takes_colour
from host_agent.commands.arguments import Commands, configuration
from host_agent.commands.database import opened_current
from host_agent.commands.fleet import all_hosts, one_host, with_states

if TYPE_CHECKING:
    from host_agent.resource_usage import GroupUsage
    from host_agent.settings import Settings
    from host_agent.store import Aggregate
    from host_agent.store.engine import Engine

__all__ = ["add_commands"]


def add_commands(commands: Commands) -> None:
    """Add the commands to their family."""
    usage = arguments.add_command(
        commands, "usage", _usage, "what is used of one host, a group or all, and why", formats=("table", "json")
    )
    which = usage.add_mutually_exclusive_group()
    which.add_argument("name", metavar="NAME_OR_UUID", nargs="?", help="a host's name or uuid (default: all hosts)")
    which.add_argument("--zone", metavar="ZONE", help="the hosts of this availability zone")
    which.add_argument("--aggregate", metavar="NAME_OR_UUID", help="the hosts of this aggregate")
    usage.add_argument(
        "--all", action="store_true", dest="with_unavailable", help="hosts that are down or disabled too"
    )
    arguments.add_command(
        commands, "recount", _recount, "compute the usage of all hosts anew; it should be right already"
    )


def _usage(asked: argparse.Namespace) -> Answer:
    settings = configuration(asked).settings
    with opened_current(settings) as engine:
        if asked.name is not None:
            return _usage_of_host(engine, asked, settings)
        return _usage_of_group(engine, asked, settings)


def _usage_of_host(engine: Engine, asked: argparse.Namespace, settings: Settings) -> Answer:
    from host_agent import store
    from host_agent.render.usage import host_line, usage_text
    from host_agent.render.usage_document import usage_json

    found = store.host_usage(engine, str(one_host(engine, asked.name)["uuid"]))
    if found is None:
        raise Failed(f"host {asked.name!r} was removed while it was read", EXIT_NO)
    (row,) = with_states([found.row], settings.agent)
    aggregates = store.aggregates_of_host(engine, str(row["host"]))
    zone = next((one.availability_zone for one in aggregates if one.availability_zone), store.DEFAULT_ZONE)
    names = [one.name for one in aggregates]
    if asked.format == "json":
        return Answer(usage_json(row, found.usage, zone, names))
    colour = takes_colour()
    return Answer(f"{host_line(row, zone, names, colour=colour)}\n\n{usage_text(row, found.usage, colour=colour)}")


def _usage_of_group(engine: Engine, asked: argparse.Namespace, settings: Settings) -> Answer:
    from host_agent.liveness import RETIRED, STALE, UP
    from host_agent.render.group_usage import group_text
    from host_agent.render.usage_document import group_json

    title, names, group = _group(engine, asked, settings.agent.down_after)
    rows = [row for row in with_states(all_hosts(engine), settings.agent) if names is None or row["host"] in names]
    in_service = [row for row in rows if row["state"] != RETIRED]
    counted = [row for row in in_service if asked.with_unavailable or row["state"] in (UP, STALE)]
    if len(counted) < len(in_service):
        say(f"hosts that are down or disabled left out: {len(in_service) - len(counted)}; --all counts them")
    if asked.format == "json":
        return Answer(group_json(counted, group, only_available=not asked.with_unavailable))
    return Answer(group_text(title, counted, group, colour=takes_colour()))


def _group(
    engine: Engine, asked: argparse.Namespace, down_after_seconds: float
) -> tuple[str, Set[str] | None, GroupUsage]:
    """Give what the group is called, its hosts (``None`` is all), and what they use together."""
    from host_agent import store
    from host_agent.resource_usage import GroupUsage

    only_available = not asked.with_unavailable
    if asked.zone is not None:
        names = _zone(engine, asked.zone)
        groups = store.usage_by_zone(engine, down_after_seconds=down_after_seconds, only_available=only_available)
        title, name = f"availability zone {asked.zone}", asked.zone
    elif asked.aggregate is not None:
        aggregate = _aggregate(engine, asked.aggregate)
        groups = store.usage_by_aggregate(engine, down_after_seconds=down_after_seconds, only_available=only_available)
        title, name, names = f"aggregate {aggregate.name}", aggregate.name, frozenset(aggregate.hosts)
    else:
        whole = store.fleet_usage(engine, down_after_seconds=down_after_seconds, only_available=only_available)
        return "all hosts", None, whole
    found = next((group for group in groups if group.name == name), GroupUsage.of_no_host(name))
    return title, names, found


def _zone(engine: Engine, name: str) -> Set[str]:
    from host_agent import store

    zones = {zone.name: zone.hosts for zone in store.availability_zones(engine)}
    if name not in zones:
        raise Failed(f"no availability zone is called {name!r}; there are: {', '.join(zones) or 'none'}", EXIT_NO)
    return frozenset(zones[name])


def _aggregate(engine: Engine, name: str) -> Aggregate:
    aggregates = list(_aggregates(engine))
    for aggregate in aggregates:
        if name in (aggregate.name, aggregate.uuid):
            return aggregate
    there_are = ", ".join(aggregate.name for aggregate in aggregates) or "none"
    raise Failed(f"no aggregate is called {name!r}; there are: {there_are}", EXIT_NO)


def _aggregates(engine: Engine) -> Iterator[Aggregate]:
    from host_agent import store

    page = store.list_aggregates(engine)
    while page:
        yield from page
        page = store.list_aggregates(engine, marker=page[-1].uuid)


def _recount(asked: argparse.Namespace) -> Answer:
    from host_agent import store

    told, hosts = time.monotonic(), 0

    def progress(done: int) -> None:
        nonlocal told, hosts
        hosts = done
        if time.monotonic() - told > PATIENCE_SECONDS:
            told = time.monotonic()
            say(f"{done} hosts counted ...")

    with opened_current(configuration(asked).settings) as engine:
        changed = store.recount(engine, progress)
    return Answer(f"hosts counted: {hosts}; corrected: {changed}")
