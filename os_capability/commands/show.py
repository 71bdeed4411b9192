# SPDX-License-Identifier: Apache-2.0
"""``os-capability show``: the facts of a machine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from os_capability.commands.answer import Answer, UsageError, json_text, takes_colour, yaml_text
from os_capability.commands.machine import add_machine, read_machine
from os_capability.model import Host

__all__ = ["DESCRIPTION", "add_arguments", "run"]

DESCRIPTION = "Shows the machine: CPUs, memory and NUMA nodes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told."""
    formats = ("table", "json", "yaml", "prometheus")
    parser.add_argument("-f", dest="format", choices=formats, default="table", help="default: table")
    parser.add_argument(
        "-c",
        dest="fields",
        metavar="FIELD",
        action="append",
        default=[],
        help="only this field of the document, by its dotted name (cpu.threads, numa.nodes.cpus); may be repeated",
    )
    add_machine(parser)


def run(asked: argparse.Namespace) -> Answer:
    """Show the machine whole, or the fields that were asked for.

    Raises:
        UsageError: there is no such field, or the format needs a package that is not installed.
        OsCapabilityError: the machine could not be read.
    """
    if asked.format == "prometheus" and asked.fields:
        raise UsageError("-f prometheus has names of its own; -c is for table, json and yaml")
    host = read_machine(asked)
    return Answer(_render(host, asked.format, asked.fields))


def _render(host: Host, wanted: str, fields: Sequence[str]) -> str:
    if wanted == "table" and not fields:
        from os_capability.render import table

        return table.render_host(host, colour=takes_colour())
    if wanted == "prometheus":
        from os_capability.render import prometheus

        return prometheus.render_prometheus(host).rstrip("\n")
    document = host.to_dict()
    if fields:
        document = {field: _below(document, field.split("."), 0) for field in fields}
    if wanted == "table":
        from os_capability.render import table

        return table.render_fields(document)
    return yaml_text(document) if wanted == "yaml" else json_text(document)


def _below(part: object, names: Sequence[str], at: int) -> object:
    """Give the part of a document that a dotted name means; inside a list it means that part of every item."""
    if at == len(names):
        return part
    if isinstance(part, list):
        return [_below(item, names, at) for item in part]
    if not isinstance(part, dict) or names[at] not in part:
        where = ".".join(names[:at]) or "the document"
        known = ", ".join(part) if isinstance(part, dict) else "nothing below it"
        raise UsageError(f"no field {'.'.join(names)!r}: {where} has {known}")
    return _below(part[names[at]], names, at + 1)
