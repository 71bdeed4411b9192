# SPDX-License-Identifier: Apache-2.0
"""The CPUs of a Mac, from the counts that ``sysctl`` gives.

    hw.nperflevels: 2
    hw.perflevel0.name: Performance        hw.perflevel1.name: Efficiency
    hw.perflevel0.logicalcpu_max: 8        hw.perflevel1.logicalcpu_max: 2
    hw.perflevel0.cpusperl2: 4             hw.perflevel1.cpusperl2: 2

macOS counts CPUs and does not number them, and binds no program to one. The ids are ours, in the order in which its
kernel has them: the weakest level first, threads of a core, cores of a cache and of a package side by side.

Source: Apple's "Determining system capabilities" and bsd/sys/sysctl.h of XNU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.model import Cache, CpuKind, Processor
from os_capability.number import whole_number
from os_capability.sysctl import Sysctl

__all__ = ["MacCpus", "join", "read_cpus"]

_MOST_LEVELS = 8
_MOST_CPUS = 4096


class _Level(NamedTuple):
    """CPUs that are alike: `prefix` begins the names of their values; `threads_per_core` may be unknown."""

    name: str
    prefix: str
    cpus: CpuSet
    online: CpuSet
    threads_per_core: int | None


class MacCpus(NamedTuple):
    """Which CPUs there are, alike ones together, strongest level first."""

    levels: tuple[_Level, ...]
    present: CpuSet
    online: CpuSet


def read_cpus(sysctl: Sysctl) -> MacCpus | None:
    """Give the CPUs; ``None`` where nothing counts them."""
    total = _count(sysctl, "hw.logicalcpu_max") or _count(sysctl, "hw.ncpu")
    if total is None:
        return None
    levels = _levels(sysctl)
    if sum(len(level.cpus) for level in levels) != total:
        levels = [_level(sysctl, "", "hw.", 0, total)]
    present = CpuSet.union(level.cpus for level in levels)
    return MacCpus(tuple(levels), present, CpuSet.union(level.online for level in levels))


def _levels(sysctl: Sysctl) -> list[_Level]:
    """Give the performance levels, strongest first; those of an Intel Mac, which has none, are none."""
    levels: list[_Level] = []
    first = 0
    for number in reversed(range(min(sysctl.number("hw.nperflevels") or 0, _MOST_LEVELS))):
        prefix = f"hw.perflevel{number}."
        count = _count(sysctl, f"{prefix}logicalcpu_max")
        if count is None:
            return []
        # The first systems with levels give them no names, and have two.
        name = sysctl.text(f"{prefix}name") or ("performance", "efficiency", "level-2")[min(number, 2)]
        levels.insert(0, _level(sysctl, name.lower(), prefix, first, count))
        first += count
    return levels


def _level(sysctl: Sysctl, name: str, prefix: str, first: int, count: int) -> _Level:
    cores = _count(sysctl, f"{prefix}physicalcpu_max")
    running = _count(sysctl, f"{prefix}logicalcpu") or count
    return _Level(
        name=name,
        prefix=prefix,
        cpus=CpuSet(range(first, first + count)),
        online=CpuSet(range(first, first + min(running, count))),
        threads_per_core=count // cores if cores and count % cores == 0 else None,
    )


def _count(sysctl: Sysctl, name: str) -> int | None:
    number = sysctl.number(name)
    return number if number and number <= _MOST_CPUS else None


class MacTopology(NamedTuple):
    """The joined answer; counts over online CPUs, ``None`` where nothing tells them."""

    processors: tuple[Processor, ...]
    kinds: tuple[CpuKind, ...]
    caches: tuple[Cache, ...]
    sockets: int | None
    cores: int | None


def join(sysctl: Sysctl, cpus: MacCpus) -> MacTopology:
    """Give processors, kinds, caches and counts."""
    kinds = cpus.levels if len(cpus.levels) > 1 else ()
    kind_of = {cpu: level.name for level in kinds for cpu in level.cpus}
    cores, sockets = _cores(cpus), _sockets(sysctl, cpus)
    return MacTopology(
        processors=tuple(
            Processor(
                id=cpu,
                online=cpu in cpus.online,
                core=cores.get(cpu),
                socket=sockets.get(cpu),
                node=0 if cpu in cpus.online else None,
                kind=kind_of.get(cpu),
            )
            for cpu in cpus.present
        ),
        kinds=tuple(
            CpuKind(name=level.name, cpus=level.online, threads_per_core=level.threads_per_core) for level in kinds
        ),
        caches=tuple(sorted(_caches(sysctl, cpus), key=lambda c: (c.level, c.type, c.shared_cpus.first()))),
        sockets=len(set(sockets.values())) or sysctl.number("hw.packages") or None,
        cores=len(set(cores.values())) or sysctl.number("hw.physicalcpu") or None,
    )


def _cores(cpus: MacCpus) -> dict[int, int]:
    """Number the cores of the online CPUs in CPU order; none where one level's threads are not known."""
    numbers: dict[int, int] = {}
    count = 0
    for level in reversed(cpus.levels):
        if level.threads_per_core is None:
            return {}
        for core in _chunks(level.online, level.threads_per_core):
            numbers.update(dict.fromkeys(core, count))
            count += 1
    return numbers


def _sockets(sysctl: Sysctl, cpus: MacCpus) -> dict[int, int]:
    packages = sysctl.number("hw.packages")
    if not packages or len(cpus.present) % packages:
        return {}
    per_package = len(cpus.present) // packages
    return {cpu: cpu // per_package for cpu in cpus.online}


def _caches(sysctl: Sysctl, cpus: MacCpus) -> Iterator[Cache]:
    for level in cpus.levels:
        sharing = _sharing(sysctl, level)
        for number, kind, name in (
            (1, "Data", "l1dcachesize"),
            (1, "Instruction", "l1icachesize"),
            (2, "Unified", "l2cachesize"),
            (3, "Unified", "l3cachesize"),
        ):
            size, shared_by = sysctl.number(level.prefix + name), sharing.get(number)
            if size and shared_by:
                for chunk in _chunks(level.cpus, shared_by):
                    if shared := chunk & level.online:
                        yield Cache(level=number, type=kind, size_bytes=size, shared_cpus=shared)


def _sharing(sysctl: Sysctl, level: _Level) -> dict[int, int | None]:
    """Give how many CPUs share a cache, by its level.

    ``hw.cacheconfig`` tells it of one kind of CPUs only: how many share the memory, then each level of cache.
    """
    if level.prefix != "hw.":
        return {
            1: level.threads_per_core,
            2: _count(sysctl, f"{level.prefix}cpusperl2"),
            3: _count(sysctl, f"{level.prefix}cpusperl3"),
        }
    config = (sysctl.text("hw.cacheconfig") or "").split()
    counts = [whole_number(word, 4) or 0 for word in config]
    return {number: count for number, count in enumerate(counts) if number and count <= _MOST_CPUS}


def _chunks(cpus: CpuSet, size: int) -> Iterator[CpuSet]:
    ids = list(cpus)
    for at in range(0, len(ids), size):
        yield CpuSet(ids[at : at + size])
