# SPDX-License-Identifier: Apache-2.0
"""Reads the CPUs: which there are, who made them, caches, kinds, vulnerabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.errors import SourceUnreadable, UnparsableText
from os_capability.linux import arm, core_kinds, paths, sanity
from os_capability.linux.cpuinfo import CpuIdentity, parse_identity, parse_processors
from os_capability.linux.readers.system import read_name
from os_capability.linux.sources import Sources
from os_capability.linux.topology import Placement, join
from os_capability.model import Cache, Cpu, CpuKind, Processor, Smt
from os_capability.number import numbered, whole_number

__all__ = ["CpuSets", "read_cpu", "read_cpu_sets", "read_identity", "read_kinds"]

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
    possible = sources.cpus(paths.CPU_POSSIBLE)
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
            raise SourceUnreadable(sources.root.shown(paths.CPU), "neither it nor cpuinfo nor stat tells of any CPU")
        sources.warn(
            "cpu-sets-missing", f"{sources.root.shown(paths.CPU_ONLINE)} is missing; the CPUs are those of proc"
        )
    for warning in sanity.check_cpu_sets(possible, present, online):
        sources.warn(warning.code, warning.message)
    return CpuSets(
        possible=possible,
        present=(present or online) | online,
        online=online,
        isolated=sources.cpus(paths.CPU_ISOLATED),
        nohz_full=sources.cpus(paths.CPU_NOHZ_FULL),
    )


def _cpu_folders(sources: Sources) -> list[int]:
    try:
        return numbered(sources.root.entries(paths.CPU), "cpu")
    except SourceUnreadable as error:
        sources.refuse(error)
        return []


def _running(sources: Sources, cpuinfo: str | None) -> CpuSet:
    if cpuinfo is not None:
        try:
            listed = parse_processors(cpuinfo, sources.root.shown(paths.CPUINFO))
        except UnparsableText as error:
            sources.warn_of(error)
        else:
            if listed:
                return CpuSet(row.cpu for row in listed)
    names = (line.partition(" ")[0] for line in (sources.text(paths.STAT) or "").splitlines())
    return CpuSet(numbered(names, "cpu"))


def read_identity(sources: Sources, cpuinfo: str | None) -> CpuIdentity:
    """Give who made the CPU, all unknown where a captured machine's cpuinfo is missing or makes no sense.

    Raises:
        UnparsableText: this is the live machine and it made no sense.
    """
    if cpuinfo is None:
        return CpuIdentity()
    try:
        return parse_identity(cpuinfo, sources.root.shown(paths.CPUINFO))
    except UnparsableText as error:
        sources.refuse(error)
        return CpuIdentity()


def read_cpu(sources: Sources, sets: CpuSets, placement: Placement, identity: CpuIdentity, cpuinfo: str | None) -> Cpu:
    """Join who made the CPUs and where they are with what else the kernel tells of them."""
    online = placement.online
    caches = _read_caches(sources, online)
    kinds = read_kinds(sources, online, cpuinfo, caches)
    topology = join(placement, {cpu: name for name, cpus in kinds for cpu in cpus})
    present = sets.present | online
    return Cpu(
        vendor=identity.vendor,
        model=identity.model,
        family=identity.family,
        # Where cpuinfo lacks it.
        microcode=identity.microcode or read_name(sources, f"{paths.CPU}/cpu{online.first()}/microcode/version"),
        flags=identity.flags,
        possible=sets.possible,
        present=present,
        online=online,
        offline=present - online,
        isolated=sets.isolated,
        nohz_full=sets.nohz_full,
        sockets=topology.sockets,
        cores=topology.cores,
        threads=len(online),
        smt=_read_smt(sources),
        kinds=tuple(
            CpuKind(name=name, cpus=cpus, threads_per_core=_threads_per_core(topology.processors, cpus))
            for name, cpus in kinds
        ),
        processors=topology.processors,
        caches=caches,
        vulnerabilities=_read_vulnerabilities(sources),
    )


def _threads_per_core(processors: Sequence[Processor], cpus: CpuSet) -> int | None:
    """Give the threads of each core among `cpus`; ``None`` where its cores differ or are not known."""
    threads: dict[int | None, int] = {}
    for processor in processors:
        if processor.id in cpus:
            threads[processor.core] = threads.get(processor.core, 0) + 1
    counts = set(threads.values())
    return counts.pop() if len(counts) == 1 and None not in threads else None


def _read_caches(sources: Sources, online: CpuSet) -> tuple[Cache, ...] | None:
    """Read each physical cache once, from its lowest CPU; ``None`` where the kernel shows none."""
    caches: list[Cache] = []
    covered: dict[str, CpuSet] = {}
    # The kernel numbers a CPU's caches level by level: CPUs with the same numbers have the same levels and types there.
    numbered_alike: dict[tuple[str, ...], dict[str, tuple[int, str]]] = {}
    for cpu in online:
        if covered and all(cpu in cpus for cpus in covered.values()):
            continue
        folder = f"{paths.CPU}/cpu{cpu}/cache"
        names = tuple(sorted(name for name in sources.entries(folder) or () if name.startswith("index")))
        if names not in numbered_alike:
            numbered_alike[names] = _cache_kinds(sources, folder, names)
        for name, (level, kind) in numbered_alike[names].items():
            if cpu in covered.get(name, _NO_CPU):
                continue
            shared = _sharing(sources, f"{folder}/{name}") & online | CpuSet([cpu])
            size = _cache_size(sources.text(f"{folder}/{name}/size"))
            covered[name] = covered.get(name, _NO_CPU) | shared
            caches.append(Cache(level=level, type=kind, size_bytes=size, shared_cpus=shared))
    return tuple(sorted(caches, key=lambda c: (c.level, c.type, c.shared_cpus.first()))) if caches else None


def _cache_kinds(sources: Sources, folder: str, names: Sequence[str]) -> dict[str, tuple[int, str]]:
    found = {}
    for name in names:
        level = whole_number((sources.text(f"{folder}/{name}/level") or "").strip("\0 \n"), 2)
        kind = read_name(sources, f"{folder}/{name}/type")
        if kind is not None and level is not None:
            found[name] = (level, kind)
    return found


def _sharing(sources: Sources, folder: str) -> CpuSet:
    return sources.mask(f"{folder}/shared_cpu_map") or sources.cpus(f"{folder}/shared_cpu_list") or CpuSet()


def _cache_size(text: str | None) -> int | None:
    kilobytes = whole_number((text or "").strip("\0 \n").removesuffix("K"), 12)
    return kilobytes * 1024 if kilobytes else None


def _read_smt(sources: Sources) -> Smt:
    """Read the kernel's SMT switch (since Linux 4.19)."""
    active = sources.text(paths.SMT_ACTIVE) or ""
    return Smt(
        control=read_name(sources, paths.SMT_CONTROL),
        active={"0": False, "1": True}.get(active.strip("\0 \n")),
    )


def read_kinds(
    sources: Sources, online: CpuSet, cpuinfo: str | None, caches: Sequence[Cache] | None
) -> list[core_kinds.Kind]:
    """Read the kinds of cores, strongest first; none where all are alike."""
    performance = sources.cpus(paths.PMU_PERFORMANCE)
    if performance:
        weaker = {"efficiency": sources.cpus(paths.PMU_EFFICIENCY), "low-power": sources.cpus(paths.PMU_LOW_POWER)}
        return core_kinds.by_pmu({"performance": performance, **weaker}, online)
    parts = _parts(sources, online, cpuinfo or "")
    if parts is not None:
        return _kinds_by_part(sources, parts)
    capacities = _capacities(sources, online)
    if capacities is not None:
        return core_kinds.by_capacity(capacities)
    return _kinds_by_first_caches(sources, core_kinds.by_first_caches(caches or (), online))


def _parts(sources: Sources, online: CpuSet, cpuinfo: str) -> dict[int, tuple[str, str]] | None:
    """Give each online CPU's implementer and part; ``None`` where that is not known of all, as on what is no ARM."""
    listed = arm.parse_parts(cpuinfo) if "CPU part" in cpuinfo else {}
    if online <= CpuSet(listed):
        return {cpu: listed[cpu] for cpu in online}
    found = {}
    for cpu in online:
        part = sources.parsed(f"{paths.CPU}/cpu{cpu}/regs/identification/midr_el1", arm.parse_midr)
        if part is None:
            return None
        found[cpu] = part
    return found


def _kinds_by_part(sources: Sources, parts: Mapping[int, tuple[str, str]]) -> list[core_kinds.Kind]:
    models = {cpu: arm.model(*part) or part[1] for cpu, part in parts.items()}
    one_of_each = {model: cpu for cpu, model in models.items()}
    capacities = {model: sources.count(f"{paths.CPU}/cpu{cpu}/cpu_capacity") for model, cpu in one_of_each.items()}
    return core_kinds.by_part(models, {model: number for model, number in capacities.items() if number is not None})


def _capacities(sources: Sources, online: CpuSet) -> dict[int, int] | None:
    found = {}
    for cpu in online:
        capacity = sources.count(f"{paths.CPU}/cpu{cpu}/cpu_capacity")
        if capacity is None:
            return None
        found[cpu] = capacity
    return found


def _kinds_by_first_caches(sources: Sources, groups: Sequence[CpuSet]) -> list[core_kinds.Kind]:
    """Name the groups by what the firmware ranks higher: captures and guests lack the PMUs, not the caches."""
    ranked = [(sources.count(f"{paths.CPU}/cpu{cpus.first()}/acpi_cppc/highest_perf"), cpus) for cpus in groups]
    ranks = [rank for rank, _ in ranked if rank is not None]
    if len(set(ranks)) != 2:
        return []
    strongest_first = sorted(ranked, key=lambda item: item[0] or 0, reverse=True)
    names = ("performance", "efficiency")
    return [core_kinds.Kind(name, cpus) for name, (_, cpus) in zip(names, strongest_first, strict=True)]


def _read_vulnerabilities(sources: Sources) -> dict[str, str] | None:
    """Read what the kernel says of each known vulnerability (since Linux 4.15)."""
    names = sorted(sources.entries(paths.VULNERABILITIES) or ())
    texts = {name: read_name(sources, f"{paths.VULNERABILITIES}/{name}") for name in names}
    return {name: text for name, text in texts.items() if text is not None} or None
