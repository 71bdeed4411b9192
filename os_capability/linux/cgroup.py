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
from os_capability.linux.mountinfo import parse_mountinfo
from os_capability.number import whole_number

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
    """Give the cgroup hierarchies of a mountinfo file."""
    mounts = []
    for mount in parse_mountinfo(mountinfo):
        if mount.type == "cgroup2":
            mounts.append(CgroupMount(2, (), mount.inside, mount.mount_point))
        elif mount.type == "cgroup":
            mounts.append(CgroupMount(1, tuple(mount.options.split(",")), mount.inside, mount.mount_point))
    return mounts


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
    line = text.strip()
    if line in _NO_LIMIT:
        return None
    limit = whole_number(line, 20)
    if limit is None:
        raise UnparsableText(source, 1, line, "no limit in bytes")
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
    allowed, out_of = whole_number(quota, 15), whole_number(period, 15)
    if allowed is None or out_of is None:
        raise UnparsableText(source, 1, f"{quota} {period}", "no quota and period in microseconds")
    if out_of == 0:
        raise UnparsableText(source, 1, f"{quota} {period}", "a period of 0")
    return allowed / out_of
