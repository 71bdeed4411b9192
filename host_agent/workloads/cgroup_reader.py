# SPDX-License-Identifier: Apache-2.0
"""Reads what a control group is limited to, whether it is frozen, and which processes are in it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from host_agent.workloads.cgroup_hierarchies import Hierarchies, read_value
from host_agent.workloads.cgroup_limits import parse_bytes, parse_events, parse_list, parse_quota
from host_agent.workloads.workload import HeldPages
from os_capability import CpuSet

__all__ = ["CgroupReader", "GroupLimits", "subgroups"]

_Limit = TypeVar("_Limit", int, float)

_PAGE_FOLDER = re.compile(r"hugepages-([0-9]{1,12})kB")
_FROZEN = frozenset({"FROZEN", "FREEZING"})
_DEEPEST_PROCESS = 4
_MOST_PROCESSES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """What binds a group; ``None`` is no limit.

    Attributes:
        quota: CPUs, by time.
        cpuset: the CPUs it may run on, where those are not all of the machine.
        has_own_cpuset: whether these were chosen for it, and not for a group above it.
        memory_bytes: huge pages are not among it.
        hugepages: how many it may take of each size that it is limited in; ``None``: in none.
        numa_nodes: the nodes its memory comes from, where those are not all.
    """

    quota: float | None
    cpuset: CpuSet | None
    has_own_cpuset: bool
    memory_bytes: int | None
    hugepages: tuple[HeldPages, ...] | None
    numa_nodes: tuple[int, ...] | None


class CgroupReader:
    """The groups of one machine at one look; what several groups have above them is read once.

    A group is named by its path below the top of the trees, without a leading slash. What may not be read is raised as
    `PermissionError` by every method; a group that is gone has nothing.
    """

    def __init__(self, hierarchies: Hierarchies, root: str) -> None:
        self._hierarchies = hierarchies
        self._quota = cache(self._read_quota)
        self._memory = cache(self._read_memory)
        self._pages = cache(self._read_pages)
        self._places = cache(self._read_places)
        self._page_sizes = _page_sizes(root)

    def limits(self, group: str) -> GroupLimits:
        """Give what binds a group: its own limits, or those of groups above it where they are lower.

        A limit that only a group above it has is no limit of its own: all the groups in there share it.
        """
        cpus, nodes = self.cpuset(group), self._places("mems", group)
        return GroupLimits(
            quota=_tightest(self._quota, group),
            cpuset=cpus,
            has_own_cpuset=cpus is not None and cpus != self.cpuset(_above(group)),
            memory_bytes=_tightest(self._memory, group),
            hugepages=self._hugepages(group),
            numa_nodes=None if nodes is None or nodes == self._places("mems", "") else tuple(nodes),
        )

    def cpuset(self, group: str) -> CpuSet | None:
        """Give the CPUs a group may run on, ``None`` for all that the machine has."""
        cpus = self._places("cpus", group)
        return None if cpus == self._places("cpus", "") else cpus

    def is_frozen(self, group: str) -> bool:
        """Tell whether its processes stand still."""
        if "freezer" in self._hierarchies.v1:
            return (self._v1("freezer", group, "freezer.state") or "").strip() in _FROZEN
        frozen = self._events(group).get("frozen")
        return (self._v2(group, "cgroup.freeze") or "").strip() == "1" if frozen is None else frozen

    def is_populated(self, group: str) -> bool:
        """Tell whether there is a process in it or below it."""
        if not self._hierarchies.v1:
            populated = self._events(group).get("populated")
            if populated is not None:
                return populated
        folders = (f"{tree}/{group}" for tree in self._hierarchies.walked)
        return any(_has_process(folder, _DEEPEST_PROCESS) for folder in folders)

    def processes(self, group: str) -> Iterator[int]:
        """Yield the first processes in it, those below it left out; 0 is a process that we cannot see."""
        for tree in self._hierarchies.walked:
            for line in (read_value(f"{tree}/{group}/cgroup.procs") or "").split()[:_MOST_PROCESSES]:
                if line.isascii() and line.isdigit():
                    yield int(line)

    def parts(self, group: str) -> Iterator[str]:
        """Yield the groups directly below it, in the trees of CPUs."""
        tree = self._hierarchies.v1.get("cpuset") or self._hierarchies.v2
        if tree is not None:
            yield from (f"{group}/{name}" for name in subgroups(f"{tree}/{group}"))

    def _hugepages(self, group: str) -> tuple[HeldPages, ...] | None:
        limits = {size: _tightest(partial(self._pages, size), group) for size in self._page_sizes}
        if all(limit is None for limit in limits.values()):
            return None
        return tuple(HeldPages(size_bytes=size, count=limit // size) for size, limit in sorted(limits.items()) if limit)

    def _read_quota(self, group: str) -> float | None:
        if "cpu" in self._hierarchies.v1:
            quota = self._v1("cpu", group, "cpu.cfs_quota_us")
            has_one = quota is not None and not quota.startswith("-")
            return parse_quota(quota, self._v1("cpu", group, "cpu.cfs_period_us")) if has_one else None
        quota, _, period = (self._v2(group, "cpu.max") or "").partition(" ")
        return parse_quota(quota, period)

    def _read_memory(self, group: str) -> int | None:
        v1 = "memory" in self._hierarchies.v1
        # memory.high only slows a group down.
        return parse_bytes(self._v1("memory", group, "memory.limit_in_bytes") if v1 else self._v2(group, "memory.max"))

    def _read_pages(self, size: int, group: str) -> int | None:
        name = f"hugetlb.{_shown(size)}"
        v1 = "hugetlb" in self._hierarchies.v1
        return parse_bytes(
            self._v1("hugetlb", group, f"{name}.limit_in_bytes") if v1 else self._v2(group, f"{name}.max")
        )

    def _read_places(self, kind: str, group: str) -> CpuSet | None:
        """Give a group's CPUs or memory nodes: those that are in force, which without its own are its parent's."""
        if "cpuset" in self._hierarchies.v1:
            texts = (self._v1("cpuset", group, name) for name in (f"cpuset.effective_{kind}", f"cpuset.{kind}"))
        else:
            texts = (self._v2(group, name) for name in (f"cpuset.{kind}.effective", f"cpuset.{kind}"))
        own = next(filter(None, map(parse_list, texts)), None)
        return self._places(kind, _above(group)) if own is None and group else own

    def _events(self, group: str) -> dict[str, bool]:
        return parse_events(self._v2(group, "cgroup.events") or "")

    def _v1(self, controller: str, group: str, name: str) -> str | None:
        return read_value(f"{self._hierarchies.v1[controller]}/{group}/{name}")

    def _v2(self, group: str, name: str) -> str | None:
        return read_value(f"{self._hierarchies.v2}/{group}/{name}") if self._hierarchies.v2 else None


def subgroups(folder: str) -> list[str]:
    """Give the names of the groups in a folder; of one that went away meanwhile, none.

    Raises:
        PermissionError: it may not be looked into.
    """
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except PermissionError:
        raise
    except OSError:
        return []


def _tightest(limit: Callable[[str], _Limit | None], group: str) -> _Limit | None:
    tightest = limit(group)
    while tightest is not None and (group := _above(group)):
        above = limit(group)
        if above is not None:
            tightest = min(tightest, above)
    return tightest


def _above(group: str) -> str:
    return group.rpartition("/")[0]


def _has_process(folder: str, depth: int) -> bool:
    if (read_value(f"{folder}/cgroup.procs") or "").strip():
        return True
    return depth > 0 and any(_has_process(f"{folder}/{name}", depth - 1) for name in subgroups(folder))


def _page_sizes(root: str) -> list[int]:
    try:
        names = [folder.name for folder in Path(root, "sys/kernel/mm/hugepages").iterdir()]
    except OSError:
        return []
    found = map(_PAGE_FOLDER.fullmatch, names)
    return [int(match[1]) << 10 for match in found if match]


def _shown(size: int) -> str:
    """Give a page size as the files' names have it (mem_fmt of mm/hugetlb_cgroup.c)."""
    for unit, shift in (("GB", 30), ("MB", 20)):
        if size >= 1 << shift:
            return f"{size >> shift}{unit}"
    return f"{size >> 10}KB"
