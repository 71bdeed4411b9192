# SPDX-License-Identifier: Apache-2.0
"""``host-agent db``: the schema of the database."""

from __future__ import annotations

import argparse

from host_agent.commands.answer import EXIT_DONE, EXIT_NO, Answer, say
from host_agent.commands.arguments import Parser, add_command, add_commands, configuration
from host_agent.commands.database import opened, opened_existing, shown_url

__all__ = ["add_arguments"]


def add_arguments(parser: Parser) -> None:
    """Add the commands of the family."""
    commands = add_commands(parser)
    add_command(commands, "upgrade", _upgrade, "bring the schema to this version")
    add_command(commands, "current", _current, "show the schema's version")
    add_command(commands, "check", _check, "say how the schema differs from this version; exit 1 if it does")


def _upgrade(asked: argparse.Namespace) -> Answer:
    from host_agent.store import migrate

    settings = configuration(asked).settings
    with opened(settings) as engine:
        before = migrate.current(engine)
        migrate.upgrade(engine, progress=say)
        after = migrate.current(engine)
    moved = f"is at {after} already" if before == after else f"went from {before or 'nothing'} to {after}"
    return Answer(f"the schema of {shown_url(settings)} {moved}")


def _current(asked: argparse.Namespace) -> Answer:
    from host_agent.store import migrate

    with opened_existing(configuration(asked).settings) as engine:
        return Answer(migrate.current(engine) or "none")


def _check(asked: argparse.Namespace) -> Answer:
    from host_agent.store import migrate

    with opened_existing(configuration(asked).settings) as engine:
        differences = migrate.check(engine)
    return Answer("\n".join(differences), EXIT_NO if differences else EXIT_DONE)
