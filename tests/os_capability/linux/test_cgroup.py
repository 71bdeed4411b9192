# SPDX-License-Identifier: Apache-2.0
"""Control groups, as texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from os_capability.errors import UnparsableText
from os_capability.linux.cgroup import (
    CgroupMount,
    levels,
    parse_limit,
    parse_membership,
    parse_mounts,
    parse_quota_v1,
    parse_quota_v2,
)

MOUNTINFO = """22 27 0:21 / /proc rw,relatime - proc proc rw
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 /docker/4f2a /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset
33 30 0:29 / /sys/fs/cgroup/unified rw shared:9 master:2 - cgroup2 cgroup2 rw,nsdelegate
34 30 0:30 / /mnt/with\\040blank rw - cgroup2 none rw
"""


def test_mounts_are_told_by_version_controllers_top_and_place() -> None:
    assert parse_mounts(MOUNTINFO) == [
        CgroupMount(1, ("rw", "cpu", "cpuacct"), "/", "/sys/fs/cgroup/cpu,cpuacct"),
        CgroupMount(1, ("rw", "cpuset"), "/docker/4f2a", "/sys/fs/cgroup/cpuset"),
        CgroupMount(2, (), "/", "/sys/fs/cgroup/unified"),
        CgroupMount(2, (), "/", "/mnt/with blank"),
    ]


@pytest.mark.parametrize("text", ["", "nonsense", "1 2 3\n - cgroup2\n", "a b c d e - cgroup\n"])
def test_lines_that_are_no_mounts_are_passed_over(text: str) -> None:
    assert parse_mounts(text) == []


def test_membership_is_by_controller() -> None:
    text = "3:cpu,cpuacct:/a\n2:memory:/b:with:colons\n0::/user.slice\nnonsense\n"
    assert parse_membership(text) == {"cpu": "/a", "cpuacct": "/a", "memory": "/b:with:colons", "": "/user.slice"}


@pytest.mark.parametrize(
    ("top", "group", "folders"),
    [
        pytest.param("/", "/", ["m"], id="the top"),
        pytest.param("/", "/a/b", ["m/a/b", "m/a", "m"], id="every level up the tree"),
        pytest.param("/docker/4f2a", "/docker/4f2a", ["m"], id="a container sees its own group as the top"),
        pytest.param("/docker/4f2a", "/docker/4f2a/x", ["m/x", "m"], id="a group inside the container's"),
        pytest.param("/docker/4f2a", "/docker/4f2abc", ["m"], id="a longer name is another group"),
        pytest.param("/", "/../../a", ["m/a", "m"], id="a group outside the namespace does not lead out of the mount"),
    ],
)
def test_levels_go_from_the_group_to_the_top(top: str, group: str, folders: list[str]) -> None:
    assert list(levels(CgroupMount(2, (), top, "/m"), group)) == folders


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("536870912\n", 536870912),
        ("max\n", None),
        ("9223372036854771712\n", None),  # 4 KiB pages
        ("9223372036854710272\n", None),  # 64 KiB pages
        ("-1\n", None),
    ],
)
def test_no_memory_limit_is_none(text: str, limit: int | None) -> None:
    assert parse_limit(text, "memory.max") == limit


@pytest.mark.parametrize(("text", "quota"), [("150000 100000\n", 1.5), ("max 100000\n", None)])
def test_a_v2_quota_is_in_cpus(text: str, quota: float | None) -> None:
    assert parse_quota_v2(text, "cpu.max") == quota


@pytest.mark.parametrize(("quota", "period", "cpus"), [("50000\n", "100000\n", 0.5), ("-1\n", "100000\n", None)])
def test_a_v1_quota_is_in_cpus(quota: str, period: str, cpus: float | None) -> None:
    assert parse_quota_v1(quota, period, "cpu.cfs_quota_us") == cpus


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_limit, text) for text in ("", "much", "9" * 30, "1.5")),
        *((parse_quota_v2, text) for text in ("", "5", "5000 0", "much 100000", "-5 100000")),
    ],
)
def test_what_is_no_limit_is_never_taken_for_none(parse: Callable[[str, str], object], text: str) -> None:
    with pytest.raises(UnparsableText):
        parse(text, "a file")
