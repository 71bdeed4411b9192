# SPDX-License-Identifier: Apache-2.0
"""Huge pages that an operator keeps for the host, as Nova's option ``reserved_huge_pages`` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ReservedPages", "parse_reserved_pages"]

_KIB_IN_UNIT = {"K": 1, "M": 1024, "G": 1024**2}
# A page size without a unit is in KiB. GB and GiB are one here, as they are to Nova: a page is a power of two.
_SIZE = re.compile(r"([1-9][0-9]{0,11})\s*(?:([KMG])I?B?)?", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedPages:
    """`count` huge pages of `size_bytes` each on the NUMA node with the kernel's id `node`."""

    node: int
    size_bytes: int
    count: int

    def __str__(self) -> str:
        return f"node:{self.node},size:{self.size_bytes // 1024},count:{self.count}"


def parse_reserved_pages(text: str) -> ReservedPages:
    """Read ``node:0,size:2048,count:64``: the size in KiB, or with a unit (``2MB``, ``1GB``); in any order.

    Raises:
        ValueError: it is anything else.
    """
    given: dict[str, str] = {}
    for part in text.split(","):
        name, colon, value = part.partition(":")
        name = name.strip()
        if not colon or name in given:
            raise ValueError(f"{part.strip()!r} is " + ("given twice" if colon else "no name:value"))
        given[name] = value.strip()
    if given.keys() != {"node", "size", "count"}:
        raise ValueError("node, size and count are needed, and nothing else")
    for name in ("node", "count"):
        if not _NUMBER.fullmatch(given[name]):
            raise ValueError(f"{name} {given[name]!r} is no whole number")
    size = _SIZE.fullmatch(given["size"])
    if size is None:
        raise ValueError(f"size {given['size']!r} is no size")
    size_kib = int(size[1]) * _KIB_IN_UNIT[(size[2] or "K").upper()]
    return ReservedPages(node=int(given["node"]), size_bytes=size_kib * 1024, count=int(given["count"]))
