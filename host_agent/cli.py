# SPDX-License-Identifier: Apache-2.0
"""The command `host-agent`: its parser, its errors as one line each, its exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from host_agent.commands.answer import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_STORE,
    EXIT_UNREADABLE,
    EXIT_UNWRITTEN,
    EXIT_USAGE,
    Answer,
    Failed,
    say,
)
from host_agent.commands.arguments import Parser, add_commands, add_global_options, described

__all__ = ["main"]

_UNWRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

# In the order in which help lists them.
_COMMANDS = {
    "once": "read this machine, store its row, and show the row",
    "run": "the daemon: what systemd starts",
    "api": "the HTTP API: what the database says of the fleet, for the clients of Nova and Zun",
    "status": "how the running agent fares; exit 1 if not well",
    "hosts": "the hosts in the database",
    "identity": "who this host is to the database",
    "token": "who may use the API",
    "db": "the schema of the database",
    "config": "the settings",
}

_EPILOG = """\
exit codes: 0 done; 1 the answer is no (db check, hosts show, status); 2 wrong usage or settings;
3 the machine could not be read; 4 trouble with the database; 74 the answer could not be written
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    asked = _parser(given).parse_args(given)
    try:
        answer: Answer = asked.command(asked)
        _write(answer.text)
    except BrokenPipeError:  # the reader (head, a pager) has seen enough
        _stop_writing()
        return EXIT_DONE
    except OSError as error:
        if error.errno not in _UNWRITTEN:
            raise
        _stop_writing()
        return _failed(f"the answer could not be written: {error.strerror}", EXIT_UNWRITTEN)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Failed as failure:
        return _failed(str(failure), failure.exit_code)
    except Exception as error:
        return _failed(str(error), _exit_code(error))
    return answer.exit_code


def _write(text: str) -> None:
    if text and sys.stdout is not None:
        # A label may hold what no terminal takes; a lone surrogate comes out as JSON writes it.
        encoding = sys.stdout.encoding
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _stop_writing() -> None:
    """Keep the interpreter from flushing once more at its end what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(error: Exception) -> int:
    """Give the exit code of an expected error; anything else is a bug and goes on as it is."""
    from host_agent.errors import ConfigError, HostAgentError, IdentityError, InvalidDatabaseUrl, InvalidRecord
    from os_capability import InvalidRoot, OsCapabilityError

    for kinds, code in (
        ((ConfigError, IdentityError, InvalidDatabaseUrl, InvalidRoot), EXIT_USAGE),
        ((OsCapabilityError, InvalidRecord), EXIT_UNREADABLE),
        ((HostAgentError,), EXIT_STORE),
    ):
        if isinstance(error, kinds):
            return code
    raise error


def _failed(message: str, exit_code: int) -> int:
    say(message)
    return exit_code


def _parser(given: Sequence[str]) -> Parser:
    """Make the parser of the command line, with the arguments of the commands whose names are `given` alone."""
    parser = Parser(
        prog="host-agent",
        description="Keeps this host's row in the compute_host table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    add_global_options(parser, "before")
    commands = add_commands(parser)
    for name, about in _COMMANDS.items():
        command = commands.add_parser(name, help=about, description=described(about))
        if name in given:
            importlib.import_module(f"host_agent.commands.{name}").add_arguments(command)
    return parser


class _Version(argparse.Action):
    """Asks the library for the version only when somebody wants to know it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from os_capability import __version__

        print(f"{parser.prog} {__version__}")
        parser.exit()
