# SPDX-License-Identifier: Apache-2.0
"""A machine drawn with box characters for a terminal, or with ASCII alone."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby

from os_capability.model import Host
from os_capability.render.drawing import Bar, Box, Core, Drawing, Mark, Thread
from os_capability.render.layout import layout
from os_capability.render.placement import Metrics, Placed, box_width, clip, heading, place
from os_capability.render.terminal import BOLD, CYAN, DIM, GREEN, UNSTYLED, YELLOW, painted, warning_lines, wrap

__all__ = ["render_text"]

_BAR = 10
# Which border character a place has, by the sides from which lines come into it.
_LEFT, _RIGHT, _UP, _DOWN = 1, 2, 4, 8
_BORDERS = " ───│┘└┴│┐┌┬│┤├┼"
# The second place of a wide letter.
_TAKEN = "\0"
_ASCII = str.maketrans("─│┘└┴┐┌┬┤├┼█░·…", "-|+++++++++#.-~")


def render_text(host: Host, *, width: int = 100, colour: bool = False, ascii_only: bool = False) -> str:
    """Draw a machine in lines of at most `width` columns, 40 or more."""
    drawing = layout(host)
    signs = _Signs(drawing)
    metrics = _metrics(signs)
    placed = place(drawing.machine, 0, 0, box_width(drawing.machine, width, metrics), metrics)
    canvas = _Canvas(placed.width, placed.height)
    _paint(canvas, placed, signs)
    below = _below(drawing.legend, warning_lines(host.warnings, width, text_width), width)
    return "\n".join((*canvas.lines(colour, ascii_only), *below.lines(colour, ascii_only)))


def _below(legend: Sequence[Mark], warnings: Sequence[str], width: int) -> _Canvas:
    explained = [line for mark in legend for line in wrap(_explained(mark), width, text_width=text_width)]
    canvas = _Canvas(width, len(explained) + len(warnings))
    for row, line in enumerate((*explained, *warnings)):
        canvas.write(0, row, line, DIM if row < len(explained) else YELLOW)
    return canvas


def text_width(text: str) -> int:
    """Give how many columns a terminal takes for a text: two for an ideograph, none for a combining mark."""
    if text.isascii():
        return len(text)
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1


class _Signs:
    """How the CPUs of a drawing are written, all as wide as the widest."""

    def __init__(self, drawing: Drawing) -> None:
        threads = [thread for core in _cores(drawing.machine) for thread in core.threads]
        self._isolated = any(thread.isolated for thread in threads)
        self.thread_width = max((len(self._written(thread)) for thread in threads), default=1)
        self.label_width = max((len(bar.label) for box in _boxes(drawing.machine) for bar in box.bars), default=0)

    def thread(self, thread: Thread) -> str:
        return self._written(thread).rjust(self.thread_width)

    def _written(self, thread: Thread) -> str:
        sign = "i" if thread.isolated else ""
        if not thread.online:
            return f"({thread.cpu}{sign})"
        return f"{thread.cpu}{sign or (' ' if self._isolated else '')}"


def _metrics(signs: _Signs) -> Metrics:
    return Metrics(
        text_width=text_width,
        title_width=text_width,
        bar_width=lambda bar: _bar_width(bar, signs.label_width),
        longest_line=56,
        line=1,
        bar=1,
        title=1,
        side=2,
        bottom=1,
        block_gap=0,
        box_gap=1,
        box_gap_below=0,
        core_gap=-1,
        core_edge=2,
        core_side=2,
        thread=signs.thread_width,
        thread_height=1,
        thread_gap=1,
        mark=2,
    )


def _paint(canvas: _Canvas, placed: Placed, signs: _Signs) -> None:
    x, y, what = placed.x, placed.y, placed.what
    if isinstance(what, Box):
        canvas.frame(placed)
        _paint_heading(canvas, placed, what)
        bars = [(inner.what, inner) for inner in placed.inside if isinstance(inner.what, Bar)]
        _paint_bars(canvas, bars, signs.label_width)
    elif isinstance(what, Core):
        canvas.frame(placed)
        canvas.write(x + 2, y + 1, what.mark, CYAN)
    elif isinstance(what, Thread):
        style = UNSTYLED if what.online else DIM
        canvas.write(x, y, signs.thread(what), YELLOW if what.isolated else style)
    elif not isinstance(what, Bar):
        canvas.write(x, y, what.text, UNSTYLED if what.role == "device" else DIM)
    for inner in placed.inside:
        _paint(canvas, inner, signs)


def _paint_heading(canvas: _Canvas, placed: Placed, box: Box) -> None:
    text = clip(heading(box), placed.width - 4, text_width)
    title = text[: len(box.title)]
    canvas.write(placed.x + 1, placed.y, f" {title}", BOLD)
    canvas.write(placed.x + 2 + text_width(title), placed.y, f"{text[len(title) :]} ", UNSTYLED)


def _paint_bars(canvas: _Canvas, bars: Sequence[tuple[Bar, Placed]], label_width: int) -> None:
    """Draw the bars of a box; where there is no room for all of them, they go before their numbers do."""
    fit = all(_bar_width(bar, label_width) <= placed.width for bar, placed in bars)
    for bar, placed in bars:
        if fit and bar.share is not None:
            _paint_bar(canvas, placed, bar, bar.share, label_width)
        else:
            texts = (f"{label} {bar.text}" for label in (bar.label.ljust(label_width), bar.label))
            text = next((text for text in texts if text_width(text) <= placed.width), bar.text)
            canvas.write(placed.x, placed.y, clip(text, placed.width, text_width), UNSTYLED)


def _paint_bar(canvas: _Canvas, placed: Placed, bar: Bar, share: float, label_width: int) -> None:
    x, y = placed.x + label_width + 1, placed.y
    # What is in use at all shows, however little it is.
    filled = min(_BAR, math.ceil(share * _BAR))
    canvas.write(placed.x, y, bar.label, UNSTYLED)
    canvas.write(x, y, "█" * filled, GREEN)
    canvas.write(x + filled, y, "░" * (_BAR - filled), DIM)
    canvas.write(x + _BAR + 2, y, bar.text, UNSTYLED)


def _bar_width(bar: Bar, label_width: int) -> int:
    return label_width + _BAR + 3 + text_width(bar.text)


def _explained(mark: Mark) -> str:
    return f"{mark.sign} {mark.text}" if mark.sign else mark.text


def _boxes(box: Box) -> Iterator[Box]:
    yield box
    for inner in box.boxes:
        yield from _boxes(inner)


def _cores(machine: Box) -> Iterator[Core]:
    return (part for box in _boxes(machine) for part in box.parts if isinstance(part, Core))


class _Canvas:
    """Places for letters, and lines between them that join where they meet."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._letters = [[""] * width for _ in range(height)]
        self._styles = [[UNSTYLED] * width for _ in range(height)]
        self._borders = [[0] * width for _ in range(height)]

    def frame(self, placed: Placed) -> None:
        left, right = placed.x, placed.x + placed.width - 1
        top, bottom = placed.y, placed.y + placed.height - 1
        for row in (top, bottom):
            for x in range(left, right):
                self._borders[row][x] |= _RIGHT
                self._borders[row][x + 1] |= _LEFT
        for x in (left, right):
            for row in range(top, bottom):
                self._borders[row][x] |= _DOWN
                self._borders[row + 1][x] |= _UP

    def write(self, x: int, y: int, text: str, style: str) -> None:
        for letter in text:
            width = _letter_width(letter)
            if width == 0 and x > 0:
                self._letters[y][x - 1] += letter
            elif x + width <= self._width:
                self._letters[y][x] = letter
                self._styles[y][x : x + width] = [style] * width
                if width == 2:
                    self._letters[y][x + 1] = _TAKEN
            x += width

    def lines(self, colour: bool, ascii_only: bool) -> Iterator[str]:
        for letters, styles, borders in zip(self._letters, self._styles, self._borders, strict=True):
            shown = [letter or _BORDERS[border] for letter, border in zip(letters, borders, strict=True)]
            if ascii_only:
                shown = [_in_ascii(letter) for letter in shown]
            yield _coloured(shown, styles) if colour else "".join(shown).replace(_TAKEN, "").rstrip()


def _in_ascii(letter: str) -> str:
    letter = letter.translate(_ASCII)
    return letter if letter.isascii() and letter != _TAKEN else "?"


def _coloured(letters: Sequence[str], styles: Sequence[str]) -> str:
    line, at = "", 0
    for style, run in groupby(styles):
        end = at + len(list(run))
        text = "".join(letters[at:end]).replace(_TAKEN, "")
        line += painted(text, style, colour=bool(text.strip()))
        at = end
    return line.rstrip()
