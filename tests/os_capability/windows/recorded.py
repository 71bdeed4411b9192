# SPDX-License-Identifier: Apache-2.0
"""Windows machines: buffers built from the structures that winnt.h documents, and the registry's values."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

CORE, NODE, CACHE, PACKAGE, GROUP, DIE, NODE_EX, MODULE = range(8)
UNIFIED, INSTRUCTION, DATA, TRACE = range(4)
GIB = 1 << 30

_VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_PROCESSOR = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
_FIRMWARE = r"HARDWARE\DESCRIPTION\System\BIOS"


def affinities(cpus: Iterable[int]) -> list[bytes]:
    """Give a GROUP_AFFINITY for every group that has one of the CPUs."""
    masks: dict[int, int] = {}
    for cpu in cpus:
        masks[cpu // 64] = masks.get(cpu // 64, 0) | 1 << cpu % 64
    return [struct.pack("<QHHHH", mask, group, 0, 0, 0) for group, mask in sorted(masks.items())]


def record(relationship: int, content: bytes) -> bytes:
    return struct.pack("<II", relationship, 8 + len(content)) + content


def relation(relationship: int, cpus: Iterable[int], *, flags: int = 0, efficiency_class: int = 0) -> bytes:
    """Give a core, package, die or module: PROCESSOR_RELATIONSHIP."""
    masks = affinities(cpus)
    return record(relationship, struct.pack("<BB20xH", flags, efficiency_class, len(masks)) + b"".join(masks))


def node(number: int, cpus: Iterable[int], *, extended: bool = False) -> bytes:
    """Give a node: as before Windows 10 20H2, where the count of masks was reserved, or with all groups."""
    masks = affinities(cpus) or [struct.pack("<QHHHH", 0, 0, 0, 0, 0)]
    if extended:
        return record(NODE_EX, struct.pack("<I18xH", number, len(masks)) + b"".join(masks))
    return record(NODE, struct.pack("<I18xH", number, 0) + masks[0])


def cache(level: int, kind: int, size_bytes: int, cpus: Iterable[int]) -> bytes:
    masks = affinities(cpus)
    return record(CACHE, struct.pack("<BBHII18xH", level, 8, 64, size_bytes, kind, len(masks)) + b"".join(masks))


def groups(sizes: Sequence[tuple[int, int]]) -> bytes:
    """Give GROUP_RELATIONSHIP for groups of (most, active) CPUs."""
    infos = b"".join(struct.pack("<BB38xQ", most, active, (1 << active) - 1) for most, active in sizes)
    return record(GROUP, struct.pack("<HH20x", len(sizes), len(sizes)) + infos)


def memory_status(total_bytes: int, available_bytes: int) -> bytes:
    return struct.pack("<II7Q", 64, 40, total_bytes, available_bytes, total_bytes, available_bytes, 1 << 47, 1 << 46, 0)


@dataclass(kw_only=True)
class RecordedWindows:
    """Answers as `Win32` does on the machine it describes."""

    information: bytes
    memory: bytes
    node_bytes: dict[int, int]
    values: dict[tuple[str, str], object] = field(default_factory=dict)
    with_psutil: bool = True

    def pointer_bytes(self) -> int:
        return 8

    def processor_information(self) -> bytes:
        return self.information

    def memory_status(self) -> bytes:
        return self.memory

    def node_available_bytes(self, node: int) -> int | None:
        return self.node_bytes.get(node)

    def uptime_seconds(self) -> float:
        return 86400.25

    def registry(self, key: str, name: str) -> object:
        return self.values.get((key, name))

    def hostname(self) -> str | None:
        return "EXAMPLE"

    def architecture(self) -> str | None:
        return "AMD64"

    def swap_bytes(self) -> tuple[int, int] | None:
        return (4 * GIB, 3 * GIB) if self.with_psutil else None

    def users(self) -> int | None:
        return 1 if self.with_psutil else None


def registry(model: str, vendor: str, identifier: str, product: str, build: str) -> dict[tuple[str, str], object]:
    return {
        (_PROCESSOR, "ProcessorNameString"): f"{model}   ",
        (_PROCESSOR, "VendorIdentifier"): vendor,
        (_PROCESSOR, "Identifier"): identifier,
        (_PROCESSOR, "Update Revision"): bytes.fromhex("00000000 2c040000"),
        (_VERSION, "ProductName"): product,
        (_VERSION, "DisplayVersion"): "23H2",
        (_VERSION, "CurrentMajorVersionNumber"): 10,
        (_VERSION, "CurrentMinorVersionNumber"): 0,
        (_VERSION, "CurrentBuildNumber"): build,
        (_VERSION, "UBR"): 3447,
        (_FIRMWARE, "SystemManufacturer"): "Example Inc.",
        (_FIRMWARE, "SystemProductName"): "Example 1",
    }


def hybrid_laptop() -> RecordedWindows:
    """Give 2 performance cores of 2 threads and 8 efficiency cores in clusters of 4: an i5-1235U."""
    efficient = range(4, 12)
    information = [
        *(relation(CORE, (first, first + 1), flags=1, efficiency_class=1) for first in (0, 2)),
        *(relation(CORE, (cpu,)) for cpu in efficient),
        *(cache(1, DATA, 48 << 10, (first, first + 1)) for first in (0, 2)),
        *(cache(1, DATA, 32 << 10, (cpu,)) for cpu in efficient),
        *(cache(2, UNIFIED, 1280 << 10, (first, first + 1)) for first in (0, 2)),
        *(cache(2, UNIFIED, 2 << 20, range(first, first + 4)) for first in (4, 8)),
        cache(3, UNIFIED, 12 << 20, range(12)),
        relation(PACKAGE, range(12)),
        relation(DIE, range(12)),
        *(relation(MODULE, cpus) for cpus in ((0, 1), (2, 3), range(4, 8), range(8, 12))),
        node(0, range(12)),
        groups([(12, 12)]),
        node(0, range(12), extended=True),
    ]
    return RecordedWindows(
        information=b"".join(information),
        memory=memory_status(16 * GIB, 9 * GIB),
        node_bytes={0: 8 * GIB},
        values=registry(
            "12th Gen Intel(R) Core(TM) i5-1235U",
            "GenuineIntel",
            "Intel64 Family 6 Model 154 Stepping 4",
            "Windows 10 Pro",
            "22631",
        ),
    )


def two_groups() -> RecordedWindows:
    """Give 2 packages of 32 cores of 2 threads: 128 CPUs in 2 processor groups, a node in each."""
    packages = (range(64), range(64, 128))
    information = [
        *(relation(CORE, (first, first + 1), flags=1) for first in range(0, 128, 2)),
        *(relation(PACKAGE, cpus) for cpus in packages),
        *(cache(3, UNIFIED, 32 << 20, range(first, first + 8)) for first in range(0, 128, 8)),
        *(node(number, cpus) for number, cpus in enumerate(packages)),
        groups([(64, 64), (64, 64)]),
    ]
    return RecordedWindows(
        information=b"".join(information),
        memory=memory_status(512 * GIB, 500 * GIB),
        node_bytes={0: 249 * GIB, 1: 251 * GIB},
        values=registry(
            "AMD EPYC 7543 32-Core Processor",
            "AuthenticAMD",
            "AMD64 Family 25 Model 1 Stepping 1",
            "Windows Server 2019 Standard",
            "17763",
        ),
    )


def uneven_groups() -> RecordedWindows:
    """Give one package of 40 cores without SMT, split into groups of 20, whose one node only NumaNodeEx has whole."""
    cpus = [*range(20), *range(64, 84)]
    information = [
        *(relation(CORE, (cpu,)) for cpu in cpus),
        relation(PACKAGE, cpus),
        node(0, range(20)),
        groups([(20, 20), (20, 20)]),
        node(0, cpus, extended=True),
    ]
    guest = registry(
        "Intel(R) Xeon(R) Platinum 8380", "GenuineIntel", "Intel64 Family 6 Model 106", "Windows Server 2022", "20348"
    )
    guest[_FIRMWARE, "SystemManufacturer"], guest[_FIRMWARE, "SystemProductName"] = "QEMU", "Standard PC (Q35)"
    return RecordedWindows(
        information=b"".join(information),
        memory=memory_status(64 * GIB, 60 * GIB),
        node_bytes={0: 60 * GIB},
        values=guest,
        with_psutil=False,
    )


ALL = {"hybrid-laptop": hybrid_laptop, "two-groups": two_groups, "uneven-groups": uneven_groups}
