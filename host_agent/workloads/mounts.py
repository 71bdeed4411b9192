# SPDX-License-Identifier: Apache-2.0
"""Which file system a folder lies on, and what that is called where other hosts use it as well. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Mount", "bounded", "file_system", "holding", "shared_storage"]

# File systems of the network, whose source names server or cluster, the same on every host that mounts them ...
_NETWORK = frozenset(
    {
        *("afs", "beegfs", "cifs", "fuse.beegfs", "fuse.glusterfs", "fuse.juicefs", "fuse.lizardfs"),
        *("fuse.moosefs", "fuse.mfs", "fuse.quobyte", "fuse.seaweedfs", "fuse.sshfs", "fuse.vstorage", "glusterfs"),
        *("gpfs", "lustre", "nfs", "nfs4", "orangefs", "pvfs2", "smb3", "smbfs", "wekafs"),
    }
)
# ... and those on a disk that several hosts are attached to.
_CLUSTER = frozenset({"gfs2", "ocfs2"})
_CEPH = frozenset({"ceph", "fuse.ceph", "fuse.ceph-fuse"})
# `user@fsid.name=/path`, since Linux 5.17, with the monitors in an option; before, `monitor,monitor:/path`.
_CEPH_BY_ID = re.compile(r"[^@/]*@(?P<id>[0-9a-f-]{36})?\.(?P<name>[^=/]+)=(?:/.*)?")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file system at its place in the tree.

    Attributes:
        source: a device, a server's export, or whatever the file system is called.
        mount_point: a folder.
        type: as the kernel names it (``xfs``, ``nfs4`` ...).
        options: of the mount and of the file system.
    """

    source: str
    mount_point: str
    type: str
    options: frozenset[str] = frozenset()


def holding(mounts: Iterable[Mount], path: str) -> Mount | None:
    """Give the mount that an absolute path without links lies on; a later one covers what was at its place."""
    best = None
    for mount in mounts:
        point = mount.mount_point.rstrip("/")
        is_above = path == point or path.startswith(f"{point}/")
        if is_above and (best is None or len(point) >= len(best.mount_point.rstrip("/"))):
            best = mount
    return best


def shared_storage(mount: Mount) -> str | None:
    """Name the storage where other hosts can use it as well, the same on each of them; ``None`` for this host's own."""
    if mount.type in _CEPH:
        name = f"ceph:{_ceph_name(mount)}"
    elif mount.type in _CLUSTER:
        name = f"{mount.type}:{mount.source}"
    elif mount.type in _NETWORK:
        # The version of a protocol is a matter of the client.
        name = mount.source if mount.type in ("nfs", "nfs4") else f"{mount.type.removeprefix('fuse.')}:{mount.source}"
    else:
        return None
    return bounded(name.rstrip("/") or name)


def bounded(name: str) -> str:
    """Give a name that fits its column: one that is too long by what identifies it as well."""
    # A server's export may be any bytes, and what is no UTF-8 among them comes as lone surrogates.
    name = name.encode("utf-8", "backslashreplace").decode()
    return name if len(name) <= _LONGEST_NAME else f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def file_system(mount: Mount | None, device: int) -> object:
    """Give what two folders have in common exactly if their space is the same.

    The number of the device alone does not tell: each subvolume of btrfs and each data set of ZFS has one of its own,
    and so has each mount of a Ceph cluster.

    Args:
        mount: where a folder lies; ``None`` where that is not known.
        device: ``st_dev`` of the folder.
    """
    if mount is None:
        return device
    if mount.type == "btrfs":
        return mount.type, mount.source
    if mount.type == "zfs":
        return mount.type, mount.source.partition("/")[0]
    return shared_storage(mount) or device


def _ceph_name(mount: Mount) -> str:
    """Name a cluster's file system, whoever mounts it, by whichever monitors.

    Without the path: each of its folders tells the space of the whole, but for those with a quota of their own.
    """
    told = {name: value for name, _, value in (option.partition("=") for option in mount.options)}
    by_id = _CEPH_BY_ID.fullmatch(mount.source)
    if by_id is not None:
        return f"{by_id['id'] or told.get('fsid') or _sorted(told.get('mon_addr', ''), '/')}.{by_id['name']}"
    monitors, _, _ = mount.source.rpartition(":/")
    cluster = told.get("fsid") or _sorted(monitors, ",") or mount.source
    name = told.get("mds_namespace") or told.get("fs")
    return f"{cluster}.{name}" if name else cluster


def _sorted(monitors: str, separator: str) -> str:
    return ",".join(sorted(filter(None, monitors.split(separator))))
