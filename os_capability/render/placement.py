# SPDX-License-Identifier: Apache-2.0
"""Where everything of a drawing goes: boxes take the width they need, neighbours share rows, columns line up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from os_capability.render.drawing import Bar, Box, Core, Listed, Thread
from os_capability.render.terminal import wrap

__all__ = ["Line", "Metrics", "Placed", "box_width", "clip", "heading", "place"]

# More cores in a row are hard to count, unless there are very many.
_CORES_IN_A_ROW, _IN_A_ROW_OF_MANY = 8, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The sizes of what is drawn, in characters or in pixels.

    Attributes:
        text_width, title_width, bar_width: how wide a text, a title, or a bar with its texts is at least.
        longest_line: a longer text is broken rather than widen its box.
        line, bar: the heights of a line of text and of a bar.
        title, side, bottom: what a box needs above its contents, to each side and below.
        block_gap, box_gap, box_gap_below: between unlike contents of a box, and between boxes.
        core_gap: between cores, to the side and downward.
        core_edge, core_side: what a core needs above and below, and on each side of its threads.
        thread, thread_height, thread_gap: of each thread, and between them; ``mark``: of the letter of the core's kind.
    """

    text_width: Callable[[str], int]
    title_width: Callable[[str], int]
    bar_width: Callable[[Bar], int]
    longest_line: int
    line: int
    bar: int
    title: int
    side: int
    bottom: int
    block_gap: int
    box_gap: int
    box_gap_below: int
    core_gap: int
    core_edge: int
    core_side: int
    thread: int
    thread_height: int
    thread_gap: int
    mark: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of text; ``role`` is ``note``, ``listed`` or ``device``."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Something with its place on the canvas, and what is in it."""

    what: Box | Core | Thread | Bar | Line
    x: int
    y: int
    width: int
    height: int
    inside: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A run of one type of what a box holds; the other three are empty."""

    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    cores: tuple[Core, ...] = ()
    boxes: tuple[Box, ...] = ()


def place(box: Box, x: int, y: int, width: int, metrics: Metrics) -> Placed:
    """Put a box and what is in it into a width, and give it the height it needs."""
    inside: list[Placed] = []
    room = max(1, width - 2 * metrics.side)
    below = y + metrics.title
    for at, block in enumerate(_blocks(box)):
        below += metrics.block_gap if at else 0
        rows = list(_place_block(block, x + metrics.side, below, room, metrics))
        inside += rows
        below = max((placed.y + placed.height for placed in rows), default=below)
    return Placed(what=box, x=x, y=y, width=width, height=below + metrics.bottom - y, inside=tuple(inside))


def box_width(box: Box, room: int, metrics: Metrics) -> int:
    """Give the width a box asks for, when there is only so much room."""
    inner = max(1, room - 2 * metrics.side)
    widest = max((_block_width(block, inner, metrics) for block in _blocks(box)), default=1)
    return min(room, max(widest, metrics.title_width(heading(box))) + 2 * metrics.side)


def heading(box: Box) -> str:
    """Give the title of a box with the facts beside it."""
    return " · ".join((box.title, *box.facts))


def clip(text: str, room: int, text_width: Callable[[str], int]) -> str:
    """Cut a text that is too wide, and show that it was cut."""
    if text_width(text) <= room:
        return text
    while text and text_width(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _blocks(box: Box) -> Iterator[_Block]:
    if box.notes:
        yield _Block(lines=tuple(Line(role="note", text=text) for text in box.notes))
    if box.bars:
        yield _Block(bars=box.bars)
    for _, run in groupby(box.parts, key=_likeness):
        parts = tuple(run)
        yield _Block(
            lines=tuple(Line(role="listed", text=part.text) for part in parts if isinstance(part, Listed)),
            cores=tuple(part for part in parts if isinstance(part, Core)),
            boxes=tuple(part for part in parts if isinstance(part, Box)),
        )
    if box.devices:
        yield _Block(lines=tuple(Line(role="device", text=text) for text in box.devices))


def _likeness(part: Core | Box | Listed) -> tuple[object, ...]:
    """Tell what shares rows: cores, and boxes of one level that have about the same in them."""
    if isinstance(part, Box):
        return Box, part.levels[0], all(isinstance(inner, Listed) for inner in part.parts)
    return (type(part),)


def _block_width(block: _Block, room: int, metrics: Metrics) -> int:
    if block.cores:
        columns, width, _ = _core_grid(block.cores, room, metrics)
        return columns * (width + metrics.core_gap) - metrics.core_gap
    if block.boxes:
        columns, width = _box_columns(block.boxes, room, metrics)
        return columns * (width + metrics.box_gap) - metrics.box_gap
    if block.bars:
        return max(map(metrics.bar_width, block.bars))
    return min(metrics.longest_line, max(metrics.text_width(line.text) for line in block.lines))


def _place_block(block: _Block, x: int, y: int, room: int, metrics: Metrics) -> Iterator[Placed]:
    yield from _place_cores(block.cores, x, y, room, metrics)
    yield from _place_boxes(block.boxes, x, y, room, metrics)
    for bar in block.bars:
        yield Placed(what=bar, x=x, y=y, width=room, height=metrics.bar)
        y += metrics.bar
    for line in block.lines:
        for text in wrap(line.text, room, text_width=metrics.text_width):
            yield Placed(what=replace(line, text=text), x=x, y=y, width=room, height=metrics.line)
            y += metrics.line


def _box_columns(boxes: Sequence[Box], room: int, metrics: Metrics) -> tuple[int, int]:
    """Give how many boxes stand in a row, and the width that the widest asks for."""
    widest = max(box_width(box, room, metrics) for box in boxes)
    fit = max(1, (room + metrics.box_gap) // (widest + metrics.box_gap))
    rows = -(-len(boxes) // fit)
    return -(-len(boxes) // rows), widest


def _place_boxes(boxes: Sequence[Box], x: int, y: int, room: int, metrics: Metrics) -> Iterator[Placed]:
    if not boxes:
        return
    columns, _ = _box_columns(boxes, room, metrics)
    step = (room + metrics.box_gap) // columns
    for start in range(0, len(boxes), columns):
        row = []
        for column, box in enumerate(boxes[start : start + columns]):
            left = column * step
            # The last one of a row takes what the division left over, so that right edges are in line.
            width = room - left if column == columns - 1 else step - metrics.box_gap
            row.append(place(box, x + left, y, width, metrics))
        height = max(placed.height for placed in row)
        yield from (replace(placed, height=height) for placed in row)
        y += height + metrics.box_gap_below


def _core_grid(cores: Sequence[Core], room: int, metrics: Metrics) -> tuple[int, int, int]:
    """Give how many cores stand in a row, the width of each, and how many threads stand in a row of a core."""
    step = metrics.thread + metrics.thread_gap
    sides = 2 * metrics.core_side + (metrics.mark if any(core.mark for core in cores) else 0)
    threads = max(len(core.threads) for core in cores)
    threads = max(1, min(threads, (room - sides + metrics.thread_gap) // step))
    width = sides + threads * step - metrics.thread_gap
    fit = max(1, (room + metrics.core_gap) // (width + metrics.core_gap))
    most = _IN_A_ROW_OF_MANY if len(cores) > 4 * _CORES_IN_A_ROW and fit >= _IN_A_ROW_OF_MANY else _CORES_IN_A_ROW
    rows = -(-len(cores) // min(fit, most))
    return -(-len(cores) // rows), width, threads


def _place_cores(cores: Sequence[Core], x: int, y: int, room: int, metrics: Metrics) -> Iterator[Placed]:
    if not cores:
        return
    columns, width, in_a_row = _core_grid(cores, room, metrics)
    rows = -(-max(len(core.threads) for core in cores) // in_a_row)
    height = metrics.core_edge + rows * metrics.thread_height
    first = metrics.core_side + (metrics.mark if any(core.mark for core in cores) else 0)
    for at, core in enumerate(cores):
        left = x + at % columns * (width + metrics.core_gap)
        top = y + at // columns * (height + metrics.core_gap)
        threads = tuple(
            Placed(
                what=thread,
                x=left + first + position % in_a_row * (metrics.thread + metrics.thread_gap),
                y=top + metrics.core_edge // 2 + position // in_a_row * metrics.thread_height,
                width=metrics.thread,
                height=metrics.thread_height,
            )
            for position, thread in enumerate(core.threads)
        )
        yield Placed(what=core, x=left, y=top, width=width, height=height, inside=threads)
