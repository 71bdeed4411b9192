# SPDX-License-Identifier: Apache-2.0
"""Writes the files that the kernel shows of control groups, as v1, as v2, and as the hybrid of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["ID", "LAYOUTS", "CgroupTree"]

ID = "4f2a" * 16
LAYOUTS = ("v1", "v2", "hybrid")

_V2 = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
_V1 = "".join(
    f"{number} 30 0:{number} / /sys/fs/cgroup/{folder} rw,nosuid shared:{number} - cgroup {source} rw,{options}\n"
    for number, (folder, source, options) in enumerate(
        (
            ("systemd", "cgroup", "xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd"),
            ("cpu,cpuacct", "cgroup", "cpu,cpuacct"),
            ("cpuset", "cgroup", "cpuset"),
            ("memory", "cgroup", "memory"),
            ("freezer", "cgroup", "freezer"),
            ("hugetlb", "cgroup", "hugetlb"),
        ),
        start=36,
    )
)
_UNIFIED = "34 30 0:33 / /sys/fs/cgroup/unified rw,nosuid shared:8 - cgroup2 cgroup2 rw\n"
_MOUNTS = {"v1": _V1, "v2": _V2, "hybrid": _UNIFIED + _V1}
# What v1 writes for "no limit" with pages of 4 KiB.
_NO_LIMIT = 9223372036854771712
_PAGES = {"hugepages-2048kB": "2MB", "hugepages-1048576kB": "1GB"}


class CgroupTree:
    """The control groups of a machine with 8 CPUs in 2 nodes, below a folder that stands for its root."""

    def __init__(self, root: Path, layout: str) -> None:
        self.root = root
        self.is_v1 = layout != "v2"
        self.unified = root / "sys/fs/cgroup" / ("unified" if self.is_v1 else "")
        self._write("proc/self/mountinfo", "24 1 8:1 / / rw - ext4 /dev/root rw\n" + _MOUNTS[layout])
        self._write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        for pages in _PAGES:
            (root / "sys/kernel/mm/hugepages" / pages).mkdir(parents=True)
        self._has_unified = layout != "v1"
        self.group("", processes=[1])
        if layout != "v1":
            self._write(self.unified / "cgroup.controllers", "" if self.is_v1 else "cpuset cpu memory hugetlb\n")
            # The kernel shows these nowhere at the top, by which it is known.
            for name in ("cgroup.type", "cgroup.events", "cgroup.freeze", "cpu.max", "memory.max"):
                (self.unified / name).unlink(missing_ok=True)

    def group(
        self,
        path: str,
        *,
        quota: float | None = None,
        cpus: str | None = None,
        nodes: str | None = None,
        memory: int | None = None,
        pages: Mapping[str, int] | None = None,
        processes: Sequence[int] = (4711,),
        frozen: bool = False,
    ) -> None:
        """Make a group with its limits: CPUs by time, CPU and node lists, bytes, bytes of pages by ``2MB``."""
        every_page = {shown: (pages or {}).get(shown) for shown in _PAGES.values()}
        if self.is_v1:
            self._v1(path, quota, cpus, nodes, memory, every_page, processes, frozen)
        if self._has_unified:
            limits = None if self.is_v1 else (quota, cpus, nodes, memory)
            self._v2(path, limits, every_page, processes, frozen)

    def process(self, pid: int, *command_line: str) -> None:
        """Make a process."""
        self._write(f"proc/{pid}/cmdline", "\0".join(command_line) + "\0")

    def _v1(
        self,
        path: str,
        quota: float | None,
        cpus: str | None,
        nodes: str | None,
        memory: int | None,
        pages: Mapping[str, int | None],
        processes: Sequence[int],
        frozen: bool,
    ) -> None:
        trees: dict[str, dict[str, object]] = {
            "systemd": {},
            "cpu,cpuacct": {
                "cpu.cfs_quota_us": -1 if quota is None else round(quota * 100000),
                "cpu.cfs_period_us": 100000,
            },
            # A group made by an engine has its parent's where it was given none.
            "cpuset": {"cpuset.cpus": cpus or "0-7", "cpuset.mems": nodes or "0-1"},
            "memory": {"memory.limit_in_bytes": _NO_LIMIT if memory is None else memory},
            "freezer": {"freezer.state": "FROZEN" if frozen else "THAWED"} if path else {},
            "hugetlb": {
                f"hugetlb.{shown}.limit_in_bytes": _NO_LIMIT if limit is None else limit
                for shown, limit in pages.items()
            },
        }
        for tree, values in trees.items():
            folder = self.root / "sys/fs/cgroup" / tree / path
            self._write(folder / "cgroup.clone_children", "0\n")
            if not path:
                self._write(folder / "cgroup.sane_behavior", "0\n")
            self._write(folder / "cgroup.procs", "".join(f"{pid}\n" for pid in processes))
            for name, value in values.items():
                self._write(folder / name, f"{value}\n")

    def _v2(
        self,
        path: str,
        limits: tuple[float | None, str | None, str | None, int | None] | None,
        pages: Mapping[str, int | None],
        processes: Sequence[int],
        frozen: bool,
    ) -> None:
        folder = self.unified / path
        values: dict[str, object] = {
            "cgroup.type": "domain",
            "cgroup.events": f"populated {int(bool(processes))}\nfrozen {int(frozen)}",
            "cgroup.freeze": int(frozen),
        }
        if limits is not None:
            quota, cpus, nodes, memory = limits
            values |= {
                "cpu.max": f"{'max' if quota is None else round(quota * 100000)} 100000",
                "cpuset.cpus": cpus or "",
                "cpuset.mems": nodes or "",
                "cpuset.cpus.effective": cpus or self._effective(folder, "cpus", "0-7"),
                "cpuset.mems.effective": nodes or self._effective(folder, "mems", "0-1"),
                "memory.max": "max" if memory is None else memory,
                **{f"hugetlb.{shown}.max": "max" if limit is None else limit for shown, limit in pages.items()},
            }
        for name, value in values.items():
            self._write(folder / name, f"{value}\n")
        self._write(folder / "cgroup.procs", "".join(f"{pid}\n" for pid in processes))

    def _effective(self, folder: Path, kind: str, everything: str) -> str:
        above = folder.parent / f"cpuset.{kind}.effective"
        return above.read_text().strip() if folder != self.unified and above.exists() else everything

    def _write(self, path: str | Path, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
