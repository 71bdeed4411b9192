# SPDX-License-Identifier: Apache-2.0
"""The space where workloads live, measured on the file systems that their folders lie on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from host_agent.workloads.discovery import DiskSpace
from host_agent.workloads.mounts import Mount, bounded, file_system, holding, shared_storage

__all__ = ["joined", "measure", "mounts", "under_root"]


def measure(paths: Iterable[str], root: str = "/") -> DiskSpace | None:
    """Measure the space that the folders lie on, each file system once; ``None`` where none can be measured.

    The first folder that is there decides what counts: where it lies on this host's own disks, shared storage is left
    out, and the other way round. A sum of both could be called neither. This hangs where a file server does not answer.

    Args:
        paths: folders as the host names them, the most important one first; missing ones are left out.
        root: where the host's tree lies.
    """
    table = mounts()
    found: dict[object, tuple[str | None, int, int]] = {}
    for path in paths:
        place = under_root(path, root)
        if place is None:
            continue
        try:
            total, free = _space(place)
            device = place.stat().st_dev
        except OSError:
            continue
        mount = holding(table, str(place))
        found.setdefault(file_system(mount, device), (None if mount is None else shared_storage(mount), total, free))
    return joined(found.values())


def joined(spaces: Iterable[tuple[str | None, int, int]]) -> DiskSpace | None:
    """Join distinct file systems, each its name if shared, its total and free bytes; the first decides the kind."""
    spaces = list(spaces)
    if not spaces:
        return None
    is_shared = spaces[0][0] is not None
    alike = [space for space in spaces if (space[0] is not None) == is_shared]
    return DiskSpace(
        total_bytes=sum(total for _, total, _ in alike),
        free_bytes=sum(free for _, _, free in alike),
        shared_storage=bounded(",".join(sorted({name for name, _, _ in alike if name is not None}))) or None,
    )


def mounts() -> tuple[Mount, ...]:
    """Give what is mounted in this process's view; nothing where that cannot be read."""
    import psutil

    try:
        partitions = psutil.disk_partitions(all=True)
    except (OSError, psutil.Error):
        return ()
    return tuple(
        Mount(
            source=partition.device,
            mount_point=partition.mountpoint,
            type=partition.fstype,
            options=frozenset(partition.opts.split(",")),
        )
        for partition in partitions
    )


def under_root(path: str, root: str) -> Path | None:
    """Give where a folder of the host is for this process, links resolved; ``None`` where they lead out of the root."""
    try:
        top = Path(root).resolve()
        place = (top / path.lstrip("/")).resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a text that is no path
        return None
    return place if place.is_relative_to(top) else None


def _space(place: Path) -> tuple[int, int]:
    import psutil

    usage = psutil.disk_usage(str(place))
    return usage.total, usage.free
