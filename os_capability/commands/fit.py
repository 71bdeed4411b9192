# SPDX-License-Identifier: Apache-2.0
"""``os-capability fit``: can this machine take it, and where?"""

from __future__ import annotations

import argparse
import re

from os_capability.commands.answer import EXIT_DONE, EXIT_NO, Answer, UsageError, json_text
from os_capability.commands.machine import add_machine, read_machine
from os_capability.insight.fit import fit
from os_capability.insight.fitting.demand import Demand
from os_capability.render.fit import fit_document, render_fit

__all__ = ["DESCRIPTION", "add_arguments", "parse_size", "run"]

DESCRIPTION = (
    "Answers yes (exit code 0) with the NUMA nodes and CPUs, or no (1) with every constraint that fails"
    " and by how much. Nothing is overcommitted. SIZE is in bytes, or like 512M, 4G, 4GiB."
)

_SIZE = re.compile(r"([0-9]{1,18})(?:([KMGTP])(?:iB)?)?", re.ASCII | re.IGNORECASE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told."""
    parser.add_argument("--vcpus", type=int, default=0, metavar="N", help="shared CPUs")
    parser.add_argument("--pcpus", type=int, default=0, metavar="N", help="dedicated CPUs, isolated ones first")
    parser.add_argument(
        "--memory", metavar="SIZE", help="ordinary memory, or with --hugepage-size so much in huge pages"
    )
    parser.add_argument("--hugepage-size", metavar="SIZE", help="take the memory from the huge pages of this size")
    parser.add_argument(
        "--numa-nodes", type=int, metavar="N", help="on at most so many NUMA nodes (default: any number)"
    )
    parser.add_argument("--near", metavar="PCI", help="with the NUMA node of this PCI device among them (0000:3b:00.0)")
    parser.add_argument(
        "--cpu-threads",
        choices=("prefer", "require", "isolate"),
        default="prefer",
        help="dedicated CPUs are whole cores first, then threads (prefer, the default), thread siblings only (require),"
        " or one thread of a core each, its siblings idle (isolate)",
    )
    parser.add_argument("-f", dest="format", choices=("table", "json"), default="table", help="default: table")
    add_machine(parser)


def run(asked: argparse.Namespace) -> Answer:
    """Answer yes with the nodes and CPUs, or no with what is lacking.

    Raises:
        UsageError: the demand is none that could be met anywhere.
        OsCapabilityError: the machine could not be read.
    """
    demand = _demand(asked)
    answer = fit(read_machine(asked), demand)
    text = json_text(fit_document(answer)) if asked.format == "json" else render_fit(answer, demand)
    return Answer(text, EXIT_DONE if answer.fits else EXIT_NO)


def _demand(asked: argparse.Namespace) -> Demand:
    if not (asked.vcpus or asked.pcpus or asked.memory):
        raise UsageError("fit: nothing is asked for; give --vcpus, --pcpus or --memory")
    if asked.hugepage_size and not asked.memory:
        raise UsageError("fit: --hugepage-size says of what pages --memory is; give --memory too")
    try:
        return Demand(
            vcpus=asked.vcpus,
            pcpus=asked.pcpus,
            memory_bytes=parse_size(asked.memory or "0", "--memory"),
            hugepage_size_bytes=asked.hugepage_size and parse_size(asked.hugepage_size, "--hugepage-size"),
            numa_nodes=asked.numa_nodes,
            near=asked.near,
            cpu_threads=asked.cpu_threads,
        )
    except ValueError as error:
        raise UsageError(f"fit: {error}") from None


def parse_size(text: str, option: str) -> int:
    """Give the bytes of a size: ``1048576``, ``512M``, ``4G``, ``4GiB``; the units are powers of 1,024.

    Raises:
        UsageError: it is no such size; ``4GB`` is none, because people mean two different sizes by it.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"fit: {option}: {text!r} is no size; write bytes, or a size like 512M, 4G or 4GiB")
    number, unit = found.groups()
    return int(number) << 10 * " KMGTP".index((unit or " ").upper())
