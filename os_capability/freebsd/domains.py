# SPDX-License-Identifier: Apache-2.0
"""FreeBSD's NUMA domains: how much memory each has, and how far they are from each other.

    vm.phys_segs:                    vm.phys_locality:
    SEGMENT 0:                       0: 10 21
                                     1: 21 10
    start:     0x1000
    end:       0x9d000
    domain:    0
    free list: 0xffffffff81c1ddd0

Source: numa(4); sys/vm/vm_phys.c.
"""

from __future__ import annotations

import re

__all__ = ["parse_distances", "parse_segments"]

_SEGMENT = re.compile(
    r"^start: +0x([0-9a-f]{1,16})\nend: +0x([0-9a-f]{1,16})\ndomain: +(\d{1,5})$", re.ASCII | re.MULTILINE
)
_ROW = re.compile(r"^(\d{1,5}):((?: +\d{1,5})+) *$", re.ASCII | re.MULTILINE)


def parse_segments(text: str) -> dict[int, int]:
    """Give the bytes of memory of each domain from ``vm.phys_segs``; none from kernels that know no domains."""
    sizes: dict[int, int] = {}
    for start, end, domain in _SEGMENT.findall(text):
        sizes[int(domain)] = sizes.get(int(domain), 0) + max(0, int(end, 16) - int(start, 16))
    return sizes


def parse_distances(text: str) -> dict[int, dict[int, int]]:
    """Give the table of ``vm.phys_locality``: a row for each domain; a row with -1, how no table reads, is left out."""
    return {int(domain): dict(enumerate(map(int, row.split()))) for domain, row in _ROW.findall(text)}
