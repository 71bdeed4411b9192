# SPDX-License-Identifier: Apache-2.0
"""Reads the CPUs: which there are, caches, kinds, vulnerabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.errors import SourceMissing, SourceUnreadable, UnparsableText
from os_capability.linux import paths
from os_capability.linux.cpuinfo import parse_processors
from os_capability.linux.node import numbered
from os_capability.linux.sources import Sources
from os_capability.model import Cache, Smt

__all__ = ["CpuSets", "read_caches", "read_cpu_sets", "read_kinds", "read_smt", "read_vulnerabilities"]

_NO_CPU = CpuSet()


class CpuSets(NamedTuple):
    """The kernel's sets of CPUs."""

    possible: CpuSet | None
    present: CpuSet
    online: CpuSet
    isolated: CpuSet | None
    nohz_full: CpuSet | None


def read_cpu_sets(sources: Sources, cpuinfo: str | None) -> CpuSets:
    """Read which CPUs there are; without the kernel's files, the cpuN folders, cpuinfo and ``/proc/stat`` tell.

    Raises:
        SourceUnreadable: no file tells of any CPU.
    """
    folders = CpuSet(_cpu_folders(sources))
    present = sources.cpus(paths.CPU_PRESENT)
    online = sources.cpus(paths.CPU_ONLINE)
    if not present and folders:
        present = folders
    if not online and present:
        # A CPU without an `online` file cannot be taken offline.
        online = CpuSet(cpu for cpu in present if sources.text(f"{paths.CPU}/cpu{cpu}/online") not in ("0", "0\n"))
    if not online:
        online = _running(sources, cpuinfo)
        if not online:
            raise SourceUnreadable(sources.root.name(paths.CPU), "neither it nor cpuinfo nor stat tells of any CPU")
        sources.warn(
            "cpu-sets-missing", f"{sources.root.name(paths.CPU_ONLINE)} is missing; the CPUs are those of proc"
        )
    return CpuSets(
        possible=sources.cpus(paths.CPU_POSSIBLE),
        present=(present or online) | online,
        online=online,
        isolated=sources.cpus(paths.CPU_ISOLATED),
        nohz_full=sources.cpus(paths.CPU_NOHZ_FULL),
    )


def _cpu_folders(sources: Sources) -> list[int]:
    try:
        return numbered(sources.root.names(paths.CPU), "cpu")
    except SourceUnreadable as error:
        sources.refuse(error)
        return []


def _running(sources: Sources, cpuinfo: str | None) -> CpuSet:
    if cpuinfo is not None:
        try:
            listed = parse_processors(cpuinfo, sources.root.name(paths.CPUINFO))
        except UnparsableText as error:
            sources.warn_of(error)
        else:
            if listed:
                return CpuSet(row.cpu for row in listed)
    names = (line.partition(" ")[0] for line in (sources.text(paths.STAT) or "").splitlines())
    return CpuSet(numbered(list(names), "cpu"))


def read_caches(sources: Sources, online: CpuSet) -> tuple[Cache, ...] | None:
    """Read each physical cache once, from its lowest CPU; ``None`` where the kernel shows none."""
    caches: list[Cache] = []
    covered: dict[str, CpuSet] = {}
    # The kernel numbers a CPU's caches level by level: CPUs with the same numbers have the same levels and types there.
    kinds: dict[tuple[str, ...], dict[str, tuple[int, str]]] = {}
    for cpu in online:
        if covered and all(cpu in cpus for cpus in covered.values()):
            continue
        folder = f"{paths.CPU}/cpu{cpu}/cache"
        names = tuple(sorted(name for name in sources.names(folder) if name.startswith("index")))
        if names not in kinds:
            kinds[names] = _cache_kinds(sources, folder, names)
        for name, (level, kind) in kinds[names].items():
            if cpu in covered.get(name, _NO_CPU):
                continue
            shared = _sharing(sources, f"{folder}/{name}") | CpuSet([cpu])
            size = _cache_size(sources.text(f"{folder}/{name}/size"))
            covered[name] = covered.get(name, _NO_CPU) | shared
            caches.append(Cache(level=level, type=kind, size_bytes=size, shared_cpus=shared))
    return tuple(sorted(caches, key=lambda c: (c.level, c.type, c.shared_cpus.first()))) if caches else None


def _cache_kinds(sources: Sources, folder: str, names: Sequence[str]) -> dict[str, tuple[int, str]]:
    found = {}
    for name in names:
        level = (sources.text(f"{folder}/{name}/level") or "").strip("\0 \n")
        kind = sources.text(f"{folder}/{name}/type")
        if kind is not None and level.isascii() and level.isdigit() and len(level) <= 2:
            found[name] = (int(level), kind.strip("\0 \n"))
    return found


def _sharing(sources: Sources, folder: str) -> CpuSet:
    return sources.mask(f"{folder}/shared_cpu_map") or sources.cpus(f"{folder}/shared_cpu_list") or CpuSet()


def _cache_size(text: str | None) -> int | None:
    number = (text or "").strip("\0 \n").removesuffix("K")
    return int(number) * 1024 if number.isascii() and number.isdigit() and len(number) <= 12 and int(number) else None


def read_smt(sources: Sources) -> Smt:
    """Read the kernel's SMT switch (since Linux 4.19)."""
    control, active = sources.text(paths.SMT_CONTROL), sources.text(paths.SMT_ACTIVE)
    return Smt(
        control=control.strip("\0 \n") or None if control is not None else None,
        active={"0": False, "1": True}.get((active or "").strip("\0 \n")),
    )


def read_kinds(sources: Sources, online: CpuSet) -> list[tuple[str, CpuSet]]:
    """Read the kinds of cores, strongest first; none where all are alike."""
    performance, efficiency = sources.cpus(paths.PMU_PERFORMANCE), sources.cpus(paths.PMU_EFFICIENCY)
    if performance and efficiency:
        kinds = [("performance", performance & online), ("efficiency", efficiency & online)]
    else:
        kinds = _kinds_by_capacity(sources, online)
    kinds = [(name, cpus) for name, cpus in kinds if cpus]
    return kinds if len(kinds) > 1 else []


def _kinds_by_capacity(sources: Sources, online: CpuSet) -> list[tuple[str, CpuSet]]:
    capacities: dict[int, CpuSet] = {}
    for cpu in online:
        text = sources.text(f"{paths.CPU}/cpu{cpu}/cpu_capacity")
        if text is None:
            return []
        number = text.strip("\0 \n")
        if not (number.isascii() and number.isdigit() and len(number) <= 6):
            return []
        capacities[int(number)] = capacities.get(int(number), CpuSet()) | CpuSet([cpu])
    kinds: list[tuple[int, CpuSet]] = []
    for capacity in sorted(capacities, reverse=True):
        # Equal cores may be ranked a few percent apart (Grace, AMD's preferred cores): those are one kind.
        if kinds and capacity * 10 > kinds[-1][0] * 9:
            kinds[-1] = (kinds[-1][0], kinds[-1][1] | capacities[capacity])
        else:
            kinds.append((capacity, capacities[capacity]))
    return [(f"capacity-{capacity}", cpus) for capacity, cpus in kinds]


def read_vulnerabilities(sources: Sources) -> dict[str, str] | None:
    """Read what the kernel says of each known vulnerability (since Linux 4.15)."""
    found = {}
    for name in sorted(sources.names(paths.VULNERABILITIES)):
        try:
            found[name] = sources.root.read(f"{paths.VULNERABILITIES}/{name}").strip("\0 \n")
        except SourceMissing:
            continue
        except SourceUnreadable as error:
            sources.warn_of(error)
    return found or None
