# SPDX-License-Identifier: Apache-2.0
"""``os-capability traits``: the os-traits names of a machine."""

from __future__ import annotations

import argparse

from os_capability.commands.answer import Answer, json_text
from os_capability.commands.machine import add_machine, read_machine
from os_capability.insight.traits import traits

__all__ = ["DESCRIPTION", "add_arguments", "run"]

DESCRIPTION = "Lists what the machine has by OpenStack's standard names (HW_CPU_X86_AVX2), one a line."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told."""
    parser.add_argument("-f", dest="format", choices=("plain", "json"), default="plain", help="default: plain")
    add_machine(parser)


def run(asked: argparse.Namespace) -> Answer:
    """List the traits.

    Raises:
        OsCapabilityError: the machine could not be read.
    """
    names = traits(read_machine(asked))
    return Answer(json_text(list(names)) if asked.format == "json" else "\n".join(names))
