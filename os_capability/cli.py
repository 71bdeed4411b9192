# SPDX-License-Identifier: Apache-2.0
"""The command `os-capability`: what is this machine?"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import os_capability
from os_capability.commands.answer import EXIT_DONE, Answer, UsageError
from os_capability.errors import InvalidRoot, OsCapabilityError
from os_capability.number import whole_number

__all__ = ["main"]

EXIT_USAGE, EXIT_UNREADABLE, EXIT_UNWRITTEN, EXIT_INTERRUPTED = 2, 3, 74, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    asked = _parser(next((word for word in given if not word.startswith("-")), None)).parse_args(given)
    try:
        answer: Answer = _module(asked.command).run(asked)
        _write(answer.text)
    except (InvalidRoot, UsageError) as error:
        return _complain(str(error), EXIT_USAGE)
    except OsCapabilityError as error:
        return _complain(str(error), EXIT_UNREADABLE)
    except BrokenPipeError:  # the reader (head, a pager) has seen enough
        _stop_writing()
        return EXIT_DONE
    except OSError as error:
        if sys.stdout is not None:
            _stop_writing()
        return _complain(f"the answer could not be written: {error.strerror}", EXIT_UNWRITTEN)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return answer.exit_code


def _module(command: str) -> Any:
    # Only the command that was asked for is loaded: `show` must not pay for what draws or compares.
    return importlib.import_module(f"os_capability.commands.{command}")


def _write(text: str) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if text:
        print(text, flush=True)


def _stop_writing() -> None:
    """Keep the interpreter from flushing once more at its end what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, exit_code: int) -> int:
    print(f"os-capability: {message}", file=sys.stderr)
    return exit_code


class _Formatter(argparse.HelpFormatter):
    """Knows the terminal's width without shutil, which argparse loads for it together with three compressors."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_terminal_columns() - 2)


def _terminal_columns() -> int:
    columns = whole_number(os.environ.get("COLUMNS", ""), 6)
    if columns:
        return columns
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (AttributeError, OSError, ValueError):  # no standard output, or no terminal
        return 80


class _Parser(argparse.ArgumentParser):
    """Answers wrong usage in one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Formatter, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"os-capability: {message} (see {self.prog} --help)\n")


# In the order in which help lists them.
_COMMANDS = {
    "show": "this machine, or one captured in a folder",
    "topology": "the machine drawn: nodes, sockets, cores and threads as boxes",
    "check": "hazards for somebody about to run workloads here",
    "diff": "what changed between two machines, or one at two moments",
    "fit": "whether and where the machine can take a workload",
    "traits": "the os-traits names the machine has",
    "capture": "this machine as an archive for a bug report, without what identifies it",
}


def _parser(asked: str | None) -> argparse.ArgumentParser:
    """Make the parser of the command line, with the arguments of the command that is `asked` for alone.

    argparse formats each argument when it is added: those of all commands take as long as reading a small machine.
    """
    parser = _Parser(
        prog="os-capability",
        description="What this machine can give: CPUs, NUMA nodes and memory.",
        epilog='exit codes: 0 done, 1 the answer is "no" (check, fit) or unknown (fit), 2 wrong usage,'
        " 3 the machine could not be read, 74 the answer could not be written",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {os_capability.__version__}")
    # A given prog spares argparse formatting one.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=parser.prog)
    for name, about in _COMMANDS.items():
        command = commands.add_parser(name, help=about)
        if name == asked:
            module = _module(name)
            command.description = module.DESCRIPTION
            module.add_arguments(command)
    return parser
