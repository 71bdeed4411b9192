# SPDX-License-Identifier: Apache-2.0
"""``os-capability topology``: the machine drawn."""

from __future__ import annotations

import argparse
import os
import sys

from os_capability.commands.answer import Answer, UsageError, takes_colour
from os_capability.detect import collect
from os_capability.model import Host
from os_capability.roots import opened_root

__all__ = ["run"]

_WIDTH, _NARROWEST, _WIDEST = 100, 40, 1000


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
    with opened_root(asked.root) as root:
        host = collect(root, asked.source)
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
