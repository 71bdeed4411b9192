# SPDX-License-Identifier: Apache-2.0
"""Where the control groups of a machine are: v1 has a tree for each controller, v2 one for all, a hybrid both."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "SYSTEMD",
    "CgroupMount",
    "Hierarchies",
    "find_hierarchies",
    "parse_cgroup_mounts",
    "read_text",
    "read_value",
]

# The tree of v1 without a controller in which systemd keeps its units.
SYSTEMD = "name=systemd"

_CONTROLLERS = ("cpu", "memory", "cpuset", "freezer", "hugetlb")
_STANDARD_PLACE = "sys/fs/cgroup"
_ESCAPED = re.compile(r"\\([0-7]{3})")
# O_NONBLOCK: a FIFO in a captured tree must not keep us waiting for a writer.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1 << 16
_MOST_BYTES = 1 << 22


class CgroupMount(NamedTuple):
    """One mounted tree: the `controllers` of v1 (empty for v2), and where it is."""

    controllers: tuple[str, ...]
    mount_point: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchies:
    """The folders of the trees.

    Attributes:
        v1: by controller, and under `SYSTEMD` that of systemd; empty where v2 has them all.
        v2: ``None`` where it is not mounted.
        part: the folder that shows no whole tree but a container's own part; ``None`` where there is none.
    """

    v1: Mapping[str, str] = field(default_factory=dict, hash=False)
    v2: str | None = None
    part: str | None = None

    @property
    def walked(self) -> tuple[str, ...]:
        """The trees in which, together, every group can be found.

        An engine puts its groups into every controller's tree. One without the right to do so, as of a user without
        privileges on v1, has them in systemd's alone.
        """
        by_controller = next((self.v1[name] for name in _CONTROLLERS if name in self.v1), None)
        by_systemd = self.v1.get(SYSTEMD) or self.v2
        return tuple(folder for folder in (by_controller, by_systemd) if folder is not None)


def find_hierarchies(root: str) -> Hierarchies:
    """Find the trees of the machine whose ``proc`` and ``sys`` are in the folder `root`."""
    # Below a foreign root our own mounts may be those of another machine, or of a container.
    for process in ("self",) if root == "/" else ("1", "self"):
        mountinfo = read_text(f"{root}/proc/{process}/mountinfo")
        mounts = [mount for mount in parse_cgroup_mounts(mountinfo or "") if _below(root, mount.mount_point).is_dir()]
        if mounts:
            return _joined(root, mounts)
    return _joined(root, list(_standard_mounts(root)))


def parse_cgroup_mounts(mountinfo: str) -> Iterator[CgroupMount]:
    """Yield the control groups' mounts of a ``/proc/PID/mountinfo``; a line that is none is passed over."""
    for line in mountinfo.splitlines():
        place, _, file_system = line.partition(" - ")
        fields, described = place.split(), file_system.split()
        if len(fields) >= 5 and len(described) >= 2 and described[0] in ("cgroup", "cgroup2"):
            controllers = tuple(described[-1].split(",")) if described[0] == "cgroup" else ()
            yield CgroupMount(controllers, _plain(fields[4]))


def read_text(path: str) -> str | None:
    """Give a file's whole text, ``None`` where there is none or it may not be read."""
    try:
        return _read(path, whole=True)
    except PermissionError:
        return None


def read_value(path: str) -> str | None:
    """Give the text of a group's file, ``None`` where there is none: the group is gone, or has no such value.

    Of a long list, as that of its processes, it is the beginning.

    Raises:
        PermissionError: it is there and may not be read.
    """
    return _read(path, whole=False)


def _read(path: str, *, whole: bool) -> str | None:
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            data = bytearray(os.read(descriptor, _CHUNK))
            # /proc gives a page or so at a time.
            while whole and len(data) < _MOST_BYTES and (more := os.read(descriptor, _CHUNK)):
                data += more
        finally:
            os.close(descriptor)
    except PermissionError:
        raise
    except (OSError, ValueError):  # a NUL is in no name
        return None
    return data.decode("utf-8", "replace")


def _standard_mounts(root: str) -> Iterator[CgroupMount]:
    base = _below(root, _STANDARD_PLACE)
    if (base / "cgroup.controllers").exists():
        yield CgroupMount((), _STANDARD_PLACE)
        return
    try:
        names = sorted(folder.name for folder in base.iterdir())
    except OSError:
        return
    for name in names:
        controllers = {"unified": (), "systemd": (SYSTEMD,)}.get(name, tuple(name.split(",")))
        yield CgroupMount(controllers, f"{_STANDARD_PLACE}/{name}")


def _joined(root: str, mounts: list[CgroupMount]) -> Hierarchies:
    v1: dict[str, str] = {}
    v2: list[str] = []
    parts = {mount: _is_part(_below(root, mount.mount_point), is_v1=bool(mount.controllers)) for mount in mounts}
    # A tree that is mounted twice is taken where it is whole.
    for mount in sorted(mounts, key=parts.__getitem__):
        folder = str(_below(root, mount.mount_point))
        if not mount.controllers:
            v2.append(folder)
        for name in (*_CONTROLLERS, SYSTEMD):
            if name in mount.controllers:
                v1.setdefault(name, folder)
    partial = {str(_below(root, mount.mount_point)) for mount, is_part in parts.items() if is_part}
    taken = [*v2[:1], *v1.values()]
    return Hierarchies(v1=v1, v2=next(iter(v2), None), part=next((tree for tree in taken if tree in partial), None))


def _is_part(folder: Path, *, is_v1: bool) -> bool:
    """Tell whether a tree's top is no true one: a container is shown its own group in its place.

    These files tell the top (of v1) or anything below it (of v2).
    """
    if is_v1:
        return (folder / "cgroup.clone_children").exists() and not (folder / "cgroup.sane_behavior").exists()
    return (folder / "cgroup.type").exists()


def _below(root: str, path: str) -> Path:
    return Path(root, path.lstrip("/"))


def _plain(field: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), field)
