# SPDX-License-Identifier: Apache-2.0
"""The space where workloads live, measured on this machine's own file systems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from host_agent.workloads.discovery import DiskSpace
from host_agent.workloads.disk import joined, measure, mounts, under_root


class TestMeasuring:
    def test_it_is_what_the_kernel_says(self, tmp_path: Path) -> None:
        told = os.statvfs(tmp_path)
        space = measure([str(tmp_path)])
        assert space is not None
        assert space.total_bytes == told.f_blocks * told.f_frsize
        # Others write meanwhile.
        assert space.free_bytes == pytest.approx(told.f_bavail * told.f_frsize, rel=0.1)

    def test_a_file_system_counts_once(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        one, both = measure([f"{tmp_path}/a"]), measure([f"{tmp_path}/a", f"{tmp_path}/b", str(tmp_path)])
        assert one is not None
        assert both is not None
        assert one.total_bytes == both.total_bytes

    @pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="no second file system")
    def test_two_file_systems_count_both(self, tmp_path: Path) -> None:
        one, two, both = measure([str(tmp_path)]), measure(["/dev/shm"]), measure([str(tmp_path), "/dev/shm"])
        assert one is not None
        assert two is not None
        assert both is not None
        assert both.total_bytes == one.total_bytes + two.total_bytes

    def test_what_is_missing_is_left_out(self, tmp_path: Path) -> None:
        assert measure([f"{tmp_path}/none", str(tmp_path)]) is not None
        assert measure([f"{tmp_path}/none", f"{tmp_path}/no\0ne"]) is None
        assert measure([]) is None

    def test_paths_are_the_hosts(self, tmp_path: Path) -> None:
        (tmp_path / "var/lib/docker").mkdir(parents=True)
        assert measure(["/var/lib/docker"], root=str(tmp_path)) is not None
        assert measure(["/var/lib/podman"], root=str(tmp_path)) is None

    def test_a_link_is_followed_within_the_hosts_tree_alone(self, tmp_path: Path) -> None:
        (tmp_path / "host/data").mkdir(parents=True)
        (tmp_path / "host/inside").symlink_to("data")
        (tmp_path / "host/outside").symlink_to(tmp_path)
        (tmp_path / "host/circle").symlink_to("circle")
        root = f"{tmp_path}/host"
        assert under_root("/inside", root) == tmp_path / "host/data"
        assert under_root("/outside", root) is None
        assert measure(["/inside"], root) is not None
        assert measure(["/outside", "/circle"], root) is None

    def test_the_mounts_are_those_of_this_process(self) -> None:
        assert "/" in {mount.mount_point for mount in mounts()}
        assert any("rw" in mount.options for mount in mounts())


class TestJoining:
    def test_own_disks_are_summed(self) -> None:
        assert joined([(None, 10, 4), (None, 5, 1)]) == DiskSpace(total_bytes=15, free_bytes=5)

    def test_shared_ones_are_summed_under_a_name_that_is_the_same_everywhere(self) -> None:
        first = joined([("filer:/b", 10, 4), ("filer:/a", 5, 1)])
        assert first == joined([("filer:/a", 5, 1), ("filer:/b", 10, 4)])
        assert first == DiskSpace(total_bytes=15, free_bytes=5, shared_storage="filer:/a,filer:/b")

    def test_the_first_decides_which_kind_counts(self) -> None:
        assert joined([("filer:/a", 10, 4), (None, 5, 1)]) == DiskSpace(
            total_bytes=10, free_bytes=4, shared_storage="filer:/a"
        )
        assert joined([(None, 5, 1), ("filer:/a", 10, 4)]) == DiskSpace(total_bytes=5, free_bytes=1)

    def test_nothing_is_unknown(self) -> None:
        assert joined([]) is None
