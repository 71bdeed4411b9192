# SPDX-License-Identifier: Apache-2.0
"""Which machine a command asks about."""

from __future__ import annotations

import argparse

from os_capability.detect import SOURCES
from os_capability.model import Host
from os_capability.roots import read_host

__all__ = ["add_machine", "add_root", "read_machine"]


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Let a command ask about another machine than this one, and whom."""
    add_root(parser, " or a document of show -f json (- is standard input)")
    parser.add_argument(
        "--source",
        choices=SOURCES,
        default="auto",
        help="who tells the topology: both and sysfs decides (auto), or one alone, which then never falls back",
    )


def add_root(parser: argparse.ArgumentParser, otherwise: str = "") -> None:
    """Let a command ask about another machine than this one."""
    parser.add_argument(
        "--root",
        metavar="DIR",
        default="/",
        help=f"a folder with the proc and sys of a machine, a tar archive of one{otherwise}",
    )


def read_machine(asked: argparse.Namespace) -> Host:
    """Read the machine that was asked about.

    Raises:
        OsCapabilityError: it could not be read.
    """
    return read_host(asked.root, asked.source)
