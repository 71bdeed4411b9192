# SPDX-License-Identifier: Apache-2.0
"""Which machine a command asks about."""

from __future__ import annotations

import argparse

from os_capability.detect import SOURCES, collect
from os_capability.model import Host
from os_capability.roots import opened_root

__all__ = ["add_machine", "add_root", "read_machine"]


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Let a command ask about another machine than this one, and whom."""
    add_root(parser)
    parser.add_argument(
        "--source",
        choices=SOURCES,
        default="auto",
        help="who tells the topology: both and sysfs decides (auto), or one alone, which then never falls back",
    )


def add_root(parser: argparse.ArgumentParser) -> None:
    """Let a command ask about another machine than this one."""
    parser.add_argument(
        "--root",
        metavar="DIR",
        default="/",
        help="a folder with the proc and sys of a machine, or a tar archive of one",
    )


def read_machine(asked: argparse.Namespace) -> Host:
    """Read the machine that was asked about.

    Raises:
        OsCapabilityError: it could not be read.
    """
    with opened_root(asked.root) as root:
        return collect(root, asked.source)
