# SPDX-License-Identifier: Apache-2.0
"""``/proc/meminfo`` and ``/sys/devices/system/node/nodeN/meminfo``.

    MemTotal:       24684096 kB             Node 0 MemTotal:       13461720 kB
    HugePages_Total:       0                Node 0 HugePages_Total:     0

Source: Documentation/filesystems/proc.rst (meminfo).
"""

from __future__ import annotations

from collections.abc import Mapping

from os_capability.errors import UnparsableText
from os_capability.number import whole_number

__all__ = ["available_estimate", "parse_meminfo", "parse_memory"]

_FIELDS = frozenset(
    {
        "Active(file)",
        "Buffers",
        "Cached",
        "HugePages_Free",
        "HugePages_Rsvd",
        "HugePages_Surp",
        "HugePages_Total",
        "Hugepagesize",
        "Inactive(file)",
        "MemAvailable",
        "MemFree",
        "MemTotal",
        "SReclaimable",
        "Shmem",
        "SwapFree",
        "SwapTotal",
    }
)
# 64 bits: what the kernel or lxcfs counted below zero reads 18446744073709551615, and `sanity` finds it.
_MOST_DIGITS = 20
_MOST_DIGITS_OF_ALL = 15  # an exabyte in kB; all else is held against it


def parse_meminfo(text: str, source: str) -> dict[str, int]:
    """Give the fields we use: bytes where the kernel writes kB, plain counts where it writes no unit.

    Lines we do not know, or without a colon, are passed over. Split at the first colon: arm64 has written
    ``ShadowCallStack:10373888 kB`` without a blank.

    Raises:
        UnparsableText: a field we use has no number, or another unit.
    """
    fields: dict[str, int] = {}
    for line_number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if name.startswith("Node "):
            name = name.rpartition(" ")[2]
        if not colon or name not in _FIELDS:
            continue
        words = value.split()
        most_digits = _MOST_DIGITS_OF_ALL if name == "MemTotal" else _MOST_DIGITS
        number = whole_number(words[0], most_digits) if words else None
        if number is None:
            raise UnparsableText(source, line_number, line, f"{name} has no number")
        if words[1:] not in ([], ["kB"]):
            raise UnparsableText(source, line_number, line, f"{name} is not in kB")
        fields[name] = number * 1024 if words[1:] else number
    return fields


def parse_memory(text: str, source: str) -> dict[str, int]:
    """Give what `parse_meminfo` gives of a machine's or a node's whole file.

    Raises:
        UnparsableText: as `parse_meminfo`, or there is no MemTotal, which every such file has.
    """
    fields = parse_meminfo(text, source)
    if "MemTotal" not in fields:
        raise UnparsableText(source, 1, text.split("\n")[0], "no line gives MemTotal")
    return fields


def available_estimate(fields: Mapping[str, int], min_free_kbytes: int | None) -> int | None:
    """Give what the kernel would call MemAvailable, in bytes, on a kernel that does not say (before 3.14).

    Free memory above the low watermark, plus the page cache and reclaimable slab that can go. Those kernels keep the
    low watermark at 5/4 of ``vm.min_free_kbytes``. ``None`` where a part is missing: a guess without the watermark, or
    one that counts tmpfs as available, is no estimate.

    Source: ``si_mem_available()`` of mm/page_alloc.c, ``__setup_per_zone_wmarks()``.
    """
    parts = [fields.get(name) for name in ("MemFree", "Active(file)", "Inactive(file)")]
    if min_free_kbytes is None or None in parts:
        return None
    free, active, inactive = (part or 0 for part in parts)
    low = min_free_kbytes * 1024 * 5 // 4
    cache, slab = active + inactive, fields.get("SReclaimable", 0)
    return max(0, free - low + cache - min(cache // 2, low) + slab - min(slab // 2, low))
