# SPDX-License-Identifier: Apache-2.0
"""Takes what names a machine, its owner or its users out of a recording, and leaves what the readers need.

A text from ``/proc`` or ``/sys`` is taken as it is unless a rule here says otherwise; one from anywhere else is taken
only where a rule says which of its lines. A line that tells too much keeps its label and its place, so that line
numbers in warnings stay right.
"""

from __future__ import annotations

import re

from os_capability.linux import cgroup, paths
from os_capability.linux.container import MOUNTED_BY_ENGINES
from os_capability.linux.mountinfo import escaped, parse_mountinfo
from os_capability.linux.recording import Recording, folders_above

__all__ = ["REMOVED", "redact"]

REMOVED = "(removed)"

_LEFT_OUT = frozenset({paths.HOSTNAME, paths.MACHINE_ID, paths.PRODUCT_UUID, paths.BOOT_ID})
# By their names anywhere: serial numbers, addresses of network cards, what was started with which arguments.
_LEFT_OUT_NAME = re.compile(r"(^|[_/,-])(address|cmdline|environ|hostname|ppin|serial|serial_number|uuid|wwid)$", re.I)

# Files of which only these labels keep their values.
_KEPT_LABELS: dict[str, frozenset[str]] = {
    **dict.fromkeys(paths.OS_RELEASE, frozenset({"NAME", "PRETTY_NAME"})),
    paths.SELF_STATUS: frozenset({"Cpus_allowed", "Cpus_allowed_list", "Mems_allowed", "Mems_allowed_list"}),
    paths.PODMAN_MARK: frozenset({"engine"}),
    paths.LOGIN_SESSIONS: frozenset({"CLASS", "TYPE"}),
}
_OPEN_FOLDERS = ("proc/", "sys/")
_OPEN_FILES = frozenset({paths.CONTAINER_MANAGER, paths.HOST_CONTAINER_MANAGER, paths.CAPTURED})

_LABEL = re.compile(r"\s*([A-Za-z_]+)[=:][ \t]*")
# ARM's cpuinfo ends in "Serial : 00000000d3adb33f", PA-RISC's "software id" is the number that licences are bound to;
# s390's sysinfo names the machine, its owner's LPAR and its guest.
_TELLING_LINE = re.compile(
    r"^((?:serial|[^:\n]*\bserial(?: number)?|software id|sequence code|plant|[^:\n]*\buuid"
    r"|(?:lpar|vm\d\d) (?:extended )?name)[ \t]*:[ \t]*).+$",
    re.I | re.MULTILINE,
)
# A part of the machine's serial number; newer kernels write it on a line of its own as well.
_S390_IDENTIFICATION = re.compile(r"(\bidentification *[=:] *)[0-9A-Fa-f]+")
# Ten times as quick to look for, and in everything that we look for.
_LONG = re.compile("[0-9A-Fa-f][0-9A-Fa-f:-]{16,}")
# A uuid; a MAC; a machine id or that of a container.
_SHAPE = re.compile(
    r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{2}(?::[0-9a-f]{2}){5}"
    r"|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b",
    re.IGNORECASE,
)


def redact(recording: Recording) -> Recording:
    """Give the recording without host names, machine and boot ids, serial numbers, uuids, MACs and users' names.

    The parts of cgroup paths are replaced by the same stand-ins everywhere, so that the limits stay findable; words
    that only say which engine or which kind of group it is are kept.
    """
    names = _Names(recording)
    # Sorted, because the stand-ins are numbered as they come. An empty file only says that it is there.
    texts = sorted(recording.texts.items())
    return Recording(
        texts={
            names.path(path): _text(path, text, names)
            for path, text in texts
            if not text or names.is_cgroup(path) or _may_be_taken(path)
        },
        links={_blank(path): _blank(target) for path, target in recording.links.items() if _may_be_followed(path)},
        folders=frozenset(map(names.folder, sorted(recording.folders - names.above_cgroups))),
        unreadable=frozenset(names.path(path) for path in sorted(recording.unreadable) if _may_be_taken(path)),
    )


def _may_be_taken(path: str) -> bool:
    if path in _LEFT_OUT or _LEFT_OUT_NAME.search(path):
        return False
    return path.startswith(_OPEN_FOLDERS) or path in _OPEN_FILES or _labels(path) is not None


def _may_be_followed(path: str) -> bool:
    # Elsewhere a link is no kernel's, and may name a home.
    return path.startswith(_OPEN_FOLDERS) and _may_be_taken(path)


def _labels(path: str) -> frozenset[str] | None:
    folder = path.rpartition("/")[0]
    return _KEPT_LABELS.get(path) or (_KEPT_LABELS[folder] if folder == paths.LOGIN_SESSIONS else None)


def _text(path: str, text: str, names: _Names) -> str:
    labels = _labels(path)
    if labels is not None:
        return "\n".join(_line(line, labels) for line in text.split("\n"))
    if path.startswith("proc/"):
        name = path.rpartition("/")[2]
        if name == "cgroup":
            return names.membership(text)
        if name == "mountinfo":
            return names.mounts(text)
        if path in (paths.CPUINFO, paths.SYSINFO):
            text = _TELLING_LINE.sub(rf"\1{REMOVED}", text)
            text = _S390_IDENTIFICATION.sub(lambda found: found[1] + "0", text)
    return _blank(text)


def _line(line: str, kept: frozenset[str]) -> str:
    label = _LABEL.match(line)
    if label is not None:
        return line if label[1] in kept else label[0] + REMOVED
    return REMOVED if line.strip("\0 \t") else line


def _blank(text: str) -> str:
    """Write zeros for every uuid, MAC and long hexadecimal id."""
    return _LONG.sub(lambda long: _SHAPE.sub(lambda found: re.sub("[0-9A-Fa-f]", "0", found[0]), long[0]), text)


# What says which engine or which kind of group it is, and names nobody.
_WORDS = frozenset(
    {
        *("besteffort", "buildkit", "burstable", "conmon", "container", "containerd", "containers", "cri", "crio"),
        *("docker", "garden", "guaranteed", "init", "io", "kubelet", "kubepods", "libpod", "lxc", "lxcfs", "machine"),
        *("machines", "nspawn", "payload", "podman", "pods", "runtime", "scope", "service", "session", "slice"),
        *("storage", "system", "systemd", "unified", "user"),
        *("blkio", "cgroup", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "misc", "name"),
        *("cgroup2", "fuse", "net", "net_cls", "net_prio", "perf_event", "pids", "rdma"),
        *("conf", "etc", "fs", "hostname", "hosts", "lib", "lowerdir", "overlay", "overlay2", "overlayfs", "resolv"),
        *("ro", "rw", "sys", "upperdir", "var", "workdir"),
        *("cpuinfo", "diskstats", "loadavg", "meminfo", "proc", "slabinfo", "stat", "swaps", "uptime"),
    }
)
_WORD = re.compile(r"[^\W_]+(?:_[^\W_]+)*")


class _Names:
    """Stand-ins for the names in cgroup paths: the same one wherever a name comes again."""

    def __init__(self, recording: Recording) -> None:
        self._known: dict[str, str] = {}
        mounts = (cgroup.parse_mounts(text) for path, text in recording.texts.items() if path.endswith("/mountinfo"))
        self._tops = frozenset(mount.mount_point.strip("/") for found in mounts for mount in found) - {""}
        # A hierarchy may be mounted in somebody's home. What is inside brings its own folders.
        self.above_cgroups = frozenset(folder for top in self._tops for folder in folders_above(top))
        sessions = sorted(path for path in recording.texts if path.startswith(f"{paths.LOGIN_SESSIONS}/"))
        self._sessions = {path: f"{paths.LOGIN_SESSIONS}/{at}" for at, path in enumerate(sessions, 1)}

    def path(self, path: str) -> str:
        """Give a file's path: in a cgroup folder all but its own name may tell."""
        if not self.is_cgroup(path):
            return self._sessions.get(path) or _blank(path)
        folder, _, name = path.rpartition("/")
        return f"{self._hidden(folder)}/{name}"

    def folder(self, path: str) -> str:
        return self._hidden(path) if self.is_cgroup(path) else _blank(path)

    def membership(self, text: str) -> str:
        """Rewrite ``/proc/PID/cgroup``, lines ``3:cpuset:/docker/4f2a``."""
        lines = (line.split(":", 2) for line in text.splitlines() if line.count(":") > 1)
        # Anybody may mount a hierarchy of his own name.
        return "".join(f"{number}:{self._hidden(f'{controllers}:{group}')}\n" for number, controllers, group in lines)

    def mounts(self, text: str) -> str:
        """Rewrite mountinfo: the cgroup hierarchies, and what engines mount over a container's own files."""
        lines: list[str] = []
        for mount in parse_mountinfo(text):
            if not _says_something(mount.mount_point, mount.type):
                continue
            inside, mount_point = (escaped(self._hidden(path)) for path in (mount.inside, mount.mount_point))
            kind, options = self._hidden(mount.type), self._hidden(mount.options)
            number = len(lines) + 2
            lines.append(f"{number} 1 0:{number} {inside} {mount_point} rw - {kind} none {options}\n")
        return "".join(lines)

    def is_cgroup(self, path: str) -> bool:
        """Tell whether a path lies in a mounted cgroup hierarchy."""
        return any(f"{path}/".startswith(f"{top}/") for top in self._tops)

    def _hidden(self, path: str) -> str:
        return _WORD.sub(self._stand_in, path)

    def _stand_in(self, word: re.Match[str]) -> str:
        if word[0] in _WORDS:
            return word[0]
        return self._known.setdefault(word[0], f"x{len(self._known) + 1}")


def _says_something(mount_point: str, kind: str) -> bool:
    is_lxcfs = kind == "fuse.lxcfs" and mount_point.startswith("/proc/")
    return is_lxcfs or kind in ("cgroup", "cgroup2") or mount_point in MOUNTED_BY_ENGINES
