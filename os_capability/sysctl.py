# SPDX-License-Identifier: Apache-2.0
"""What ``sysctl`` prints on macOS and FreeBSD.

    hw.ncpu: 8
    kern.boottime: { sec = 1700000000, usec = 123456 } Tue Nov 14 22:13:20 2023
    vm.loadavg: { 1.52 1.63 1.70 }
    vm.phys_locality:
    0: 10 21
    1: 21 10

Source: sysctl(8) of FreeBSD, from which macOS has its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from os_capability.number import whole_number

__all__ = ["Sysctl"]

_ENTRY = re.compile(r"([a-z]+(?:\.[\w%-]+)+): ?(.*)")
_MOST_DIGITS = 19  # of a signed 64-bit number


@dataclass(frozen=True, slots=True)
class Sysctl:
    """The values of one answer, by name; ``None`` for a name that this system or machine does not have."""

    values: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Sysctl:
        """Read an answer: a line that names no entry belongs to the entry above it.

        Of an entry named twice the first counts. A value may hold lines that look like entries: ask for it last.
        """
        values: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in text.splitlines():
            entry = _ENTRY.fullmatch(line)
            if entry is None:
                lines.append(line)
            else:
                lines = [entry[2]]
                values.setdefault(entry[1], lines)
        return cls({name: "\n".join(value).strip() for name, value in values.items()})

    def text(self, name: str) -> str | None:
        """Give a value; a blank one is ``None``."""
        return self.values.get(name) or None

    def number(self, name: str) -> int | None:
        """Give a value that is a whole number, ``None`` where it is none or below zero."""
        return whole_number(self.values.get(name, ""), _MOST_DIGITS)

    def boot_time(self) -> datetime | None:
        """Give ``kern.boottime``."""
        seconds = re.match(r"\{ sec = (\d{1,11}),", self.values.get("kern.boottime", ""), re.ASCII)
        return None if seconds is None else datetime.fromtimestamp(int(seconds[1]), timezone.utc)

    def load_average(self) -> tuple[float, ...] | None:
        """Give ``vm.loadavg``: over 1, 5 and 15 minutes."""
        numbers = re.findall(r"\d{1,9}\.\d{1,9}", self.values.get("vm.loadavg", ""), re.ASCII)
        return tuple(map(float, numbers)) if len(numbers) == 3 else None
