# SPDX-License-Identifier: Apache-2.0
"""``os-capability topology``: the machine drawn."""

from __future__ import annotations

import argparse
import os
import sys

from os_capability.commands.answer import Answer, UsageError, takes_colour
from os_capability.commands.machine import add_machine, read_machine
from os_capability.model import Host

__all__ = ["DESCRIPTION", "add_arguments", "run"]

DESCRIPTION = (
    "Draws the machine as boxes in boxes: NUMA nodes, sockets, dies, shared caches, cores and CPUs,"
    " with memory and huge pages as bars. What repeats is folded on machines of more than 48 CPUs."
)

_WIDTH, _NARROWEST, _WIDEST = 100, 40, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told."""
    parser.add_argument("--svg", metavar="FILE", help="write the drawing as an SVG image; - is standard output")
    parser.add_argument(
        "--width",
        type=int,
        metavar="COLUMNS",
        help="no line is longer (default: the terminal's width, or 100 where there is none)",
    )
    add_machine(parser)


def run(asked: argparse.Namespace) -> Answer:
    """Draw the machine on the terminal, or as SVG into a file.

    Raises:
        UsageError: no machine can be drawn as narrow, or need be drawn as wide.
        OSError: the file could not be written.
        OsCapabilityError: the machine could not be read.
    """
    width = _terminal_width() if asked.width is None else asked.width
    if not _NARROWEST <= width <= _WIDEST:
        raise UsageError(f"topology: --width {width}: give {_NARROWEST} to {_WIDEST} columns")
    host = read_machine(asked)
    if asked.svg is not None:
        return _svg(host, asked.svg)
    from os_capability.render.topology_text import render_text

    return Answer(render_text(host, width=width, colour=takes_colour(), ascii_only=not _takes_box_characters()))


def _svg(host: Host, path: str) -> Answer:
    from os_capability.render.topology_svg import render_svg

    drawing = render_svg(host)
    if path == "-":
        return Answer(drawing.rstrip("\n"))
    from os_capability.output_file import write_file

    content = drawing.encode()
    write_file(path, content)
    return Answer(f"{path}: the machine drawn as SVG, {len(content) / 1024:.0f} KiB")


def _terminal_width() -> int:
    """Give the columns of the terminal, or 100 where the drawing goes elsewhere."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (AttributeError, OSError, ValueError):
        return _WIDTH
    # A terminal that does not know its size says 0.
    return min(max(columns, _NARROWEST), _WIDEST) if columns else _WIDTH


def _takes_box_characters() -> bool:
    """Tell whether the reader sees UTF-8. In the locale C Python writes UTF-8 all the same, unasked."""
    asked_for_ascii = os.environ.get("LC_ALL") in ("C", "POSIX") and "PYTHONIOENCODING" not in os.environ
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return encoding == "utf8" and not asked_for_ascii
