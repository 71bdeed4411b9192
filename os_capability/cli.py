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
    _add_topology(commands)
    _add_capture(commands)
    _add_check(commands)
    _add_diff(commands)
    _add_fit(commands)
    _add_traits(commands)
    return parser


def _add_show(commands: _Commands) -> None:
    show = commands.add_parser(
        "show",
        help="this machine, or one captured in a folder",
        description="Shows the machine: CPUs, memory and NUMA nodes.",
    )
    formats = ("table", "json", "yaml", "prometheus")
    show.add_argument("-f", dest="format", choices=formats, default="table", help="default: table")
    show.add_argument(
        "-c",
        dest="fields",
        metavar="FIELD",
        action="append",
        default=[],
        help="only this field of the document, by its dotted name (cpu.threads, numa.nodes.cpus); may be repeated",
    )
    _add_machine(show)


def _add_topology(commands: _Commands) -> None:
    topology = commands.add_parser(
        "topology",
        help="the machine drawn: nodes, sockets, cores and threads as boxes",
        description="Draws the machine as boxes in boxes: NUMA nodes, sockets, dies, shared caches, cores and CPUs,"
        " with memory and huge pages as bars. What repeats is folded on machines of more than 48 CPUs.",
    )
    topology.add_argument("--svg", metavar="FILE", help="write the drawing as an SVG image; - is standard output")
    topology.add_argument(
        "--width",
        type=int,
        metavar="COLUMNS",
        help="no line is longer (default: the terminal's width, or 100 where there is none)",
    )
    _add_machine(topology)


def _add_capture(commands: _Commands) -> None:
    capture = commands.add_parser(
        "capture",
        help="this machine as an archive for a bug report, without what identifies it",
        description="Writes the files that are read of this machine into an archive, without host name, machine id,"
        " serial numbers, MACs and users. show --root FILE shows the machine again.",
    )
    capture.add_argument("file", metavar="FILE.tar.gz", help="the archive to write")
    _add_root(capture)


def _add_check(commands: _Commands) -> None:
    check = commands.add_parser(
        "check",
        help="hazards for somebody about to run workloads here",
        description="Finds what costs capacity, speed or safety, or misleads placement, each with its evidence and what"
        " to do. Exits 1 where there are hazards; notes are none.",
    )
    check.add_argument("-f", dest="format", choices=("table", "json"), default="table", help="default: table")
    check.add_argument(
        "--accept",
        dest="accepted",
        metavar="CODE",
        action="append",
        default=[],
        help="leave out this hazard: it is meant to be so; may be repeated",
    )
    _add_machine(check)


def _add_diff(commands: _Commands) -> None:
    diff = commands.add_parser(
        "diff",
        help="what changed between two machines, or one at two moments",
        description="Tells what changed from OLD to NEW. Each is a document (show -f json), a folder with the proc and"
        " sys of a machine, an archive of one, or / for this machine.",
    )
    diff.add_argument("old", metavar="OLD", help="the machine as it was")
    diff.add_argument("new", metavar="NEW", help="the machine as it is")
    diff.add_argument("-f", dest="format", choices=("table", "json"), default="table", help="default: table")


def _add_fit(commands: _Commands) -> None:
    fit = commands.add_parser(
        "fit",
        help="whether and where the machine can take a workload",
        description="Answers yes (exit code 0) with the NUMA nodes and CPUs, or no (1) with every constraint that fails"
        " and by how much. Nothing is overcommitted. SIZE is in bytes, or like 512M, 4G, 4GiB.",
    )
    fit.add_argument("--vcpus", type=int, default=0, metavar="N", help="shared CPUs")
    fit.add_argument("--pcpus", type=int, default=0, metavar="N", help="dedicated CPUs, isolated ones first")
    fit.add_argument("--memory", metavar="SIZE", help="ordinary memory, or with --hugepage-size so much in huge pages")
    fit.add_argument("--hugepage-size", metavar="SIZE", help="take the memory from the huge pages of this size")
    fit.add_argument("--numa-nodes", type=int, metavar="N", help="on at most so many NUMA nodes (default: any number)")
    fit.add_argument("--near", metavar="PCI", help="with the NUMA node of this PCI device among them (0000:3b:00.0)")
    fit.add_argument(
        "--cpu-threads",
        choices=("prefer", "require", "isolate"),
        default="prefer",
        help="dedicated CPUs are whole cores first, then threads (prefer, the default), thread siblings only (require),"
        " or one thread of a core each, its siblings idle (isolate)",
    )
    fit.add_argument("-f", dest="format", choices=("table", "json"), default="table", help="default: table")
    _add_machine(fit)


def _add_traits(commands: _Commands) -> None:
    traits = commands.add_parser(
        "traits",
        help="the os-traits names the machine has",
        description="Lists what the machine has by OpenStack's standard names (HW_CPU_X86_AVX2), one a line.",
    )
    traits.add_argument("-f", dest="format", choices=("plain", "json"), default="plain", help="default: plain")
    _add_machine(traits)


def _add_machine(command: argparse.ArgumentParser) -> None:
    """Let a command ask about another machine than this one, and whom."""
    _add_root(command)
    command.add_argument(
        "--source",
        choices=SOURCES,
        default="auto",
        help="who tells the topology: both and sysfs decides (auto), or one alone, which then never falls back",
    )


def _add_root(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--root",
        metavar="DIR",
        default="/",
        help="a folder with the proc and sys of a machine, or a tar archive of one",
    )
