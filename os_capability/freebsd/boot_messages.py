# SPDX-License-Identifier: Apache-2.0
"""What only FreeBSD's boot messages tell (``kern.msgbuf``, as long as newer ones have not pushed them out).

    CPU: Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz (2200.00-MHz K8-class CPU)
      Origin="GenuineIntel"  Id=0x50657  Family=0x6  Model=0x55  Stepping=7
      Features=0xbfebfbff<FPU,VME,DE>
      AMD Features2=0x121<LAHF,ABM,Prefetch>
    FreeBSD/SMP: 2 package(s) x 10 core(s) x 2 hardware threads

Source: sys/x86/x86/identcpu.c, sys/x86/x86/mp_x86.c.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from os_capability.cpu_flags import spelled_as_linux

__all__ = ["BootMessages", "parse_boot_messages"]

_ORIGIN = re.compile(r'^  Origin ?= ?"(\w+)" .*\bFamily ?= ?0x([0-9a-f]{1,4})\b', re.ASCII | re.MULTILINE)
_PACKAGES = re.compile(r"^FreeBSD/SMP: (\d{1,4}) package\(s\)", re.ASCII | re.MULTILINE)
_FEATURES = re.compile(
    r"^  (?:AMD |Structured Extended |XSAVE )?Features\d? ?= ?0x[0-9a-f]+<(.*)>$", re.ASCII | re.MULTILINE
)
_UNNAMED = re.compile(r"<b\d+>", re.ASCII)


class BootMessages(NamedTuple):
    """Each ``None`` where the messages do not tell it, or no more."""

    vendor: str | None
    family: str | None
    flags: tuple[str, ...] | None
    packages: int | None


def parse_boot_messages(text: str) -> BootMessages:
    """Read the messages of the latest boot: the buffer may hold those of earlier ones."""
    latest = text[max(text.rfind("\nCPU: "), 0) :]
    origin, packages = _ORIGIN.search(latest), _PACKAGES.search(latest)
    names = [name for listed in _FEATURES.findall(latest) for name in _UNNAMED.sub("", listed).split(",") if name]
    return BootMessages(
        vendor=origin[1] if origin else None,
        family=str(int(origin[2], 16)) if origin else None,
        flags=spelled_as_linux(names) or None,
        packages=int(packages[1]) or None if packages else None,
    )
