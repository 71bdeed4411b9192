# SPDX-License-Identifier: Apache-2.0
"""Small files about the system, as texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from os_capability.errors import UnparsableText
from os_capability.linux import system

NOWHERE = {"hypervisor_type": None, "clocksources": None, "dmi": "", "sysinfo": "", "device_tree": "", "flags": ()}
FIRST, ANOTHER = "pid:[4026531836]", "pid:[4026532201]"
HOST = {
    "managers": {},
    "init_cgroup": "0::/init.scope\n",
    "mountinfo": "",
    "pid_namespace": FIRST,
    "kernel": "6.1.0-example",
    "marks": (),
}
OVERLAY = "22 1 0:50 / / rw - overlay overlay rw"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n', "Debian GNU/Linux 12"),
        ("NAME=Alpine\n", "Alpine"),
        ("# nothing\nID=x\n", None),
    ],
)
def test_os_release_gives_the_name_people_use(text: str, name: str | None) -> None:
    assert system.parse_os_release(text, "os-release") == name


@pytest.mark.parametrize(("text", "name"), [("node-1\n", "node-1"), ("\n", None), ("", None), ("6.1.0\n\0", "6.1.0")])
def test_a_name_is_one_line(text: str, name: str | None) -> None:
    assert system.parse_name(text, "hostname") == name


def test_boot_time() -> None:
    assert system.parse_boot_time("cpu 1\nbtime 1700000000\n", "stat") == 1700000000
    assert system.parse_boot_time("cpu 1\n", "stat") is None


def test_uptime_and_load_average() -> None:
    assert system.parse_uptime("12.50 24.00\n", "uptime") == 12.5
    assert system.parse_loadavg("0.1 2 30.5 1/9 7\n", "loadavg") == (0.1, 2.0, 30.5)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((system.parse_uptime, text) for text in ("", "nan 1\n", "inf", "soon")),
        *((system.parse_loadavg, text) for text in ("", "0.1 0.2", "a b c", "1 2 ٣")),
        *((system.parse_os_release, text) for text in ("", "\0\1\2", "no names", f"NAME={'x' * 10_000}")),
        *((system.parse_name, text) for text in ("two\nlines", "x" * 10_000, "\x1b[31m", "\N{REPLACEMENT CHARACTER}")),
        (system.parse_boot_time, "cpu 1\nbtime x\n"),
    ],
)
def test_garbage_is_refused(parse: Callable[[str, str], object], text: str) -> None:
    with pytest.raises(UnparsableText):
        parse(text, "a file")


def test_affinity_is_the_allowed_list() -> None:
    assert system.parse_affinity("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n") == "0-7"
    assert system.parse_affinity("Name:\tx\n") is None


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        pytest.param({}, None, id="nothing tells"),
        pytest.param(
            {"clocksources": "tsc hpet acpi_pm\n", "flags": ("lm",), "dmi": "Amazon EC2 m5.metal"},
            None,
            id="a bare-metal cloud",
        ),
        pytest.param(
            {"clocksources": "kvm-clock tsc\n", "flags": ("lm", "hypervisor")}, "kvm", id="KVM without firmware tables"
        ),
        pytest.param(
            {"dmi": "VMware, Inc. VMware Virtual Platform", "flags": ("lm", "hypervisor")},
            "vmware",
            id="by its firmware",
        ),
        pytest.param(
            {"dmi": "QEMU Standard PC", "clocksources": "tsc kvm-clock"},
            "kvm",
            id="KVM runs the code, QEMU is its firmware",
        ),
        pytest.param({"clocksources": "hyperv_clocksource_tsc_page hyperv_clocksource"}, "microsoft", id="Hyper-V"),
        pytest.param({"hypervisor_type": "xen\n"}, "xen", id="Xen's own folder"),
        pytest.param({"sysinfo": "VM00 Control Program: z/VM    6.3.0\n"}, "zvm", id="s390 under z/VM"),
        pytest.param({"sysinfo": "VM00 Control Program: KVM/Linux\n"}, "kvm", id="s390 under KVM"),
        pytest.param({"device_tree": "linux,kvm\0"}, "kvm", id="ARM and POWER by the device tree"),
    ],
)
def test_the_hypervisor_is_named(facts: dict[str, object], name: str | None) -> None:
    assert system.virtualization(**{**NOWHERE, **facts}) == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({}, id="a host"),
        pytest.param({"marks": ("docker",)}, id="a virtual machine made from a container image"),
        pytest.param({"pid_namespace": None, "init_cgroup": None}, id="nothing to see"),
        pytest.param({"mountinfo": OVERLAY}, id="a live CD's overlay"),
        pytest.param(
            {"mountinfo": "9 8 0:50 / /var/lib/docker/x/merged rw - overlay overlay rw,lowerdir=/x/docker/y"},
            id="a host that runs containers",
        ),
        pytest.param({"kernel": "5.15.0-1050-azure"}, id="a guest of Azure"),
        pytest.param({"managers": {"run/systemd/container": None}}, id="no manager left a name"),
    ],
)
def test_what_is_no_container(facts: dict[str, object]) -> None:
    assert system.container_view(**{**HOST, **facts}) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "manager", "evidence"),
    [
        pytest.param(
            {"managers": {"run/systemd/container": "podman"}},
            "podman",
            "/run/systemd/container names podman",
            id="systemd says so",
        ),
        pytest.param({"pid_namespace": ANOTHER}, None, "PID namespace", id="another PID namespace"),
        pytest.param(
            {"pid_namespace": ANOTHER, "marks": ("docker",)},
            None,
            "PID namespace",
            id="and a mark, which an image may have left",
        ),
        pytest.param({"init_cgroup": "5:cpuset:/docker/4f2a\n"}, "docker", "cgroup of docker", id="v1 group of Docker"),
        pytest.param(
            {"init_cgroup": "0::/machine.slice/libpod-4f2a.scope/container\n"},
            "podman",
            "cgroup of podman",
            id="Podman",
        ),
        pytest.param(
            {"init_cgroup": "0::/kubepods.slice/kubepods-pod1.slice/crio-4f2a.scope\n"}, "cri-o", "cri-o", id="CRI-O"
        ),
        pytest.param(
            {"init_cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-4f2a.scope\n"},
            "containerd",
            "containerd",
            id="containerd in a pod",
        ),
        pytest.param(
            {"init_cgroup": "5:cpuset:/kubepods/burstable/pod1/4f2a\n"},
            "kubernetes",
            "kubernetes",
            id="a pod of no named engine",
        ),
        pytest.param({"init_cgroup": "3:cpu:/lxc.payload.web\n"}, "lxc", "cgroup of lxc", id="LXC"),
        pytest.param(
            {"mountinfo": "9 8 0:50 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw\n"},
            "lxc",
            "/proc/meminfo",
            id="lxcfs",
        ),
        pytest.param({"marks": ("docker",), "mountinfo": OVERLAY}, "docker", "overlay", id="an overlay and a mark"),
        pytest.param(
            {"mountinfo": f"{OVERLAY},lowerdir=/var/lib/docker/overlay2/l/A"}, "docker", "/ is", id="Docker's layers"
        ),
        pytest.param(
            {
                "mountinfo": "31 22 8:1 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
                f"{OVERLAY},lowerdir=/var/lib/containers/storage/overlay/l/A\n"
            },
            "cri-o",
            "containers",
            id="Podman's store in a pod",
        ),
        pytest.param(
            {"mountinfo": "31 22 8:1 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"},
            "kubernetes",
            "/etc/hosts",
            id="a pod's hosts file",
        ),
        pytest.param(
            {"kernel": "5.15.90.1-microsoft-standard-WSL2", "pid_namespace": ANOTHER}, "wsl", "Subsystem", id="WSL"
        ),
    ],
)
def test_what_gives_a_container_away_and_names_it(facts: dict[str, object], manager: str | None, evidence: str) -> None:
    found = system.container_view(**{**HOST, **facts})  # type: ignore[arg-type]
    assert found is not None
    assert found.manager == manager
    assert evidence in found.evidence
