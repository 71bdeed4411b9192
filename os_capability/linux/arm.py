# SPDX-License-Identifier: Apache-2.0
"""ARM's CPU implementer and part numbers, which its ``/proc/cpuinfo`` gives instead of names.

The names are spelled as lscpu spells them, so that both sources name a machine alike.

Source: the MIDR_EL1 register in the Arm architecture reference manual; arch/arm64/include/asm/cputype.h.
"""

from __future__ import annotations

from os_capability.errors import UnparsableText
from os_capability.number import whole_number

__all__ = ["model", "parse_midr", "parse_parts", "vendor"]

_VENDORS = {
    0x41: "ARM",
    0x42: "Broadcom",
    0x43: "Cavium",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "APM",
    0x51: "Qualcomm",
    0x53: "Samsung",
    0x56: "Marvell",
    0x61: "Apple",
    0x6D: "Microsoft",
    0x70: "Phytium",
    0xC0: "Ampere",
}

_MODELS = {
    (0x41, 0xC05): "Cortex-A5",
    (0x41, 0xC07): "Cortex-A7",
    (0x41, 0xC08): "Cortex-A8",
    (0x41, 0xC09): "Cortex-A9",
    (0x41, 0xC0E): "Cortex-A17",
    (0x41, 0xC0F): "Cortex-A15",
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD04): "Cortex-A35",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD06): "Cortex-A65",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73",
    (0x41, 0xD0A): "Cortex-A75",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD0D): "Cortex-A77",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD43): "Cortex-A65AE",
    (0x41, 0xD44): "Cortex-X1",
    (0x41, 0xD46): "Cortex-A510",
    (0x41, 0xD47): "Cortex-A710",
    (0x41, 0xD48): "Cortex-X2",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4A): "Neoverse-E1",
    (0x41, 0xD4B): "Cortex-A78C",
    (0x41, 0xD4C): "Cortex-X1C",
    (0x41, 0xD4D): "Cortex-A715",
    (0x41, 0xD4E): "Cortex-X3",
    (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD80): "Cortex-A520",
    (0x41, 0xD81): "Cortex-A720",
    (0x41, 0xD82): "Cortex-X4",
    (0x41, 0xD84): "Neoverse-V3",
    (0x41, 0xD85): "Cortex-X925",
    (0x41, 0xD87): "Cortex-A725",
    (0x41, 0xD8E): "Neoverse-N3",
    (0x43, 0x0A1): "ThunderX",
    (0x43, 0x0AF): "ThunderX2",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "Kunpeng-920",
    (0x4E, 0x004): "Carmel",
    (0x51, 0x001): "Oryon",
    (0x51, 0x802): "Kryo-3XX-Gold",
    (0x51, 0x803): "Kryo-3XX-Silver",
    (0x51, 0x804): "Kryo-4XX-Gold",
    (0x51, 0x805): "Kryo-4XX-Silver",
    (0x51, 0xC00): "Falkor",
    (0x61, 0x022): "Icestorm-M1",
    (0x61, 0x023): "Firestorm-M1",
    (0x61, 0x032): "Blizzard-M2",
    (0x61, 0x033): "Avalanche-M2",
    (0x6D, 0xD49): "Azure-Cobalt-100",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1a",
}


def vendor(implementer: str | None) -> str | None:
    """Give the name for the text of ``CPU implementer`` (``0x41``); a number without a name stands for itself."""
    number = _number(implementer)
    return implementer if number is None else _VENDORS.get(number, implementer)


def model(implementer: str | None, part: str | None) -> str | None:
    """Give the name for the texts of ``CPU implementer`` and ``CPU part``; an unnamed number stands for itself."""
    made_by, number = _number(implementer), _number(part)
    return part if made_by is None or number is None else _MODELS.get((made_by, number), part)


def parse_parts(cpuinfo: str) -> dict[int, tuple[str, str]]:
    """Give each listed CPU's texts of ``CPU implementer`` and ``CPU part``.

    Kernels before 3.19 print them once, after all CPUs: then only the last one has them.
    """
    parts: dict[int, tuple[str, str]] = {}
    cpu, implementer = None, ""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        name, value = name.rstrip(), value.strip()
        if name == "processor":
            cpu = whole_number(value, 6)
        elif name == "CPU implementer":
            implementer = value
        elif name == "CPU part" and cpu is not None:
            parts[cpu] = (implementer, value)
    return parts


def parse_midr(text: str, source: str) -> tuple[str, str]:
    """Give what cpuinfo would print as implementer and part for the text of ``midr_el1`` (``0x00000000411fd461``).

    Raises:
        UnparsableText: the text is no number of 64 bits.
    """
    value = _number(text.strip("\0 \n")) if len(text) <= 20 else None
    if value is None or value < 0:
        raise UnparsableText(source, 1, text.strip(), "no register's value")
    return f"0x{value >> 24 & 0xFF:02x}", f"0x{value >> 4 & 0xFFF:03x}"


def _number(text: str | None) -> int | None:
    try:
        return int(text or "", 16)
    except ValueError:
        return None
