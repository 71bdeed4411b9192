# SPDX-License-Identifier: Apache-2.0
"""What a drawing of a machine consists of: boxes in boxes, before anybody knows how wide a letter is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from os_capability.cpuset import CpuSet

__all__ = ["Bar", "Box", "Core", "Drawing", "Listed", "Mark", "Thread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One logical CPU in its core."""

    cpu: int
    online: bool
    isolated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One core, or one offline CPU, of which the kernel no longer tells the core.

    Attributes:
        number: the document's; ``None`` for an offline CPU.
        mark: the letter of its kind (``E``), empty where all cores are alike.
    """

    number: int | None
    mark: str
    threads: tuple[Thread, ...]

    @property
    def cpus(self) -> CpuSet:
        """The CPUs of its threads."""
        return CpuSet(thread.cpu for thread in self.threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """CPUs that are told in words: what a fold leaves out, or CPUs without a place in the topology."""

    text: str
    cpus: CpuSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much of something is in use.

    Attributes:
        kind: ``memory`` or ``hugepages``.
        share: between 0 and 1; ``None`` where only the total is known.
    """

    kind: str
    label: str
    text: str
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of the machine and what is in it.

    Attributes:
        levels: what it is: ``machine``, ``node``, ``memory``, ``drawer``, ``book``, ``socket``, ``die``,
            ``cluster``, ``cache``, ``offline``. More than one where the same CPUs are a node and a socket.
        numbers: the kernel's number of it on each of these levels, ``None`` where a level has no numbers.
        facts: short texts beside the title (``L3 24 MiB``).
        notes: lines below the title.
        devices: lines at the end.
        parts: cores, boxes and lists in the order in which they are drawn.
    """

    levels: tuple[str, ...]
    numbers: tuple[int | None, ...]
    title: str
    cpus: CpuSet
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    devices: tuple[str, ...] = ()
    parts: tuple[Core | Box | Listed, ...] = ()

    @property
    def boxes(self) -> Iterator[Box]:
        """The boxes directly in it."""
        return (part for part in self.parts if isinstance(part, Box))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the legend says about one sign of the drawing: ``core``, ``bar``, ``isolated``, ``offline`` or ``kind``."""

    name: str
    sign: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One machine and the legend of the signs that occur in it."""

    machine: Box
    legend: tuple[Mark, ...]
