# SPDX-License-Identifier: Apache-2.0
"""``host-agent once``: reads this machine, stores its row, shows the row."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from host_agent.commands.answer import EXIT_STORE, Answer, Failed, patience, say
from host_agent.commands.arguments import Parser, configuration, take
from host_agent.commands.database import opened
from host_agent.commands.fleet import shown_host

if TYPE_CHECKING:
    from host_agent.settings import Settings
    from host_agent.store import Lease
    from host_agent.store.engine import Engine
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
    facts = _facts(settings)
    for warning in facts.warnings:
        say(f"{warning.code}: {warning.message}")
    with opened(settings) as engine:
        migrate.make_ready(engine)
        uuid, lease = _stored(engine, settings, facts)
        row = store.get(engine, uuid)
        status = read_status(settings.state_path / STATE_FILE)
        if not (isinstance(status, Status) and status.is_running):
            # Nobody stays who could do it later, and the next boot would have to wait.
            store.release(engine, lease)
    if row is None:
        raise Failed(f"the row of {uuid} was removed while it was read back: run it again", EXIT_STORE)
    return Answer(shown_host(asked, settings, row))


def _stored(engine: Engine, settings: Settings, facts: Host) -> tuple[str, Lease]:
    """Register this host and store its facts; give its uuid."""
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
        who, lease = enrol(engine, settings, identity, facts)
        try:
            store.upsert(engine, compute_host(facts, who, __version__, sequence()), lease)
            break
        except LeaseLost:  # another of these commands was done first, and gave the lease back
            if tries_left == 1:
                raise
    return who.uuid, lease


def _facts(settings: Settings) -> Host:
    from host_agent.watch import HostWatch
    from os_capability import load_driver

    agent = settings.agent
    with patience("reading this machine"):
        return HostWatch(load_driver(agent.root, agent.source), agent.full_interval).look()
