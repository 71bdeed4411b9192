# SPDX-License-Identifier: Apache-2.0
"""The command `os-capability`: what is this machine?"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import os_capability
from os_capability.commands.answer import EXIT_DONE, Answer, UsageError
from os_capability.detect import SOURCES
from os_capability.errors import InvalidRoot, OsCapabilityError

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction["_Parser"]

__all__ = ["main"]

EXIT_USAGE, EXIT_UNREADABLE, EXIT_UNWRITTEN, EXIT_INTERRUPTED = 2, 3, 74, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        answer = _answer(asked)
        print(answer.text, flush=True)
    except (InvalidRoot, UsageError) as error:
        return _complain(str(error), EXIT_USAGE)
    except OsCapabilityError as error:
        return _complain(str(error), EXIT_UNREADABLE)
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough. The interpreter must not try to flush again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        return _complain(f"the answer could not be written: {error.strerror}", EXIT_UNWRITTEN)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return answer.exit_code


def _answer(asked: argparse.Namespace) -> Answer:
    # Only the command that was asked for is loaded: `show` must not pay for what draws or compares.
    command = importlib.import_module(f"os_capability.commands.{asked.command}")
    answer: Answer = command.run(asked)
    return answer


def _complain(message: str, exit_code: int) -> int:
    print(f"os-capability: {message}", file=sys.stderr)
    return exit_code


class _Parser(argparse.ArgumentParser):
    """Answers wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"os-capability: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="os-capability",
        description="What this machine can give: CPUs, NUMA nodes and memory.",
        epilog='exit codes: 0 done, 1 the answer is "no" (check, fit), 2 wrong usage,'
        " 3 the machine could not be read, 74 the answer could not be written",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {os_capability.__version__}")
    # A given prog spares argparse formatting one, for which it loads shutil and three compressors.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=parser.prog)
    _add_show(commands)
    return parser


def _add_show(commands: _Commands) -> None:
    show = commands.add_parser(
        "show",
        help="this machine, or one captured in a folder",
        description="Shows the machine: CPUs, memory and NUMA nodes.",
    )
    show.add_argument("-f", dest="format", choices=("table", "json", "yaml"), default="table", help="default: table")
    show.add_argument(
        "-c",
        dest="fields",
        metavar="FIELD",
        action="append",
        default=[],
        help="only this field of the document, by its dotted name (cpu.threads, numa.nodes.cpus); may be repeated",
    )
    _add_machine(show)


def _add_machine(command: argparse.ArgumentParser) -> None:
    """Let a command ask about another machine than this one."""
    command.add_argument(
        "--root",
        metavar="DIR",
        default="/",
        help="a folder with the proc and sys of a machine, or a tar archive of one",
    )
    command.add_argument(
        "--source",
        choices=SOURCES,
        default="auto",
        help="who tells the topology: both and sysfs decides (auto), or one alone, which then never falls back",
    )
