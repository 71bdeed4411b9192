# SPDX-License-Identifier: Apache-2.0
"""``os-capability fit``: can this machine take it, and where?"""

from __future__ import annotations

import argparse

from os_capability.commands.answer import EXIT_DONE, EXIT_NO, Answer, UsageError, json_text
from os_capability.commands.machine import add_machine, read_machine
from os_capability.insight.fit import fit
from os_capability.insight.fitting.demand import Demand
from os_capability.render.fit import fit_document, render_fit
from os_capability.size import parse_size

__all__ = ["DESCRIPTION", "add_arguments", "run"]

DESCRIPTION = (
    "Answers yes (exit code 0) with the NUMA nodes and CPUs, or no or unknown (1) with every constraint that fails"
    " and by how much. Nothing is overcommitted. SIZE is in bytes, or like 512M, 4G, 4GiB."
)

# What a person calls the fields of a demand.
_OPTIONS = {
    "vcpus": "--vcpus",
    "pcpus": "--pcpus",
    "memory_bytes": "--memory",
    "hugepage_size_bytes": "--hugepage-size",
    "numa_nodes": "--numa-nodes",
    "near": "--near",
    "cpu_threads": "--cpu-threads",
}


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
        help="dedicated CPUs are whole cores first, then threads (prefer, the default), thread siblings only (require),"
        " or one thread of a core each, its siblings idle (isolate)",
    )
    parser.add_argument("-f", dest="format", choices=("table", "json"), default="table", help="default: table")
    add_machine(parser)


def run(asked: argparse.Namespace) -> Answer:
    """Answer yes with the nodes and CPUs, or no or unknown with what is lacking.

    Raises:
        UsageError: the demand is none that could be met anywhere.
        OsCapabilityError: the machine could not be read.
    """
    demand = _demand(asked)
    answer = fit(read_machine(asked), demand)
    text = json_text(fit_document(answer)) if asked.format == "json" else render_fit(answer, demand)
    return Answer(text, EXIT_DONE if answer.fits else EXIT_NO)


def _demand(asked: argparse.Namespace) -> Demand:
    memory_bytes = _size(asked.memory, "--memory") or 0
    if not (asked.vcpus or asked.pcpus or memory_bytes):
        raise UsageError("fit: nothing is asked for; give --vcpus, --pcpus or --memory")
    if asked.hugepage_size and not asked.memory:
        raise UsageError("fit: --hugepage-size says of what pages --memory is; give --memory too")
    if asked.cpu_threads and not asked.pcpus:
        raise UsageError("fit: --cpu-threads says which threads --pcpus are; give --pcpus too")
    try:
        return Demand(
            vcpus=asked.vcpus,
            pcpus=asked.pcpus,
            memory_bytes=memory_bytes,
            hugepage_size_bytes=_size(asked.hugepage_size, "--hugepage-size"),
            numa_nodes=asked.numa_nodes,
            near=asked.near,
            cpu_threads=asked.cpu_threads or "prefer",
        )
    except ValueError as error:
        field, _, complaint = str(error).partition(": ")
        raise UsageError(f"fit: {_OPTIONS[field]}: {complaint}") from None


def _size(text: str | None, option: str) -> int | None:
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise UsageError(f"fit: {option}: {error}") from None
