# SPDX-License-Identifier: Apache-2.0
"""``host-agent run``: the daemon."""

from __future__ import annotations

import argparse

from host_agent.commands.answer import Answer
from host_agent.commands.arguments import Parser, configuration, take

__all__ = ["add_arguments"]


def add_arguments(parser: Parser) -> None:
    """Add what the command can be told."""
    take(parser, _run)


def _run(asked: argparse.Namespace) -> Answer:
    settings = configuration(asked)
    from host_agent import daemon

    daemon.run(settings)
    return Answer()
