# SPDX-License-Identifier: Apache-2.0
"""Huge page pools: folder names ``hugepages-2048kB`` and the counts of ``/proc/meminfo``.

Source: Documentation/admin-guide/mm/hugetlbpage.rst.
"""

from __future__ import annotations

from collections.abc import Mapping

from os_capability.model import HugePages, NodeHugePages
from os_capability.number import whole_number

__all__ = ["default_pool", "node_default_pool", "parse_pool_size"]


def parse_pool_size(folder: str) -> int | None:
    """Give the page size in bytes of a folder ``hugepages-<n>kB``, ``None`` for any other name."""
    number = folder.removeprefix("hugepages-").removesuffix("kB")
    kilobytes = whole_number(number, 12) if folder == f"hugepages-{number}kB" else None
    return kilobytes * 1024 if kilobytes else None


def default_pool(meminfo: Mapping[str, int]) -> HugePages | None:
    """Give the pool of the default size, the only one ``/proc/meminfo`` tells of; ``None`` without it."""
    if not meminfo.get("Hugepagesize") or "HugePages_Total" not in meminfo:
        return None
    return HugePages(
        size_bytes=meminfo["Hugepagesize"],
        total=meminfo["HugePages_Total"],
        free=meminfo.get("HugePages_Free"),
        reserved=meminfo.get("HugePages_Rsvd"),
        surplus=meminfo.get("HugePages_Surp"),
    )


def node_default_pool(node_meminfo: Mapping[str, int], default_size_bytes: int | None) -> NodeHugePages | None:
    """Give a node's pool of the default size from its meminfo: kernels before 2.6.32 have no folders per node."""
    if default_size_bytes is None or "HugePages_Total" not in node_meminfo:
        return None
    return NodeHugePages(
        size_bytes=default_size_bytes,
        total=node_meminfo["HugePages_Total"],
        free=node_meminfo.get("HugePages_Free"),
        surplus=node_meminfo.get("HugePages_Surp"),
    )
