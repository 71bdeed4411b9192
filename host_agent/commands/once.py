# SPDX-License-Identifier: Apache-2.0
"""``host-agent once``: reads this machine, stores its row, shows the row."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from host_agent.commands.answer import EXIT_STORE, Answer, Failed, patience, say
from host_agent.commands.arguments import Parser, configuration, take
from host_agent.commands.database import opened
from host_agent.commands.fleet import shown_host

if TYPE_CHECKING:
    from host_agent.capacity import Capacity
    from host_agent.settings import Settings
    from host_agent.store import Lease
    from host_agent.store.engine import Engine
    from host_agent.workloads.discovery import Discovery
    from os_capability import Host

__all__ = ["add_arguments"]

_MOST_TRIES = 10


def add_arguments(parser: Parser) -> None:
    """Add what the command can be told."""
    take(parser, _once, formats=("table", "json"))


def _once(asked: argparse.Namespace) -> Answer:
    from host_agent import store
    from host_agent.identity import make_state_directory
    from host_agent.status import STATE_FILE, Status, read_status
    from host_agent.store import migrate

    settings = configuration(asked).settings
    make_state_directory(settings.state_path)
    seen = _look(settings)
    for line in seen.warnings():
        say(line)
    with opened(settings) as engine:
        migrate.make_ready(engine)
        uuid, lease = _stored(engine, settings, seen)
        row, used = store.get(engine, uuid), store.host_usage(engine, uuid)
        status = read_status(settings.state_path / STATE_FILE)
        if not (isinstance(status, Status) and status.is_running):
            # Nobody stays who could do it later, and the next boot would have to wait.
            store.release(engine, lease)
    if row is None:
        raise Failed(f"the row of {uuid} was removed while it was read back: run it again", EXIT_STORE)
    return Answer(shown_host(asked, settings, row, None if used is None else used.usage))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What there is, what it offers, and what runs on it."""

    facts: Host
    offered: Capacity
    discovery: Discovery

    def warnings(self) -> Iterator[str]:
        for warning in self.facts.warnings:
            yield f"{warning.code}: {warning.message}"
        yield from self.offered.warnings
        for engine in self.discovery.engines:
            if engine.trouble is not None:
                yield f"what {engine.report.engine} runs is not known: {engine.trouble}"


def _look(settings: Settings) -> _Seen:
    from host_agent.capacity import capacity, refuse_impossible
    from host_agent.engines import load_survey
    from host_agent.watch import HostWatch
    from os_capability import load_driver

    agent = settings.agent
    with patience("reading this machine"):
        facts = HostWatch(load_driver(agent.root, agent.source), agent.full_interval).look()
    refuse_impossible(facts, settings.capacity)
    with patience("asking what runs here"):
        discovery = load_survey(settings).look()
    return _Seen(facts=facts, offered=capacity(facts, settings.capacity, discovery.disk), discovery=discovery)


def _stored(engine: Engine, settings: Settings, seen: _Seen) -> tuple[str, Lease]:
    """Register this host and store its row; give its uuid."""
    from host_agent import store
    from host_agent.enrolment import enrol
    from host_agent.errors import LeaseLost
    from host_agent.identity import LocalIdentity
    from host_agent.record import compute_host
    from host_agent.uptime import sequence
    from os_capability import __version__

    identity = LocalIdentity(
        settings.state_path, host=settings.host, my_ip=settings.my_ip, host_uuid_file=settings.host_uuid_file
    )
    for tries_left in range(_MOST_TRIES, 0, -1):
        # Of the same boot as a daemon that runs meanwhile: the two hold one lease, and neither is in the other's way.
        who, lease = enrol(engine, settings, identity, seen.facts)
        try:
            record = compute_host(seen.facts, who, __version__, sequence(), seen.offered, seen.discovery)
            store.upsert(engine, record, lease, seen.discovery)
            break
        except LeaseLost:  # another of these commands was done first, and gave the lease back
            if tries_left == 1:
                raise
    return who.uuid, lease
