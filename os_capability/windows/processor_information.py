# SPDX-License-Identifier: Apache-2.0
"""The buffer that ``GetLogicalProcessorInformationEx`` fills: records of several kinds, each with its own length.

    DWORD Relationship; DWORD Size;                                                            every record
    BYTE Flags; BYTE EfficiencyClass; BYTE Reserved[20]; WORD GroupCount; GROUP_AFFINITY []    cores, packages, dies
    DWORD NodeNumber; BYTE Reserved[18]; WORD GroupCount; GROUP_AFFINITY []                    NUMA nodes
    BYTE Level; BYTE Associativity; WORD LineSize; DWORD CacheSize; DWORD Type;
        BYTE Reserved[18]; WORD GroupCount; GROUP_AFFINITY []                                  caches
    WORD MaximumGroupCount; WORD ActiveGroupCount; BYTE Reserved[20]; PROCESSOR_GROUP_INFO []  processor groups

    GROUP_AFFINITY: KAFFINITY Mask; WORD Group; WORD Reserved[3]
    PROCESSOR_GROUP_INFO: BYTE MaximumProcessorCount; BYTE ActiveProcessorCount; BYTE Reserved[38]; KAFFINITY Mask

A CPU's id is its group times 64 and its bit in the group's mask. Ids have holes where a group holds fewer.

Source: winnt.h, SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX and the structures it names.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, UnparsableText
from os_capability.model import Cache

__all__ = ["CoreRow", "ProcessorInformation", "parse_processor_information"]

_NAME = "GetLogicalProcessorInformationEx"
_GROUP_SIZE = 64
_CORE, _NODE, _CACHE, _PACKAGE, _GROUP, _DIE, _NODE_EX, _MODULE = range(8)
_CACHE_TYPES = {0: "Unified", 1: "Instruction", 2: "Data"}
_HEADER = struct.Struct("<II")


class CoreRow(NamedTuple):
    """One core: its CPUs; the higher `efficiency_class`, the stronger it is."""

    cpus: CpuSet
    efficiency_class: int


class ProcessorInformation(NamedTuple):
    """What the buffer tells, of CPUs that are online but for `possible`; lists are in the order of the records."""

    cores: tuple[CoreRow, ...]
    packages: tuple[CpuSet, ...]
    dies: tuple[CpuSet, ...]
    modules: tuple[CpuSet, ...]
    caches: tuple[Cache, ...]
    nodes: Mapping[int, CpuSet]
    possible: CpuSet

    @property
    def online(self) -> CpuSet:
        """Every CPU of every core."""
        return CpuSet.union(core.cpus for core in self.cores)


def parse_processor_information(buffer: bytes, *, pointer_bytes: int = 8) -> ProcessorInformation:
    """Read the buffer.

    Args:
        buffer: as the function filled it, for any choice of relations.
        pointer_bytes: the size of a KAFFINITY: 8, or 4 for a 32-bit process.

    Raises:
        UnparsableText: a record is cut short, longer than the buffer, or holds what no CPU is; it tells which record.
    """
    records: dict[int, list[_Record]] = {}
    for record in _records(buffer, pointer_bytes):
        records.setdefault(record.relationship, []).append(record)
    nodes: dict[int, CpuSet] = {}
    # NumaNodeEx (Windows Server 2022) has the CPUs of all groups, the older NumaNode those of one.
    for record in (*records.get(_NODE, ()), *records.get(_NODE_EX, ())):
        number = record.number("<I", 8)
        nodes[number] = nodes.get(number, CpuSet()) | record.cpus(32)
    return ProcessorInformation(
        cores=tuple(CoreRow(record.cpus(32), record.number("<B", 9)) for record in records.get(_CORE, ())),
        packages=tuple(record.cpus(32) for record in records.get(_PACKAGE, ())),
        dies=tuple(record.cpus(32) for record in records.get(_DIE, ())),
        modules=tuple(record.cpus(32) for record in records.get(_MODULE, ())),
        caches=tuple(sorted(_caches(records.get(_CACHE, ())), key=lambda c: (c.level, c.type, c.shared_cpus.first()))),
        nodes=dict(sorted(nodes.items())),
        possible=CpuSet.union(record.possible() for record in records.get(_GROUP, ())),
    )


class _Record:
    """One record; offsets count from its beginning, as in the structures above."""

    def __init__(self, at: int, content: bytes, pointer_bytes: int) -> None:
        self._at = at
        self._content = content
        self._affinity = struct.Struct("<QH6x" if pointer_bytes == 8 else "<IH6x")
        self._pointer_bytes = pointer_bytes
        self.relationship = self.number("<I", 0)

    def number(self, form: str, offset: int) -> int:
        """Give the number at an offset."""
        try:
            number: int = struct.unpack_from(form, self._content, offset)[0]
        except struct.error:
            raise self.error("cut short") from None
        return number

    def cpus(self, masks_offset: int) -> CpuSet:
        """Give the CPUs of the array of GROUP_AFFINITY at an offset, which its length stands before.

        The length was reserved and zero in nodes and caches before Windows 10 20H2, where there is always one mask.
        """
        found = CpuSet()
        for at in range(max(self.number("<H", masks_offset - 2), 1)):
            offset = masks_offset + at * self._affinity.size
            if offset + self._affinity.size > len(self._content):
                raise self.error("cut short")
            mask, group = self._affinity.unpack_from(self._content, offset)
            found |= self._cpus_of(mask, group)
        return found

    def cache(self) -> Cache:
        """Give a cache of a type that a `Cache` can have."""
        return Cache(
            level=self.number("<B", 8),
            type=_CACHE_TYPES[self.number("<I", 16)],
            size_bytes=self.number("<I", 12) or None,
            shared_cpus=self.cpus(40),
        )

    def possible(self) -> CpuSet:
        """Give the CPUs that the processor groups have room for."""
        found = CpuSet()
        for group in range(self.number("<H", 10)):
            room = self.number("<B", 32 + group * (40 + self._pointer_bytes))
            if room > _GROUP_SIZE:
                raise self.error("a group of more than 64 CPUs")
            found |= self._cpus_of((1 << room) - 1, group)
        return found

    def _cpus_of(self, mask: int, group: int) -> CpuSet:
        first = group * _GROUP_SIZE
        try:
            return CpuSet(first + bit for bit in range(_GROUP_SIZE) if mask >> bit & 1)
        except InvalidCpuSet as error:
            raise self.error(error.reason) from None

    def error(self, reason: str) -> UnparsableText:
        """Give the error that names this record by its offset in the buffer."""
        return UnparsableText(_NAME, 1, f"offset {self._at}: {self._content[:32].hex(' ')}", reason)


def _records(buffer: bytes, pointer_bytes: int) -> Iterator[_Record]:
    at = 0
    while at < len(buffer):
        head = buffer[at : at + _HEADER.size]
        size = _HEADER.unpack(head)[1] if len(head) == _HEADER.size else 0
        if size < _HEADER.size or at + size > len(buffer):
            raise UnparsableText(_NAME, 1, f"offset {at}: {head.hex(' ')}", "no record fits here")
        yield _Record(at, buffer[at : at + size], pointer_bytes)
        at += size


def _caches(records: Iterable[_Record]) -> Iterator[Cache]:
    """Give the caches; one of traces, which only the Pentium 4 had, is left out, and so is one that no CPU uses."""
    caches = (record.cache() for record in records if record.number("<I", 16) in _CACHE_TYPES)
    return (cache for cache in caches if cache.shared_cpus)
