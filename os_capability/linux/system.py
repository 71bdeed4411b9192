# SPDX-License-Identifier: Apache-2.0
"""Small text files about the running system.

Source: proc(5), os-release(5), systemd-detect-virt(1) for the names of hypervisors.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "container_evidence",
    "parse_affinity",
    "parse_boot_time",
    "parse_loadavg",
    "parse_os_release",
    "parse_uptime",
    "virtualization",
]


def parse_os_release(text: str) -> str | None:
    """Give the name a person knows the system by: ``PRETTY_NAME``, else ``NAME``."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals:
            values[name] = value.strip("\"'").replace('\\"', '"')
    return values.get("PRETTY_NAME") or values.get("NAME") or None


def parse_boot_time(stat: str) -> int | None:
    """Give ``btime`` of ``/proc/stat``: seconds since the epoch."""
    for line in stat.splitlines():
        if line.startswith("btime "):
            number = line.removeprefix("btime ").strip()
            return int(number) if number.isascii() and number.isdigit() and len(number) <= 11 else None
    return None


def parse_uptime(text: str) -> float | None:
    """Give the first number of ``/proc/uptime`` in seconds."""
    numbers = _floats(text.split()[:1])
    return numbers[0] if numbers else None


def parse_loadavg(text: str) -> tuple[float, ...] | None:
    """Give the three averages of ``/proc/loadavg``: over 1, 5 and 15 minutes."""
    numbers = _floats(text.split()[:3])
    return numbers if len(numbers) == 3 else None


def _floats(words: Sequence[str]) -> tuple[float, ...]:
    # float() would also take "nan" and "inf", which are no JSON numbers.
    if not all(word.isascii() and word.replace(".", "", 1).isdigit() and len(word) <= 20 for word in words):
        return ()
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


# PROC_PID_INIT_INO of include/linux/proc_ns.h: the first PID namespace has had this number since Linux 3.8.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_ENGINES = ("docker", "libpod", "kubepods", "containerd", "lxc", "crio", "buildkit")


def container_evidence(
    *, pid_namespace: str | None, init_cgroup: str | None, mountinfo: str | None, manager: str | None, has_mark: bool
) -> str | None:
    """Give what shows that we see a container's view of the machine, ``None`` where nothing does.

    Args:
        pid_namespace: the link ``/proc/self/ns/pid``.
        init_cgroup: the cgroups of PID 1.
        mountinfo: the mounts we see.
        manager: ``/run/systemd/container``, which names the manager.
        has_mark: an engine's mark file is there. Alone it shows nothing: a virtual machine made from a container
            image keeps the image's ``/.dockerenv``.
    """
    if manager and manager.strip():
        return f"/run/systemd/container names {manager.strip()}"
    if pid_namespace is not None and pid_namespace != _FIRST_PID_NAMESPACE:
        return "this is not the machine's first PID namespace"
    engine = next((name for name in _ENGINES if f"/{name}" in (init_cgroup or "")), None)
    if engine is not None:
        return f"PID 1 is in a cgroup of {engine}"
    for line in (mountinfo or "").splitlines():
        place, _, kind = line.partition(" - ")
        fields = place.split()
        if kind.startswith("fuse.lxcfs") and len(fields) > 4 and fields[4].startswith("/proc/"):
            return f"lxcfs is mounted over {fields[4]}"
        if has_mark and kind.startswith("overlay") and len(fields) > 4 and fields[4] == "/":
            return "the root is an overlay with a container engine's mark file"
    return None
