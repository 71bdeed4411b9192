# SPDX-License-Identifier: Apache-2.0
"""Whether we see a machine as it is, or a container's view of it.

Source: proc_pid_mountinfo(5), pid_namespaces(7); what container engines write, each beside its sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from os_capability.linux.mountinfo import parse_mountinfo

__all__ = ["MOUNTED_BY_ENGINES", "ContainerView", "container_view"]


class ContainerView(NamedTuple):
    """A container's view of the machine: what made the container, where that is known, and what shows it."""

    manager: str | None
    evidence: str


# PROC_PID_INIT_INO of include/linux/proc_ns.h: the first PID namespace has had this number since Linux 3.8.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
# What stands in the path of a cgroup -> the engine; in a pod the engine's own name comes before that of the pod.
_IN_CGROUP = (
    ("/docker", "docker"),
    ("libpod", "podman"),
    ("crio", "cri-o"),
    ("containerd", "containerd"),
    ("/kubepods", "kubernetes"),
    ("/lxc", "lxc"),
    ("/buildkit", "buildkit"),
    ("systemd-nspawn", "systemd-nspawn"),
)
_OVERLAYS = frozenset({"overlay", "overlayfs", "fuse.fuse-overlayfs"})  # the second is Ubuntu's before Linux 3.18
# Where engines keep what they mount over a container's root and over these files of its /etc.
MOUNTED_BY_ENGINES = ("/", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
_IN_STORE = (
    ("/kubelet/pods/", "kubernetes"),
    ("/docker/", "docker"),
    ("/containerd/", "containerd"),
    ("/containers/storage/", "podman"),
    ("/overlay-containers/", "podman"),  # below the runtime folder of a user without privileges
)


def container_view(
    *,
    managers: Mapping[str, str | None],
    init_cgroup: str | None,
    mountinfo: str | None,
    pid_namespace: str | None,
    kernel: str | None,
    marks: Sequence[str],
) -> ContainerView | None:
    """Give what shows that we see a container's view of the machine, ``None`` where nothing does.

    Args:
        managers: what the files hold in which the container's manager leaves its name, by path.
        init_cgroup: the cgroups of PID 1.
        mountinfo: the mounts we see.
        pid_namespace: the link ``/proc/self/ns/pid``.
        kernel: its release.
        marks: the engines whose mark files are there. Alone they show nothing: a virtual machine made from a container
            image keeps the image's ``/.dockerenv``.
    """
    for path, manager in managers.items():
        if manager:
            return ContainerView(manager, f"/{path} names {manager}")
    for sign, engine in _IN_CGROUP:
        if sign in (init_cgroup or ""):
            return ContainerView(engine, f"PID 1 is in a cgroup of {engine}")
    mark = next(iter(marks), None)
    mounted = _by_mounts(mountinfo or "", mark)
    if mounted is not None or pid_namespace == _FIRST_PID_NAMESPACE:
        return mounted
    if "microsoft" in (kernel or "").lower():
        return ContainerView("wsl", "the kernel is that of the Windows Subsystem for Linux")
    if pid_namespace is not None:
        return ContainerView(None, "this is not the machine's first PID namespace")
    return None


def _by_mounts(mountinfo: str, mark: str | None) -> ContainerView | None:
    found: dict[str, str] = {}
    for inside, mount_point, kind, _, options in parse_mountinfo(mountinfo):
        if kind == "fuse.lxcfs" and mount_point.startswith("/proc/"):
            found.setdefault("lxc", f"lxcfs is mounted over {mount_point}")
        is_overlay = mount_point == "/" and kind in _OVERLAYS
        if is_overlay and mark is not None:
            found.setdefault(mark, f"the root is an overlay with the mark file of {mark}")
        if mount_point in MOUNTED_BY_ENGINES:
            path = options if is_overlay else inside  # an overlay's options name its layers
            for sign, engine in (known for known in _IN_STORE if known[0] in path):
                found.setdefault(engine, f"{mount_point} is mounted from a path with {sign}")
    engine = next((name for name in (mark, *found) if name in found and name != "kubernetes"), "kubernetes")
    if engine not in found:
        return None
    # Both keep their containers in one store, and only CRI-O's are in pods of the kubelet.
    is_pod = "kubernetes" in found
    return ContainerView("cri-o" if engine == "podman" and is_pod else engine, found[engine])
