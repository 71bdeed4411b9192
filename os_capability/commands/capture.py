# SPDX-License-Identifier: Apache-2.0
"""``os-capability capture``: a machine as an archive for a bug report or a test."""

from __future__ import annotations

import argparse
import shlex
import sys
import threading

from os_capability.capture import capture
from os_capability.commands.answer import Answer, UsageError
from os_capability.commands.machine import add_root
from os_capability.output_file import write_file
from os_capability.roots import opened_root

__all__ = ["DESCRIPTION", "add_arguments", "run"]

DESCRIPTION = (
    "Writes the files that are read of this machine into an archive, without host name, machine id,"
    " serial numbers, MACs and users. The names of the system and of the kernel's release stay as they are."
    " show --root FILE shows the machine again."
)

_PATIENCE_SECONDS = 2.0
_STANDARD_OUTPUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told."""
    parser.add_argument("file", metavar="FILE.tar.gz", help="the archive to write; - is standard output")
    add_root(parser)


def run(asked: argparse.Namespace) -> Answer:
    """Write the archive and say what is in it.

    Raises:
        UsageError: the file has another ending, or this system is not Linux.
        OSError: the file could not be written.
        OsCapabilityError: there is no machine to capture.
    """
    if asked.file != _STANDARD_OUTPUT and not asked.file.endswith((".tar.gz", ".tgz")):
        raise UsageError(f"{asked.file}: a capture is a .tar.gz; give it that ending, or - for standard output")
    if asked.root == "/" and not sys.platform.startswith("linux"):
        raise UsageError(f"only a Linux machine has files to capture, and this is {sys.platform}; use show -f json")
    waiting = threading.Timer(_PATIENCE_SECONDS, _say_that_it_takes_long)
    waiting.daemon = True
    waiting.start()
    try:
        with opened_root(asked.root) as root:
            captured = capture(root)
    finally:
        waiting.cancel()
    if asked.file == _STANDARD_OUTPUT:
        sys.stdout.buffer.write(captured.archive)
        sys.stdout.buffer.flush()
        return Answer("")
    write_file(asked.file, captured.archive)
    size_kib = len(captured.archive) / 1024
    text = (
        f"{asked.file}: {captured.files} files, {size_kib:.0f} KiB, without host name, ids, serial numbers, MACs and"
        f" users; look at it with: os-capability show --root {shlex.quote(asked.file)}"
    )
    if captured.failure is not None:
        text += f"\nIt is not whole, because this machine could not be read: {captured.failure}"
    return Answer(text)


def _say_that_it_takes_long() -> None:
    sys.stderr.write("os-capability: still reading the machine ...\n")
