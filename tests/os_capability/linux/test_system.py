# SPDX-License-Identifier: Apache-2.0
"""Small files about the system, as texts."""

from __future__ import annotations

import pytest

from os_capability.linux import system

NOWHERE = {"hypervisor_type": None, "clocksources": None, "dmi": "", "sysinfo": "", "device_tree": "", "flags": ()}
FIRST = "pid:[4026531836]"
HOST = {"pid_namespace": FIRST, "init_cgroup": "0::/init.scope\n", "mountinfo": "", "manager": None, "has_mark": False}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n', "Debian GNU/Linux 12"),
        ("NAME=Alpine\n", "Alpine"),
        ("# nothing\nID=x\n", None),
        ("", None),
    ],
)
def test_os_release_gives_the_name_people_use(text: str, name: str | None) -> None:
    assert system.parse_os_release(text) == name


@pytest.mark.parametrize(
    ("text", "seconds"), [("cpu 1\nbtime 1700000000\n", 1700000000), ("btime x\n", None), ("", None)]
)
def test_boot_time(text: str, seconds: int | None) -> None:
    assert system.parse_boot_time(text) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("12.50 24.00\n", 12.5), ("nan 1\n", None), ("inf", None), ("", None)])
def test_uptime(text: str, seconds: float | None) -> None:
    assert system.parse_uptime(text) == seconds


@pytest.mark.parametrize(
    ("text", "load"), [("0.1 2 30.5 1/9 7\n", (0.1, 2.0, 30.5)), ("0.1 0.2", None), ("a b c", None)]
)
def test_load_average(text: str, load: tuple[float, ...] | None) -> None:
    assert system.parse_loadavg(text) == load


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
    ("facts", "evidence"),
    [
        pytest.param({}, None, id="a host"),
        pytest.param({"has_mark": True}, None, id="a virtual machine made from a container image"),
        pytest.param({"pid_namespace": None}, None, id="nothing to see"),
        pytest.param({"manager": "podman\n"}, "names podman", id="systemd says so"),
        pytest.param({"pid_namespace": "pid:[4026532201]"}, "PID namespace", id="another PID namespace"),
        pytest.param({"init_cgroup": "5:cpuset:/docker/4f2a\n"}, "cgroup of docker", id="PID 1 in an engine's group"),
        pytest.param(
            {"mountinfo": "9 8 0:50 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw\n"},
            "/proc/meminfo",
            id="lxcfs",
        ),
        pytest.param(
            {"has_mark": True, "mountinfo": "9 8 0:50 / / rw - overlay overlay rw\n"},
            "overlay",
            id="an overlay and a mark",
        ),
        pytest.param({"mountinfo": "9 8 0:50 / / rw - overlay overlay rw\n"}, None, id="a live CD's overlay"),
    ],
)
def test_what_gives_a_container_away(facts: dict[str, object], evidence: str | None) -> None:
    found = system.container_evidence(**{**HOST, **facts})  # type: ignore[arg-type]
    assert found is None if evidence is None else evidence in (found or "")
