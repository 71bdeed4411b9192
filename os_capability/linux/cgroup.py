# SPDX-License-Identifier: Apache-2.0
"""Control groups: where the asking process sits, and what the files up the tree limit it to.

    3:cpuset:/docker/4f2a                       v1, /proc/self/cgroup
    0::/user.slice/user-1000.slice              v2
    30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw          /proc/self/mountinfo

Source: Documentation/admin-guide/cgroup-v1, Documentation/admin-guide/cgroup-v2.rst, proc_pid_mountinfo(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from os_capability.errors import UnparsableText

__all__ = [
    "CgroupMount",
    "levels",
    "parse_limit",
    "parse_membership",
    "parse_mounts",
    "parse_quota_v1",
    "parse_quota_v2",
]

_NO_LIMIT = frozenset({"max", "-1"})
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


def parse_limit(text: str, source: str) -> int | None:
    """Give ``memory.max`` or ``memory.limit_in_bytes`` in bytes, ``None`` for no limit.

    Raises:
        UnparsableText: it is neither a number nor ``max``.
    """
    number = text.strip()
    if number in _NO_LIMIT:
        return None
    if not (number.isascii() and number.isdigit() and len(number) <= 20):
        raise UnparsableText(source, 1, number, "no limit in bytes")
    limit = int(number)
    return limit if limit < _NO_LIMIT_V1 else None


def parse_quota_v2(text: str, source: str) -> float | None:
    """Give ``cpu.max`` (``<quota or max> <period>``, microseconds) in CPUs, ``None`` for no limit.

    Raises:
        UnparsableText: it is not those two.
    """
    quota, _, period = text.strip().partition(" ")
    return parse_quota_v1(quota, period, source)


def parse_quota_v1(quota: str, period: str, source: str) -> float | None:
    """Give ``cpu.cfs_quota_us`` over ``cpu.cfs_period_us`` in CPUs; a quota of -1 is no limit.

    Raises:
        UnparsableText: they are no numbers, or the period is 0.
    """
    quota, period = quota.strip(), period.strip()
    if quota in _NO_LIMIT:
        return None
    if not all(number.isascii() and number.isdigit() and len(number) <= 15 for number in (quota, period)):
        raise UnparsableText(source, 1, f"{quota} {period}", "no quota and period in microseconds")
    if int(period) == 0:
        raise UnparsableText(source, 1, f"{quota} {period}", "a period of 0")
    return int(quota) / int(period)
