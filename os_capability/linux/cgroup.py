# SPDX-License-Identifier: Apache-2.0
"""Control groups: where the asking process sits, and what the files up the tree limit it to.

    3:cpuset:/docker/4f2a                       v1, /proc/self/cgroup
    0::/user.slice/user-1000.slice              v2
    30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw          /proc/self/mountinfo

Source: Documentation/admin-guide/cgroup-v1, Documentation/admin-guide/cgroup-v2.rst, proc_pid_mountinfo(5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = [
    "CgroupMount",
    "levels",
    "parse_limit",
    "parse_membership",
    "parse_mounts",
    "parse_quota_v1",
    "parse_quota_v2",
]

# v1 writes LONG_MAX rounded down to pages for "no limit"; the pages may be 64 KiB.
_NO_LIMIT_V1 = (1 << 63) - (1 << 16)


class CgroupMount(NamedTuple):
    """One mounted hierarchy: `controllers` of v1 (empty for v2), the cgroup it shows at its top, and where."""

    version: int
    controllers: tuple[str, ...]
    top: str
    mount_point: str


def parse_mounts(mountinfo: str) -> list[CgroupMount]:
    """Give the cgroup hierarchies of a mountinfo file, lines that are none are passed over."""
    mounts = []
    for line in mountinfo.splitlines():
        place, separator, kind = line.partition(" - ")
        fields, described = place.split(), kind.split()
        if not separator or len(fields) < 5 or len(described) < 3:
            continue
        top, mount_point = (_unescape(field) for field in fields[3:5])
        if described[0] == "cgroup2":
            mounts.append(CgroupMount(2, (), top, mount_point))
        elif described[0] == "cgroup":
            mounts.append(CgroupMount(1, tuple(described[2].split(",")), top, mount_point))
    return mounts


def _unescape(field: str) -> str:
    return field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def parse_membership(text: str) -> dict[str, str]:
    """Give the process's cgroup by controller from ``/proc/self/cgroup``; ``""`` is the v2 hierarchy."""
    groups = {}
    for line in text.splitlines():
        _, colon, rest = line.partition(":")
        controllers, second_colon, path = rest.partition(":")
        if colon and second_colon:
            groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def levels(mount: CgroupMount, group: str) -> Iterator[str]:
    """Yield the folders of a group and of each group above it that the mount shows, relative to the machine's root."""
    inside = group
    if mount.top != "/":
        # A bind mount, as a container sees it: the mount's top is the container's own group, or one above it.
        inside = group.removeprefix(mount.top) if (group + "/").startswith(mount.top.rstrip("/") + "/") else "/"
    parts = [part for part in inside.split("/") if part and part != ".."]
    base = mount.mount_point.strip("/")
    for depth in range(len(parts), -1, -1):
        yield "/".join([base, *parts[:depth]])


def parse_limit(text: str | None) -> int | None:
    """Give ``memory.max`` or ``memory.limit_in_bytes`` in bytes, ``None`` for no limit."""
    number = (text or "").strip()
    if not (number.isascii() and number.isdigit() and len(number) <= 20):
        return None
    limit = int(number)
    return limit if limit < _NO_LIMIT_V1 else None


def parse_quota_v2(text: str | None) -> float | None:
    """Give ``cpu.max`` (``<quota or max> <period>``, microseconds) in CPUs, ``None`` for no limit."""
    return _quota((text or "").split())


def parse_quota_v1(quota: str | None, period: str | None) -> float | None:
    """Give ``cpu.cfs_quota_us`` over ``cpu.cfs_period_us`` in CPUs; a quota of -1 is no limit."""
    return _quota(f"{quota or ''} {period or ''}".split())


def _quota(words: Sequence[str]) -> float | None:
    if len(words) != 2 or not all(w.isascii() and w.isdigit() and len(w) <= 15 for w in words):
        return None
    quota, period = map(int, words)
    return quota / period if period else None
