# SPDX-License-Identifier: Apache-2.0
"""``host-agent config``: the settings there are, and those in effect."""

from __future__ import annotations

import argparse

from host_agent.commands.answer import EXIT_USAGE, Answer, Failed
from host_agent.commands.arguments import Parser, add_command, add_commands, configuration

__all__ = ["add_arguments"]


def add_arguments(parser: Parser) -> None:
    """Add the commands of the family."""
    commands = add_commands(parser)
    add_command(commands, "sample", _sample, "a sample of every setting", formats=("conf", "markdown"))
    add_command(commands, "policy", _policy, "a sample of the policy for `[api] auth = keystone`: every rule")
    add_command(commands, "show", _show, "the settings in effect and where each comes from")


def _sample(asked: argparse.Namespace) -> Answer:
    from host_agent import sample

    text = {"conf": sample.as_conf, "markdown": sample.as_markdown}[asked.format]()
    return Answer(text.rstrip("\n"))


def _policy(_asked: argparse.Namespace) -> Answer:
    try:
        from host_agent.api.auth import policy
    except ModuleNotFoundError as error:
        raise Failed(f"the API needs {error.name}: pip install 'os-capability[api]'", EXIT_USAGE) from None
    return Answer(policy.sample().rstrip("\n"))


def _show(asked: argparse.Namespace) -> Answer:
    from host_agent.settings import shown

    return Answer("\n".join(f"{name} = {value}  ({origin})" for name, value, origin in shown(configuration(asked))))
