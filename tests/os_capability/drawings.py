# SPDX-License-Identifier: Apache-2.0
"""Machines to draw, and what may not be wrong with a drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from os_capability import CpuSet, Host, collect
from os_capability.model import Cache, Processor
from os_capability.render.drawing import Box
from tests.os_capability.conftest import HOSTS

__all__ = ["SVG", "faults", "machine", "regular", "shown_cpus"]

SVG = "{http://www.w3.org/2000/svg}"
# How wide the letters of DejaVu Sans are, the widest of the usual fonts, in parts of its size.
LETTER_WIDTHS = {
    **dict.fromkeys("ijlIJ',. ·/:;|", 0.34),
    **dict.fromkeys("frt-()[]!", 0.42),
    **dict.fromkeys('sz"*_`?c', 0.55),
    **dict.fromkeys("kFLvxyPaeoTY", 0.62),
    **dict.fromkeys("0123456789bdghnpquES${}", 0.64),
    **dict.fromkeys("KABVXZCR", 0.7),
    **dict.fromkeys("UNHDGOQ&", 0.79),
}


def machine(name: str) -> Host:
    return collect(str(HOSTS / name / "root"), "sysfs")


def regular(*, sockets: int = 1, nodes: int = 1, cores: int = 1, threads: int = 1, l3_cores: int = 0) -> Host:
    """Make a machine of so many sockets, nodes in each, cores in each of these and threads in each of those."""
    plain = machine("x86_64-plain")
    all_cores = sockets * nodes * cores
    count = all_cores * threads
    processors = tuple(
        Processor(
            id=cpu,
            online=True,
            core=cpu % all_cores,
            core_id=cpu % all_cores,
            socket=cpu % all_cores // cores // nodes,
            node=cpu % all_cores // cores,
        )
        for cpu in range(count)
    )
    some = plain.numa.nodes[0]
    numa = [
        replace(some, id=node, cpus=CpuSet(processor.id for processor in processors if processor.node == node))
        for node in range(sockets * nodes)
    ]
    caches = [
        Cache(
            level=3,
            type="Unified",
            size_bytes=32 << 20,
            shared_cpus=CpuSet(cpu for cpu in range(count) if cpu % all_cores // l3_cores == shared),
        )
        for shared in range(all_cores // l3_cores if l3_cores else 0)
    ]
    everyone = CpuSet(range(count))
    cpu = replace(
        plain.cpu,
        online=everyone,
        present=everyone,
        possible=everyone,
        sockets=sockets,
        cores=all_cores,
        threads=count,
        processors=processors,
        caches=tuple(caches),
    )
    return replace(plain, cpu=cpu, numa=replace(plain.numa, nodes=tuple(numa)))


def shown_cpus(box: Box) -> Iterator[int]:
    """Give the CPUs of the cores and lists of a box, each as often as it is shown."""
    for part in box.parts:
        yield from shown_cpus(part) if isinstance(part, Box) else part.cpus


@dataclass(frozen=True)
class Area:
    """A rectangle of an image, or what a text takes of it."""

    name: str
    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: Area) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def meets(self, other: Area) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def faults(svg: str) -> list[str]:
    """Give what is outside its box, and what lies on its neighbour."""
    root = ElementTree.fromstring(svg)
    image = Area("image", 0, 0, float(root.attrib["width"]), float(root.attrib["height"]))
    return list(_faults_in(root, image))


def _faults_in(group: ElementTree.Element, around: Area) -> Iterator[str]:
    rects = [_rect_area(rect) for rect in group.iter(f"{SVG}rect")]
    inside = [group_area(inner) for inner in group.iterfind(f"{SVG}g")]
    texts = [_text_area(text) for text in group.iterfind(f"{SVG}text")]
    yield from (f"{area} is outside {around}" for area in (*rects, *texts) if not around.holds(area))
    for one, other in combinations((*inside, *texts), 2):
        if one.meets(other):
            yield f"{one} lies on {other}"
    for inner in group.iterfind(f"{SVG}g"):
        yield from _faults_in(inner, group_area(inner))


def group_area(group: ElementTree.Element) -> Area:
    """Give the rectangle that a group is in: its first, the frame of a box or core."""
    rect = group.find(f"{SVG}rect")
    assert rect is not None
    return _rect_area(rect)


def _rect_area(rect: ElementTree.Element) -> Area:
    left, top = float(rect.get("x", "0")), float(rect.get("y", "0"))
    right, bottom = left + float(rect.attrib["width"]), top + float(rect.attrib["height"])
    return Area(rect.attrib["class"], left, top, right, bottom)


def _text_area(text: ElementTree.Element) -> Area:
    words, kind = "".join(text.itertext()), text.attrib["class"].split()
    em = sum(LETTER_WIDTHS.get(letter, 1.0) for letter in words)
    width = em * (13 * 1.15 if "title" in kind else 12)  # bold letters are wider
    x, baseline = float(text.attrib["x"]), float(text.attrib["y"])
    left = x - (width / 2 if "middle" in kind else width if "end" in kind else 0)
    return Area(words, left, baseline - 9, left + width, baseline + 3)
