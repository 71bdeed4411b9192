# SPDX-License-Identifier: Apache-2.0
"""Names and numbers as Windows keeps them in its registry, and the structure with its memory.

Source: the keys themselves, which Microsoft documents in part; sysinfoapi.h (MEMORYSTATUSEX).
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from os_capability.errors import UnparsableText
from os_capability.hypervisors import hypervisor_by_firmware
from os_capability.number import whole_number

__all__ = [
    "MemoryStatus",
    "family",
    "kernel_version",
    "microcode",
    "parse_memory_status",
    "system_name",
    "virtualization",
]

_MEMORY_STATUS = struct.Struct("<II7Q")
_WINDOWS_11_BUILD = 22000


class MemoryStatus(NamedTuple):
    """Physical memory in bytes: all of it, and what programs may have without anything being paged out."""

    total_bytes: int
    available_bytes: int


def parse_memory_status(buffer: bytes) -> MemoryStatus:
    """Read a MEMORYSTATUSEX: two DWORDs (its length, the load), then seven DWORDLONGs.

    Raises:
        UnparsableText: it is not as long as it says, or has no memory.
    """
    fields = _MEMORY_STATUS.unpack(buffer) if len(buffer) == _MEMORY_STATUS.size else (0,) * 9
    if fields[0] != _MEMORY_STATUS.size or not 0 <= fields[3] <= fields[2] or fields[2] == 0:
        raise UnparsableText("GlobalMemoryStatusEx", 1, buffer[:32].hex(" "), "not a MEMORYSTATUSEX")
    return MemoryStatus(total_bytes=fields[2], available_bytes=fields[3])


def system_name(product: str | None, display_version: str | None, build: str | None) -> str | None:
    """Give the name a person knows the system by; Windows 11 still writes Windows 10 as its product."""
    if product is None:
        return None
    if (whole_number(build or "", 8) or 0) >= _WINDOWS_11_BUILD:
        product = product.replace("Windows 10", "Windows 11")
    return " ".join(filter(None, (product, display_version)))


def kernel_version(major: int | None, minor: int | None, build: str | None, revision: int | None) -> str | None:
    """Give the version as ``ver`` prints it: ``10.0.22631.3447``; ``None`` unless all but the revision is known."""
    if major is None or minor is None or build is None:
        return None
    return ".".join(str(part) for part in (major, minor, build, revision) if part is not None)


def family(identifier: str | None) -> str | None:
    """Give the family from ``Intel64 Family 6 Model 154 Stepping 3``."""
    told = re.search(r"\bFamily (\d{1,5})\b", identifier or "", re.ASCII)
    return None if told is None else told[1]


def microcode(revision: bytes | None) -> str | None:
    """Give the revision from ``Update Revision``: eight bytes, the number in the upper four."""
    if revision is None or len(revision) != 8:
        return None
    number = int.from_bytes(revision[4:], "little") or int.from_bytes(revision[:4], "little")
    return hex(number) if number else None


def virtualization(maker: str | None, product: str | None) -> str | None:
    """Give the hypervisor by what the firmware says; ``None`` on bare metal or unknown."""
    return hypervisor_by_firmware(f"{maker or ''} {product or ''}")
