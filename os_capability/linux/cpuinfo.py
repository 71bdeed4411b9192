# SPDX-License-Identifier: Apache-2.0
"""``/proc/cpuinfo``: who made the CPU, and where nothing better tells, which CPUs there are.

Every architecture writes its own form:

    processor       : 0                          x86, ARM, POWER, RISC-V, LoongArch, ia64: a block per CPU
    model name      : AMD EPYC
    processor 0: version = FF,  machine = 2817   s390: a line per CPU
    CPU6:           online                       SPARC: a line per CPU
"""

from __future__ import annotations

from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, UnparsableText
from os_capability.linux import arm
from os_capability.number import whole_number

__all__ = ["CpuIdentity", "CpuinfoRow", "parse_identity", "parse_processors"]


class CpuIdentity(NamedTuple):
    """Who made the CPU, as the machine spells it; each ``None`` where its architecture has no such line.

    `model_number` is the one x86 prints beside the family, `microcode` the revision that runs.
    """

    vendor: str | None = None
    model: str | None = None
    family: str | None = None
    flags: tuple[str, ...] | None = None
    model_number: int | None = None
    microcode: str | None = None


class CpuinfoRow(NamedTuple):
    """One CPU that is online, with the ids that x86 and LoongArch print here."""

    cpu: int
    socket: int | None
    core_id: int | None


# In the order of preference; the comments name who writes the line.
_VENDOR = ("vendor_id", "vendor", "mvendorid")  # x86 and s390; ia64; RISC-V
_MODEL = ("model name", "Model Name", "uarch", "cpu", "cpu model")  # x86, ia64; LoongArch; RISC-V; POWER, SPARC; MIPS
_FAMILY = ("cpu family", "CPU Family", "family", "CPU architecture")  # x86; LoongArch; ia64; ARM
_FLAGS = ("flags", "Features", "features")  # x86; ARM and LoongArch; s390 and ia64
_MOST_DIGITS = 9


def parse_identity(text: str, source: str) -> CpuIdentity:
    """Give what the lowest CPU's block says, with what stands before and after the blocks (old ARM, s390, SPARC).

    Raises:
        UnparsableText: it says nothing of a CPU, not even that there is one.
    """
    values: dict[str, str] = {}
    blocks = text.rstrip("\0").split("\n\n")
    numbered = [at for at, block in enumerate(blocks) if block.lstrip().startswith("processor")]
    for at, block in enumerate(blocks):
        if numbered[:1] != [at] and block.lstrip().startswith("processor"):
            continue
        for line in block.splitlines():
            name, colon, value = line.partition(":")
            if colon and value.strip():
                values.setdefault(name.strip(), " ".join(value.split()))
    first = next((values[name] for name in _FLAGS if name in values), None)
    identity = CpuIdentity(
        vendor=arm.vendor(values.get("CPU implementer")) or _first(values, _VENDOR),
        model=arm.model(values.get("CPU implementer"), values.get("CPU part")) or _first(values, _MODEL),
        family=_first(values, _FAMILY),
        flags=None if first is None else tuple(dict.fromkeys(first.replace(",", " ").split())),
        model_number=whole_number(values.get("model", ""), _MOST_DIGITS),  # POWER names the machine in this line
        microcode=_first(values, ("microcode",)),
    )
    if not any(identity) and not parse_processors(text, source):
        raise UnparsableText(source, 1, text.split("\n")[0], "no line tells of a CPU")
    return identity


def _first(values: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if values.get(name, "-") != "-"), None)


def parse_processors(text: str, source: str) -> list[CpuinfoRow]:
    """Give the CPUs the file lists, which are those online.

    Raises:
        UnparsableText: a CPU's number is no CPU id, or comes twice.
    """
    rows: dict[int, CpuinfoRow] = {}
    latest: int | None = None
    for line_number, line in enumerate(text.splitlines(), 1):
        name, _, value = line.partition(":")
        name, value = name.strip(), value.strip()
        number = _cpu_number(name, value)
        if number is not None:
            latest = number
            if latest in rows:
                raise UnparsableText(source, line_number, line, "a CPU twice")
            try:
                CpuSet([latest])
            except InvalidCpuSet as error:
                raise UnparsableText(source, line_number, line, error.reason) from None
            rows[latest] = CpuinfoRow(latest, None, None)
        elif latest is not None and name in ("physical id", "package"):
            rows[latest] = rows[latest]._replace(socket=whole_number(value, _MOST_DIGITS))
        elif latest is not None and name in ("core id", "core"):
            rows[latest] = rows[latest]._replace(core_id=whole_number(value, _MOST_DIGITS))
    return [rows[cpu] for cpu in sorted(rows)]


def _cpu_number(name: str, value: str) -> int | None:
    number = ""
    if name == "processor":
        number = value
    elif name.startswith("processor "):
        number = name.removeprefix("processor ")
    elif name.startswith("CPU") and value == "online":
        number = name.removeprefix("CPU")
    return whole_number(number, _MOST_DIGITS)
