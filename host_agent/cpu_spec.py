# SPDX-License-Identifier: Apache-2.0
"""Nova's way to write a set of CPUs: ``0-7,^3``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from os_capability import CpuSet, InvalidCpuSet

__all__ = ["parse_cpu_spec"]

_ELEMENT = re.compile(r"(\^?)\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6}))?", re.ASCII)


def parse_cpu_spec(text: str) -> CpuSet:
    """Read CPUs and ranges of CPUs, separated by commas; those behind a caret are left out, wherever it stands.

    Blanks and empty elements do not matter, as in Nova, nor does a CPU that is named twice.

    Raises:
        InvalidCpuSet: an element is neither, a range ends before it starts, an id is too high, or nothing is left.
    """
    taken, left_out = [CpuSet()], [CpuSet()]
    for is_left_out, cpus in _elements(text):
        (left_out if is_left_out else taken).append(cpus)
    cpus = CpuSet.union(taken) - CpuSet.union(left_out)
    if not cpus:
        raise InvalidCpuSet(text, "no CPU is left")
    return cpus


def _elements(text: str) -> Iterator[tuple[bool, CpuSet]]:
    for element in filter(None, (part.strip() for part in text.split(","))):
        found = _ELEMENT.fullmatch(element)
        if found is None:
            raise InvalidCpuSet(text, f"{element[:40]!r} is neither a CPU nor a range of CPUs")
        caret, first, last = found.groups()
        yield bool(caret), CpuSet.parse_list(f"{first}-{last or first}")
