# SPDX-License-Identifier: Apache-2.0
"""What every command can be told, and how wrong usage is answered."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from host_agent.commands.answer import EXIT_USAGE, Answer

if TYPE_CHECKING:
    from host_agent.settings import Configuration

__all__ = [
    "Command",
    "Commands",
    "Parser",
    "add_command",
    "add_commands",
    "add_global_options",
    "configuration",
    "described",
    "take",
]

# Does what was asked for.
Command: TypeAlias = Callable[[argparse.Namespace], Answer]


class Parser(argparse.ArgumentParser):
    """Answers wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        """End with a line that says what was wrong."""
        self.exit(EXIT_USAGE, f"host-agent: {message} (see {self.prog} --help)\n")


# argparse has no public name for what add_subparsers() gives.
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def add_commands(parser: Parser) -> Commands:
    """Make `parser` that of a family of commands."""
    # A given prog spares argparse formatting one.
    return parser.add_subparsers(metavar="COMMAND", required=True, prog=parser.prog)


def add_command(commands: Commands, name: str, command: Command, about: str, formats: Sequence[str] = ()) -> Parser:
    """Add one command of a family; `formats` are those of its answer, the default first."""
    parser = commands.add_parser(name, help=about, description=described(about))
    take(parser, command, formats)
    return parser


def take(parser: Parser, command: Command, formats: Sequence[str] = ()) -> None:
    """Make `parser` that of one command; `formats` are those of its answer, the default first."""
    parser.set_defaults(command=command)
    add_global_options(parser, "after")
    if formats:
        parser.add_argument("-f", dest="format", choices=formats, default=formats[0], help=f"default: {formats[0]}")


def described(about: str) -> str:
    """Make the line of a list the sentence of a page."""
    return f"{about[0].upper()}{about[1:]}."


def add_global_options(parser: Parser, where: str) -> None:
    """Add the options that may stand before the command and after it; each place has a name of its own."""
    parser.add_argument(
        "--config-file",
        metavar="FILE",
        action="append",
        default=[],
        dest=f"config_files_{where}",
        help="a settings file; may be repeated, the later one wins (default: /etc/os-capability/host-agent.conf)",
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        dest=f"database_url_{where}",
        help="where the rows are: sqlite:///FILE, postgresql+psycopg://... or mysql+pymysql://...",
    )


def configuration(asked: argparse.Namespace, api_bind: str | None = None) -> Configuration:
    """Load the settings that hold for a command.

    Args:
        asked: the command line.
        api_bind: where it says that the API is to listen.

    Raises:
        ConfigError: one of them is not valid.
    """
    from host_agent.settings import load

    before, after = asked.database_url_before, asked.database_url_after
    config_files = asked.config_files_before + asked.config_files_after
    return load(config_files, before if after is None else after, api_bind=api_bind)
