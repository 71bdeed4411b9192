# SPDX-License-Identifier: Apache-2.0
"""What repeats is drawn once: the others are counted, and keep only what differs, their CPUs and memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from os_capability.cpuset import CpuSet
from os_capability.render.drawing import Box, Core, Listed
from os_capability.wording import cpus_text, ranges

__all__ = ["fold"]

# A machine of up to so many CPUs is drawn whole.
_DRAWN_WHOLE_CPUS = 48
# Of a longer run of cores that are alike, only the first ones are drawn.
_LONGEST_RUN, _DRAWN_OF_A_RUN = 16, 8

# A run of boxes that together hold no more CPUs than this is not worth folding.
_SMALL_RUN_CPUS = 16
# Nodes without any memory to show keep a box of their own each, so that their CPUs are told, up to this many.
_MOST_NODES = 32

Part = Core | Box | Listed
Shape = tuple[object, ...]


def fold(machine: Box) -> Box:
    """Give a machine of more than 48 CPUs with what repeats in it folded; a smaller one stays as it is."""
    return _folded(machine) if len(machine.cpus) > _DRAWN_WHOLE_CPUS else machine


def _folded(box: Box) -> Box:
    parts: list[Part] = []
    for _, run in groupby(box.parts, key=_shape):
        alike = list(run)
        cores = [part for part in alike if isinstance(part, Core)]
        boxes = [part for part in alike if isinstance(part, Box)]
        if cores:
            parts += _fold_cores(cores)
        elif boxes:
            parts += _fold_boxes(boxes)
        else:
            parts += alike
    return replace(box, parts=tuple(parts))


def _fold_cores(cores: Sequence[Core]) -> Iterator[Part]:
    if len(cores) <= _LONGEST_RUN:
        yield from cores
        return
    yield from cores[:_DRAWN_OF_A_RUN]
    rest = cores[_DRAWN_OF_A_RUN:]
    numbers = [core.number for core in rest if core.number is not None]
    yield _more(len(rest), f"cores {ranges(numbers)}" if numbers else "", _cpus(rest))


def _fold_boxes(boxes: Sequence[Box]) -> Iterator[Part]:
    first, *rest = boxes
    if len(_cpus(boxes)) <= _SMALL_RUN_CPUS:
        yield from boxes
        return
    yield _folded(first)
    if sum(map(_bars, rest)) or 0 < sum(map(_nodes, rest)) <= _MOST_NODES:
        yield from map(_condensed, rest)
    elif rest:
        yield _more(len(rest), _named(rest), _cpus(rest))


def _condensed(box: Box) -> Box:
    """Give a box that keeps, of what is in it, only the boxes with memory."""
    kept = [_condensed(inner) for inner in box.boxes if _bars(inner) or _nodes(inner)]
    rest = box.cpus - _cpus(kept)
    inside = [Listed(text=f"inside as above, {cpus_text(rest)}", cpus=rest)] if rest else []
    return replace(box, parts=(*inside, *kept))


def _named(boxes: Sequence[Box]) -> str:
    """Name boxes of one level together: ``NUMA nodes 1-3``; nothing for those that have no numbers."""
    numbers = [box.numbers[0] for box in boxes if box.numbers[0] is not None]
    level = "NUMA node" if boxes[0].levels[0] == "node" else boxes[0].levels[0]
    return f"{level}{'s' if len(numbers) > 1 else ''} {ranges(numbers)}" if numbers else ""


def _more(count: int, names: str, cpus: CpuSet) -> Listed:
    return Listed(text=f"{count} more alike: {names}{', ' if names else ''}{cpus_text(cpus)}", cpus=cpus)


def _cpus(parts: Iterable[Part]) -> CpuSet:
    return CpuSet.union(part.cpus for part in parts)


def _bars(box: Box) -> int:
    """Count the bars of a box and of what is in it."""
    return len(box.bars) + sum(map(_bars, box.boxes))


def _nodes(box: Box) -> int:
    """Count the NUMA nodes that a box is or holds."""
    return sum(level in ("node", "memory") for level in box.levels) + sum(map(_nodes, box.boxes))


def _shape(part: Part) -> Shape:
    """Give what two parts have in common when they are alike: all but their numbers, CPUs and sizes of memory."""
    if isinstance(part, Core):
        return "core", part.mark, tuple((thread.online, thread.isolated) for thread in part.threads)
    if isinstance(part, Listed):
        return "listed", part.text
    name = part.title if part.levels[0] == "cache" else ""
    bars = tuple((bar.kind, bar.label) for bar in part.bars)
    return (*part.levels, name, part.facts, part.notes, bars, part.devices, *map(_shape, part.parts))
