# SPDX-License-Identifier: Apache-2.0
"""``host-agent status``: how the agent that runs on this machine fares."""

from __future__ import annotations

import argparse

from host_agent.commands.answer import EXIT_DONE, EXIT_NO, Answer, takes_colour
from host_agent.commands.arguments import Parser, configuration, take

__all__ = ["add_arguments"]


def add_arguments(parser: Parser) -> None:
    """Add what the command can be told."""
    take(parser, _status, formats=("table", "json"))


def _status(asked: argparse.Namespace) -> Answer:
    from host_agent.render.status import status_json, status_text
    from host_agent.status import STATE_FILE, Trouble, read_status, troubles

    read = read_status(configuration(asked).settings.state_path / STATE_FILE)
    status, found = (None, [read]) if isinstance(read, Trouble) else (read, list(troubles(read)))
    exit_code = EXIT_NO if found else EXIT_DONE
    if asked.format == "json":
        return Answer(status_json(status, found), exit_code)
    return Answer(status_text(status, found, colour=takes_colour()), exit_code)
