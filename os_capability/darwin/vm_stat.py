# SPDX-License-Identifier: Apache-2.0
"""Where macOS's memory is: ``vm_stat`` and ``vm.swapusage``.

    Mach Virtual Memory Statistics: (page size of 16384 bytes)
    Pages free:                                3276.
    Pages wired down:                        115958.
    File-backed pages:                       108348.

    vm.swapusage: total = 2048.00M  used = 1017.50M  free = 1030.50M  (encrypted)

Source: vm_stat(1); osfmk/mach/vm_statistics.h of XNU.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from os_capability.errors import UnparsableText

__all__ = ["MemoryPages", "parse_swap_usage", "parse_vm_stat"]

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_PAGE_SIZE = re.compile(r"page size of (\d{1,9}) bytes", re.ASCII)
_COUNT = re.compile(r'"?([A-Za-z -]+)"?: +(\d{1,15})\.?', re.ASCII)


class MemoryPages(NamedTuple):
    """What ``vm_stat`` counts, in bytes; ``None`` for a line that this version does not print."""

    free_bytes: int
    file_backed_bytes: int | None
    purgeable_bytes: int | None


def parse_vm_stat(text: str) -> MemoryPages:
    """Read the answer of ``vm_stat``.

    Raises:
        UnparsableText: it tells no page size, or no free pages.
    """
    first_line = text.partition("\n")[0]
    page_size = _PAGE_SIZE.search(first_line)
    if page_size is None:
        raise UnparsableText("vm_stat", 1, first_line, "no page size")
    counts = {}
    for line in text.splitlines()[1:]:
        counted = _COUNT.match(line)
        if counted is not None:
            counts[counted[1]] = int(counted[2]) * int(page_size[1])
    if "Pages free" not in counts:
        raise UnparsableText("vm_stat", 1, first_line, "no free pages below this line")
    return MemoryPages(counts["Pages free"], counts.get("File-backed pages"), counts.get("Pages purgeable"))


def parse_swap_usage(text: str) -> tuple[int | None, int | None]:
    """Give total and free bytes of swap from ``vm.swapusage``."""
    amounts = dict.fromkeys(("total", "free"), None) | {
        name: int(float(number) * _UNITS[unit])
        for name, number, unit in re.findall(r"(total|free) = (\d{1,12}(?:\.\d+)?)([KMGT])", text, re.ASCII)
    }
    return amounts["total"], amounts["free"]
