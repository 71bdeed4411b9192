# SPDX-License-Identifier: Apache-2.0
"""``os-capability diff``: what changed between two machines, or one machine at two moments."""

from __future__ import annotations

import argparse

from os_capability.commands.answer import Answer, json_text, takes_colour
from os_capability.insight.diff import Change, diff
from os_capability.render.changes import render_changes
from os_capability.roots import read_host

__all__ = ["DESCRIPTION", "add_arguments", "run"]

DESCRIPTION = (
    "Tells what changed from OLD to NEW. Each is a document (show -f json), a folder with the proc and"
    " sys of a machine, an archive of one, or / for this machine."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told."""
    parser.add_argument("old", metavar="OLD", help="the machine as it was")
    parser.add_argument("new", metavar="NEW", help="the machine as it is")
    parser.add_argument("-f", dest="format", choices=("table", "json"), default="table", help="default: table")


def run(asked: argparse.Namespace) -> Answer:
    """Give the changes from one machine to the other.

    Raises:
        InvalidRoot: one of them is neither a document nor a machine.
        OsCapabilityError: one of them could not be read.
    """
    changes = diff(read_host(asked.old), read_host(asked.new))
    if asked.format == "json":
        return Answer(json_text({"changes": [_as_json(change) for change in changes]}))
    return Answer(render_changes(changes, colour=takes_colour()))


def _as_json(change: Change) -> dict[str, object]:
    return {
        "code": change.code,
        "effect": change.effect,
        "message": change.message,
        "detail": dict(change.detail),
    }
