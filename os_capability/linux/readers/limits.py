# SPDX-License-Identifier: Apache-2.0
"""Reads what binds the asking process: control groups up the tree, and affinity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet
from os_capability.linux import cgroup, paths
from os_capability.linux.sources import Sources
from os_capability.linux.system import parse_affinity
from os_capability.model import Limits

__all__ = ["read_limits"]

_Bound = TypeVar("_Bound", int, float)


def read_limits(sources: Sources) -> Limits:
    """Read the limits of the process that asks; at every level up the tree the tightest counts."""
    membership = cgroup.parse_membership(sources.text(paths.SELF_CGROUP) or "")
    mounts = cgroup.parse_mounts(sources.text(paths.SELF_MOUNTINFO) or "")
    cpu = _folders(mounts, membership, "cpu")
    cpuset = _folders(mounts, membership, "cpuset")
    memory = _folders(mounts, membership, "memory")
    return Limits(
        cgroup_version=next((version for version, _ in (*cpu, *memory, *cpuset)), None),
        cpus=_cpus(sources, cpuset),
        cpu_quota=_tightest(_quota(sources, version, folder) for version, folder in cpu),
        memory_bytes=_tightest(_memory(sources, version, folder) for version, folder in memory),
        affinity=_affinity(sources),
    )


def _folders(
    mounts: Sequence[cgroup.CgroupMount], membership: dict[str, str], controller: str
) -> list[tuple[int, str]]:
    """Give (version, folder) of the process's group and of those above it, for one controller.

    On a hybrid machine a controller is in v1 or in v2, never in both: v1's own line decides.
    """
    for mount in mounts:
        if mount.version == 1 and controller in mount.controllers and controller in membership:
            return [(1, folder) for folder in cgroup.levels(mount, membership[controller])]
    for mount in mounts:
        if mount.version == 2 and "" in membership and not any(controller in m.controllers for m in mounts):
            return [(2, folder) for folder in cgroup.levels(mount, membership[""])]
    return []


def _cpus(sources: Sources, folders: Iterable[tuple[int, str]]) -> CpuSet | None:
    allowed: CpuSet | None = None
    for version, folder in folders:
        names = ("cpuset.cpus.effective",) if version == 2 else ("cpuset.effective_cpus", "cpuset.cpus")
        # An empty cpuset is none of its own: the group uses its parent's.
        cpus = next(filter(None, (sources.cpus(f"{folder}/{name}") for name in names)), None)
        if cpus:
            allowed = cpus if allowed is None else allowed & cpus
    return allowed


def _quota(sources: Sources, version: int, folder: str) -> float | None:
    if version == 2:
        return sources.parsed(f"{folder}/cpu.max", cgroup.parse_quota_v2)
    period = sources.text(f"{folder}/cpu.cfs_period_us")
    if period is None:
        return None
    return sources.parsed(
        f"{folder}/cpu.cfs_quota_us", lambda quota, source: cgroup.parse_quota_v1(quota, period, source)
    )


def _memory(sources: Sources, version: int, folder: str) -> int | None:
    # memory.high only slows a group down.
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    return sources.parsed(f"{folder}/{name}", cgroup.parse_limit)


def _tightest(bounds: Iterable[_Bound | None]) -> _Bound | None:
    return min((bound for bound in bounds if bound is not None), default=None)


def _affinity(sources: Sources) -> CpuSet | None:
    listed = parse_affinity(sources.text(paths.SELF_STATUS) or "")
    try:
        return None if listed is None else CpuSet.parse_list(listed)
    except InvalidCpuSet as error:
        sources.warn("text-unparsable", f"{sources.root.shown(paths.SELF_STATUS)}: {error}")
        return None
