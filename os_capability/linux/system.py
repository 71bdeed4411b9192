# SPDX-License-Identifier: Apache-2.0
"""Small text files about the running system.

Source: proc(5), os-release(5), systemd-detect-virt(1) for the names of hypervisors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from os_capability.errors import UnparsableText

__all__ = [
    "ContainerView",
    "container_view",
    "parse_affinity",
    "parse_boot_time",
    "parse_loadavg",
    "parse_name",
    "parse_os_release",
    "parse_uptime",
    "virtualization",
]

_LONGEST_NAME = 256


def parse_name(text: str, source: str) -> str | None:
    """Give the one line that a file holds; blank is ``None``.

    Raises:
        UnparsableText: there are several lines, or one that no person could read.
    """
    name = text.strip("\0 \n")
    if len(name) > _LONGEST_NAME or not name.isprintable() or "\N{REPLACEMENT CHARACTER}" in name:
        raise UnparsableText(source, 1, name.split("\n")[0], "not one line of text")
    return name or None


def parse_os_release(text: str, source: str) -> str | None:
    """Give the name a person knows the system by: ``PRETTY_NAME``, else ``NAME``; the file may have neither.

    Raises:
        UnparsableText: no line is an assignment, or the name is not one line of text.
    """
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals:
            values[name] = value.strip("\"'").replace('\\"', '"')
    if not values:
        raise UnparsableText(source, 1, text.split("\n")[0], "no line gives a value")
    return parse_name(values.get("PRETTY_NAME") or values.get("NAME") or "", source)


def parse_boot_time(stat: str, source: str) -> int | None:
    """Give ``btime`` of ``/proc/stat``: seconds since the epoch; ``None`` without such a line.

    Raises:
        UnparsableText: the line has no number.
    """
    for line_number, line in enumerate(stat.splitlines(), 1):
        if line.startswith("btime "):
            number = line.removeprefix("btime ").strip()
            if not (number.isascii() and number.isdigit() and len(number) <= 11):
                raise UnparsableText(source, line_number, line, "btime has no number")
            return int(number)
    return None


def parse_uptime(text: str, source: str) -> float:
    """Give the first number of ``/proc/uptime`` in seconds.

    Raises:
        UnparsableText: there is no number.
    """
    return _floats(text, 1, source)[0]


def parse_loadavg(text: str, source: str) -> tuple[float, ...]:
    """Give the three averages of ``/proc/loadavg``: over 1, 5 and 15 minutes.

    Raises:
        UnparsableText: there are no three numbers.
    """
    return _floats(text, 3, source)


def _floats(text: str, count: int, source: str) -> tuple[float, ...]:
    words = text.split(None, count)[:count]
    # float() would also take "nan" and "inf", which are no JSON numbers.
    if len(words) < count or not all(
        word.isascii() and word.replace(".", "", 1).isdigit() and len(word) <= 20 for word in words
    ):
        raise UnparsableText(source, 1, text.split("\n")[0], f"does not start with {count} numbers")
    return tuple(map(float, words))


def parse_affinity(status: str) -> str | None:
    """Give ``Cpus_allowed_list`` of ``/proc/self/status``, a kernel CPU list."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return value.strip()
    return None


_BY_DMI = (
    ("KVM", "kvm"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VirtualBox", "oracle"),
    ("innotek", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Amazon EC2", "amazon"),
    ("Google Compute", "google"),
    ("OpenStack", "kvm"),
    ("Virtual Machine", "microsoft"),
)
_BY_CLOCK = (("kvm-clock", "kvm"), ("hyperv_clocksource", "microsoft"), ("xen", "xen"))


def virtualization(
    *,
    hypervisor_type: str | None,
    clocksources: str | None,
    dmi: str,
    sysinfo: str,
    device_tree: str,
    flags: Sequence[str],
) -> str | None:
    """Give the hypervisor under this system by its systemd-detect-virt name; ``None`` on bare metal or unknown.

    The clock comes before the firmware's names: those name the cloud, or QEMU where KVM runs the code. On an x86 whose
    CPU does not say ``hypervisor`` they count for nothing: the firmware of bare-metal clouds has such names too.
    """
    if hypervisor_type and hypervisor_type.strip():
        return hypervisor_type.strip()
    for clock, name in _BY_CLOCK:
        if clock in (clocksources or "").split():
            return name
    if "Control Program:" in sysinfo:
        return "kvm" if "KVM/Linux" in sysinfo else "zvm"
    if "linux,kvm" in device_tree:
        return "kvm"
    if ("lm" in flags and "hypervisor" not in flags) or ".metal" in dmi:
        return None
    return next((name for mark, name in _BY_DMI if mark in dmi), None)


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
# Where engines keep what they mount over a container's root and over these files of its /etc.
_MOUNTED_BY_ENGINES = ("/", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
_IN_STORE = (
    ("/kubelet/pods/", "kubernetes"),
    ("/docker/", "docker"),
    ("/containerd/", "containerd"),
    ("/containers/storage/", "podman"),
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
    for line in mountinfo.splitlines():
        place, _, kind = line.partition(" - ")
        fields = place.split()
        if len(fields) < 5:
            continue
        inside, mount_point = fields[3:5]
        if kind.startswith("fuse.lxcfs") and mount_point.startswith("/proc/"):
            found.setdefault("lxc", f"lxcfs is mounted over {mount_point}")
        if mount_point == "/" and kind.startswith("overlay"):
            inside = kind  # its layers stand in the mount's options
            if mark is not None:
                found.setdefault(mark, f"the root is an overlay with the mark file of {mark}")
        if mount_point in _MOUNTED_BY_ENGINES:
            for sign, engine in (known for known in _IN_STORE if known[0] in inside):
                found.setdefault(engine, f"{mount_point} is mounted from a path with {sign}")
    engine = next((name for name in (mark, *found) if name in found and name != "kubernetes"), "kubernetes")
    if engine not in found:
        return None
    # Both keep their containers in one store, and only CRI-O's are in pods of the kubelet.
    is_pod = "kubernetes" in found
    return ContainerView("cri-o" if engine == "podman" and is_pod else engine, found[engine])
