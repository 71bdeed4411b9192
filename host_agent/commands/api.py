# SPDX-License-Identifier: Apache-2.0
"""``host-agent api``: the HTTP API."""

from __future__ import annotations

import argparse

from host_agent.commands.answer import EXIT_USAGE, Answer, Failed
from host_agent.commands.arguments import Parser, configuration, take

__all__ = ["add_arguments"]


def add_arguments(parser: Parser) -> None:
    """Add what the command can be told."""
    take(parser, _serve)
    parser.add_argument("--bind", metavar="ADDRESS:PORT", help="where it listens (default: 127.0.0.1:8775)")


def _serve(asked: argparse.Namespace) -> Answer:
    settings = configuration(asked, api_bind=asked.bind)
    try:
        from host_agent.api import server
    except ModuleNotFoundError as error:
        raise Failed(f"the API needs {error.name}: pip install 'os-capability[api]'", EXIT_USAGE) from None
    server.serve(settings)
    return Answer()
