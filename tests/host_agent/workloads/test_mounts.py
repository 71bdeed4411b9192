# SPDX-License-Identifier: Apache-2.0
"""Whose storage a folder lies on, from lines of /proc/mounts as they really look."""

from __future__ import annotations

import pytest

from host_agent.workloads.mounts import Mount, bounded, file_system, holding, shared_storage

TABLE = """\
/dev/mapper/vg-root / ext4 rw,relatime,errors=remount-ro 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
/dev/mapper/vg-docker /var/lib/docker xfs rw,relatime,attr2,inode64,prjquota 0 0
overlay /var/lib/docker/overlay2/0f/merged overlay rw,relatime,lowerdir=/a,upperdir=/b,workdir=/c 0 0
/etc/auto.nova /var/lib/nova/instances autofs rw,relatime,fd=6,pgrp=1,timeout=0,minproto=5,direct 0 0
filer:/export/nova/ /var/lib/nova/instances nfs4 rw,relatime,vers=4.2,hard,proto=tcp,addr=10.0.0.9 0 0
[fd00::9]:/v /srv/six nfs rw,vers=3,addr=fd00::9 0 0
"""


def mount(line: str) -> Mount:
    source, point, kind, options = line.split()[:4]
    return Mount(source=source, mount_point=point, type=kind, options=frozenset(options.split(",")))


MOUNTS = [mount(line) for line in TABLE.splitlines()]


class TestWhereAFolderLies:
    @pytest.mark.parametrize(
        ("path", "source"),
        [
            ("/", "/dev/mapper/vg-root"),
            ("/var/lib/libvirt/images", "/dev/mapper/vg-root"),
            ("/var/lib/docker", "/dev/mapper/vg-docker"),
            ("/var/lib/docker/volumes", "/dev/mapper/vg-docker"),
            ("/var/lib/docker-other", "/dev/mapper/vg-root"),
            ("/var/lib/nova/instances/7", "filer:/export/nova/"),
        ],
    )
    def test_the_nearest_mount_above_it_and_the_last_at_one_place(self, path: str, source: str) -> None:
        found = holding(MOUNTS, path)
        assert found is not None
        assert found.source == source

    def test_nowhere(self) -> None:
        assert holding([], "/") is None
        assert holding([mount("x /srv xfs rw 0 0")], "/var") is None


class TestSharedStorage:
    def test_a_name_of_any_bytes_fits_its_column(self) -> None:
        names = {shared_storage(mount(f"filer:/{path} /n nfs rw 0 0")) for path in ("\udce9", "\udcea", "\udce9" * 300)}
        assert len(names) == 3
        assert all(name is not None and len(name.encode()) <= 255 for name in names)

    @pytest.mark.parametrize(
        ("line", "name"),
        [
            ("/dev/sda1 / xfs rw 0 0", None),
            ("overlay / overlay rw 0 0", None),
            ("tmpfs /run tmpfs rw 0 0", None),
            ("tank/docker /var/lib/docker zfs rw 0 0", None),
            ("hostshare /mnt virtiofs rw 0 0", None),
            ("filer:/export/nova/ /n nfs4 rw,vers=4.2 0 0", "filer:/export/nova"),
            ("filer:/export/nova /n nfs rw,vers=3 0 0", "filer:/export/nova"),
            ("filer:/ /n nfs rw 0 0", "filer:"),
            ("[fd00::9]:/v /n nfs rw 0 0", "[fd00::9]:/v"),
            ("//filer/nova /n cifs rw,username=x 0 0", "cifs://filer/nova"),
            ("gluster1:/vol /n fuse.glusterfs rw 0 0", "glusterfs:gluster1:/vol"),
            ("10.0.0.1@tcp:/scratch /n lustre rw 0 0", "lustre:10.0.0.1@tcp:/scratch"),
            ("gpfs0 /gpfs gpfs rw 0 0", "gpfs:gpfs0"),
            ("beegfs_nodev /b beegfs rw 0 0", "beegfs:beegfs_nodev"),
            ("/dev/mapper/lun7 /o ocfs2 rw 0 0", "ocfs2:/dev/mapper/lun7"),
            ("/dev/mapper/lun7 /o gfs2 rw 0 0", "gfs2:/dev/mapper/lun7"),
            ("ceph-fuse /c fuse.ceph-fuse rw 0 0", "ceph:ceph-fuse"),
        ],
    )
    def test_is_called_by_what_other_hosts_call_it_too(self, line: str, name: str | None) -> None:
        assert shared_storage(mount(line)) == name

    @pytest.mark.parametrize(
        "lines",
        [
            (
                "10.0.0.1:6789,10.0.0.2:6789:/nova /n ceph rw,name=nova,secret=<hidden>,acl 0 0",
                "10.0.0.2:6789,10.0.0.1:6789:/nova /elsewhere ceph ro,name=other,acl 0 0",
                "10.0.0.2:6789,10.0.0.1:6789:/ /n ceph rw 0 0",
            ),
            (
                "nova@4f0c0cbe-6e0e-4d36-9d0e-2f7d6d7c7a10.main=/nova /n ceph rw,mon_addr=10.0.0.1:6789/10.0.0.2 0 0",
                "root@4f0c0cbe-6e0e-4d36-9d0e-2f7d6d7c7a10.main=/ /n ceph rw,mon_addr=10.0.0.2:6789 0 0",
                "nova@.main=/ /n ceph rw,fsid=4f0c0cbe-6e0e-4d36-9d0e-2f7d6d7c7a10,mon_addr=10.0.0.1:6789 0 0",
            ),
            (
                "nova@.main=/ /n ceph rw,mon_addr=10.0.0.1:6789/10.0.0.2:6789 0 0",
                "nova@.main=/ /n ceph rw,mon_addr=10.0.0.2:6789/10.0.0.1:6789 0 0",
                "10.0.0.2:6789,10.0.0.1:6789:/ /n ceph rw,mds_namespace=main 0 0",
            ),
        ],
    )
    def test_a_ceph_cluster_is_one_by_whichever_user_path_and_order_of_monitors(self, lines: tuple[str, ...]) -> None:
        assert len({shared_storage(mount(line)) for line in lines}) == 1

    def test_two_ceph_clusters_are_two(self) -> None:
        first, second = (mount(f"10.0.{n}.1:6789:/ /n ceph rw 0 0") for n in range(2))
        assert shared_storage(first) != shared_storage(second)

    def test_a_name_that_is_too_long_stays_one_name(self) -> None:
        lines = [f"filer:/{letter * 300} /n nfs rw 0 0" for letter in "aab"]
        names = [shared_storage(mount(line)) or "" for line in lines]
        assert all(0 < len(name) <= 255 for name in names)
        assert names[0] == names[1] != names[2]
        assert bounded("x" * 255) == "x" * 255


class TestOneFileSystem:
    def test_folders_on_one_device_share_their_space(self) -> None:
        assert file_system(MOUNTS[0], 7) == file_system(MOUNTS[0], 7) != file_system(MOUNTS[0], 8)
        assert file_system(None, 7) == 7

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("/dev/sda2 /a btrfs rw,subvol=/a 0 0", "/dev/sda2 /b btrfs rw,subvol=/b 0 0"),
            ("tank/a /a zfs rw 0 0", "tank/b/c /b zfs rw 0 0"),
            ("10.0.0.1:6789:/a /a ceph rw 0 0", "10.0.0.1:6789:/b /b ceph rw 0 0"),
            ("filer:/v /a nfs rw 0 0", "filer:/v /b nfs4 rw 0 0"),
        ],
    )
    def test_those_with_many_device_numbers_are_one_too(self, one: str, other: str) -> None:
        assert file_system(mount(one), 7) == file_system(mount(other), 8)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("/dev/sda2 /a btrfs rw 0 0", "/dev/sdb2 /b btrfs rw 0 0"),
            ("tank/a /a zfs rw 0 0", "pool/a /b zfs rw 0 0"),
            ("filer:/v /a nfs rw 0 0", "filer:/w /b nfs rw 0 0"),
        ],
    )
    def test_and_different_ones_are_two(self, one: str, other: str) -> None:
        assert file_system(mount(one), 7) != file_system(mount(other), 8)
