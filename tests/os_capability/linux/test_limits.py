# SPDX-License-Identifier: Apache-2.0
"""What binds the asking process, on trees in memory: one line per file is clearer here than folders on disk."""

from __future__ import annotations

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

from os_capability.cpuset import CpuSet
from os_capability.linux.host_root import HostRoot
from os_capability.linux.readers.limits import read_limits
from os_capability.linux.sources import Sources
from os_capability.model import Limits

GIB = 1 << 30
V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
V1_MOUNTS = "".join(
    f"3{at} 30 0:2{at} / /sys/fs/cgroup/{name} ro - cgroup cgroup rw,{name}\n"
    for at, name in enumerate(("cpu", "cpuset", "memory"))
)


def limits(fs: FakeFilesystem, files: dict[str, str]) -> Limits:
    for path, text in files.items():
        fs.create_file(f"/machine/{path}", contents=text)
    return read_limits(Sources(HostRoot("/machine")))


@pytest.mark.parametrize(
    ("tighter", "looser"), [("a", "a/b"), ("a/b", "a")], ids=["a group above is tighter", "its own group is tighter"]
)
def test_on_v2_the_tightest_level_counts(fs: FakeFilesystem, tighter: str, looser: str) -> None:
    found = limits(
        fs,
        {
            "proc/self/cgroup": "0::/a/b\n",
            "proc/self/mountinfo": V2_MOUNT,
            f"sys/fs/cgroup/{tighter}/cpu.max": "150000 100000\n",
            f"sys/fs/cgroup/{looser}/cpu.max": "400000 100000\n",
            f"sys/fs/cgroup/{tighter}/memory.max": f"{GIB}\n",
            f"sys/fs/cgroup/{looser}/memory.max": "max\n",
            "sys/fs/cgroup/a/b/cpuset.cpus.effective": "0-3\n",
            "sys/fs/cgroup/cpuset.cpus.effective": "0-7\n",
        },
    )
    assert found == Limits(cgroup_version=2, cpus=CpuSet(range(4)), cpu_quota=1.5, memory_bytes=GIB, affinity=None)


def test_on_v1_each_controller_has_its_own_tree(fs: FakeFilesystem) -> None:
    found = limits(
        fs,
        {
            "proc/self/cgroup": "3:cpu:/x\n2:cpuset:/y/z\n1:memory:/\n",
            "proc/self/mountinfo": V1_MOUNTS,
            "proc/self/status": "Cpus_allowed_list:\t2-3\n",
            "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpuset/y/z/cpuset.cpus": "\n",
            "sys/fs/cgroup/cpuset/y/cpuset.cpus": "2-3\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert found == Limits(
        cgroup_version=1, cpus=CpuSet([2, 3]), cpu_quota=0.5, memory_bytes=None, affinity=CpuSet([2, 3])
    )


def test_on_a_hybrid_machine_a_controller_of_v1_is_not_looked_for_in_v2(fs: FakeFilesystem) -> None:
    found = limits(
        fs,
        {
            "proc/self/cgroup": "3:cpu:/\n2:cpuset:/\n1:memory:/m\n0::/\n",
            "proc/self/mountinfo": V1_MOUNTS + V2_MOUNT.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified "),
            "sys/fs/cgroup/memory/m/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/unified/memory.max": "4096\n",
        },
    )
    assert (found.cgroup_version, found.memory_bytes) == (1, GIB)


def test_on_a_hybrid_machine_each_controller_is_where_it_is_mounted(fs: FakeFilesystem) -> None:
    found = limits(
        fs,
        {
            "proc/self/cgroup": "2:cpuset:/batch\n1:cpu,cpuacct:/batch/one\n0::/batch/two\n",
            "proc/self/mountinfo": "31 30 0:21 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
            "32 30 0:22 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
            "33 30 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/batch/one/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/batch/one/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpuset/cpuset.cpus": "0-7\n",
            "sys/fs/cgroup/cpuset/batch/cpuset.cpus": "0-3\n",
            "sys/fs/cgroup/unified/batch/two/memory.max": "max\n",
            "sys/fs/cgroup/unified/batch/memory.max": f"{GIB}\n",
            # None of these is in force: the controllers are those of version 1.
            "sys/fs/cgroup/unified/batch/cpu.max": "10000 100000\n",
            "sys/fs/cgroup/unified/batch/cpuset.cpus.effective": "7\n",
        },
    )
    assert found == Limits(cgroup_version=1, cpus=CpuSet(range(4)), cpu_quota=3.0, memory_bytes=GIB, affinity=None)


def test_only_memory_max_binds(fs: FakeFilesystem) -> None:
    found = limits(
        fs,
        {
            "proc/self/cgroup": "0::/a\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/a/memory.high": "4096\n",
            "sys/fs/cgroup/a/memory.low": "4096\n",
            "sys/fs/cgroup/a/memory.max": f"{GIB}\n",
        },
    )
    assert found.memory_bytes == GIB


def test_a_group_without_a_cpuset_of_its_own_has_that_of_the_group_above(fs: FakeFilesystem) -> None:
    found = limits(
        fs,
        {
            "proc/self/cgroup": "0::/a/b\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            "sys/fs/cgroup/a/cpuset.cpus.effective": "4-5\n",
            "sys/fs/cgroup/cpuset.cpus.effective": "0-7\n",
        },
    )
    assert found.cpus == CpuSet([4, 5])


def test_a_container_that_sees_its_own_group_as_the_top(fs: FakeFilesystem) -> None:
    found = limits(
        fs,
        {
            "proc/self/cgroup": "0::/docker/4f2a\n",
            "proc/self/mountinfo": V2_MOUNT.replace(" / /sys", " /docker/4f2a /sys"),
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
        },
    )
    assert found.memory_bytes == GIB


def test_without_control_groups_nothing_is_known(fs: FakeFilesystem) -> None:
    found = limits(fs, {"proc/uptime": "1 1\n"})
    assert found == Limits(cgroup_version=None, cpus=None, cpu_quota=None, memory_bytes=None, affinity=None)
