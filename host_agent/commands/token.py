# SPDX-License-Identifier: Apache-2.0
"""``host-agent token``: who may use the API where ``[api] auth`` is token."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import timedelta

from host_agent.commands.answer import EXIT_NO, Answer, Failed, say
from host_agent.commands.arguments import Parser, add_command, add_commands, configuration
from host_agent.commands.database import opened_current

__all__ = ["add_arguments"]

_ROLES = ("reader", "writer", "admin")
_LONGEST_DAYS = 36_500


def add_arguments(parser: Parser) -> None:
    """Add the commands of the family."""
    commands = add_commands(parser)
    create = add_command(commands, "create", _create, "make a token and print it, this once")
    create.add_argument("name", type=_name, metavar="NAME", help="what to call it: who or what will use it")
    create.add_argument("--role", required=True, choices=_ROLES, help="what its bearer may do")
    create.add_argument("--expires", type=_days, metavar="DAYS", help="how long it is good (default: until deleted)")
    add_command(commands, "list", _list, "the tokens there are", formats=("table", "json"))
    delete = add_command(commands, "delete", _delete, "let a token's bearer in no more")
    delete.add_argument("name", metavar="NAME", help="what it is called")


def _create(asked: argparse.Namespace) -> Answer:
    from host_agent import store
    from host_agent.errors import TokenExists

    lifetime = None if asked.expires is None else timedelta(days=asked.expires)
    settings = configuration(asked).settings
    with opened_current(settings) as engine:
        try:
            token = store.create_token(engine, asked.name, asked.role, lifetime=lifetime)
        except TokenExists as error:
            raise Failed(str(error), EXIT_NO) from None
    if settings.api.auth != "token":
        say(f"[api] auth is {settings.api.auth}: no token is asked for until it is token")
    return Answer(token)


def _list(asked: argparse.Namespace) -> Answer:
    from host_agent import store
    from host_agent.render.tokens import tokens_json, tokens_table

    with opened_current(configuration(asked).settings) as engine:
        tokens = [asdict(token) for token in store.list_tokens(engine)]
    return Answer(tokens_json(tokens) if asked.format == "json" else tokens_table(tokens))


def _delete(asked: argparse.Namespace) -> Answer:
    from host_agent import store
    from host_agent.errors import TokenNotFound

    with opened_current(configuration(asked).settings) as engine:
        try:
            store.delete_token(engine, asked.name)
        except TokenNotFound as error:
            raise Failed(str(error), EXIT_NO) from None
    return Answer(f"the bearer of {asked.name} is let in no more")


def _name(text: str) -> str:
    if not 0 < len(text) <= 255 or not text.isprintable() or text != text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not valid: up to 255 printable characters")
    return text


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid: a whole number from 1 to {_LONGEST_DAYS}")
    return int(text)
