# SPDX-License-Identifier: Apache-2.0
"""The output of ``lscpu -a -p=...`` and of plain ``lscpu``.

    # The following is the parsable format, which can be fed to other
    0,0,0,,,0,Y
    4,-,-,-,-,-,N

Source: lscpu(1).
"""

from __future__ import annotations

from typing import NamedTuple

from os_capability.errors import UnparsableText
from os_capability.number import whole_number

__all__ = ["COLUMNS", "LscpuRow", "parse_lscpu", "parse_summary"]

COLUMNS = "cpu,core,socket,book,drawer,node,online"


class LscpuRow(NamedTuple):
    """One logical CPU: numbers as lscpu gives them (its own running numbers, or the kernel's with ``--physical``)."""

    cpu: int
    core: int | None
    socket: int | None
    book: int | None
    drawer: int | None
    node: int | None
    online: bool


def parse_lscpu(text: str, source: str) -> list[LscpuRow]:
    """Read the parsable form with exactly our `COLUMNS`; any field but the CPU may be empty or ``-``.

    Raises:
        UnparsableText: a line has other columns, a CPU has no number or comes twice, the flag is neither Y nor N
            (a translated lscpu writes others), or there is no CPU at all.
    """
    rows: dict[int, LscpuRow] = {}
    for line_number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.strip().split(",")
        if len(fields) != len(LscpuRow._fields):
            raise UnparsableText(source, line_number, line, f"not the columns {COLUMNS}")
        *numbers, flag = fields
        if flag not in ("Y", "N"):
            raise UnparsableText(source, line_number, line, f"the online flag is {flag!r}, neither Y nor N")
        if not all(number in ("", "-") or _number(number.removeprefix("-")) is not None for number in numbers):
            raise UnparsableText(source, line_number, line, "a field is no number")
        cpu, core, socket, book, drawer, node = map(_number, numbers)
        if cpu is None or cpu in rows:
            raise UnparsableText(source, line_number, line, "no CPU number" if cpu is None else "a CPU twice")
        rows[cpu] = LscpuRow(cpu, core, socket, book, drawer, node, flag == "Y")
    if not rows:
        raise UnparsableText(source, 1, text[:80], "no CPU in the answer")
    return [rows[cpu] for cpu in sorted(rows)]


def _number(field: str) -> int | None:
    return whole_number(field, 9)


def parse_summary(text: str) -> dict[str, str]:
    """Give the first value of each label of the human-readable form; hybrid machines repeat their labels."""
    summary: dict[str, str] = {}
    for line in text.splitlines():
        label, colon, value = line.partition(":")
        if colon and value.strip() not in ("", "-"):
            summary.setdefault(label.strip(), value.strip())
    return summary
