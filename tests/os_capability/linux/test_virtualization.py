# SPDX-License-Identifier: Apache-2.0
"""Whether a machine is a guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from os_capability import collect
from os_capability.linux import virtualization

NOWHERE = {
    "hypervisor_type": None,
    "clocksources": None,
    "dmi": "",
    "sysinfo": "",
    "device_tree": "",
    "power_hypervisor": None,
    "flags": (),
}


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
        pytest.param({"clocksources": "hyperv_clocksource acpi_pm"}, "microsoft", id="Hyper-V before Linux 5.3"),
        pytest.param({"clocksources": "tsc hyperv_clocksource_tsc_page"}, "microsoft", id="Hyper-V"),
        pytest.param(
            {"dmi": "innotek GmbH VirtualBox", "clocksources": "kvm-clock tsc", "flags": ("lm", "hypervisor")},
            "oracle",
            id="VirtualBox, which offers KVM's clock",
        ),
        pytest.param(
            {"dmi": "Amazon EC2 m5.large", "clocksources": "kvm-clock tsc", "flags": ("lm", "hypervisor")},
            "amazon",
            id="Amazon on x86",
        ),
        pytest.param({"dmi": "Amazon EC2 m7g.large", "clocksources": "arch_sys_counter"}, "amazon", id="and on ARM"),
        pytest.param(
            {"dmi": "Google Google Compute Engine", "clocksources": "kvm-clock tsc", "flags": ("lm", "hypervisor")},
            "kvm",
            id="KVM runs the code, a cloud is its firmware",
        ),
        pytest.param(
            {"dmi": "Apple Inc. Apple Virtualization Generic Platform"}, "apple", id="a guest on a Mac by its firmware"
        ),
        pytest.param({"hypervisor_type": "xen\n"}, "xen", id="Xen's own folder"),
        pytest.param({"sysinfo": "VM00 Control Program: z/VM    6.3.0\n"}, "zvm", id="s390 under z/VM"),
        pytest.param({"sysinfo": "VM00 Control Program: KVM/Linux\n"}, "kvm", id="s390 under KVM"),
        pytest.param({"device_tree": "linux,kvm\0"}, "kvm", id="ARM and POWER by the device tree"),
        pytest.param({"power_hypervisor": "powervm"}, "powervm", id="a partition of PowerVM"),
    ],
)
def test_the_hypervisor_is_named(facts: dict[str, object], name: str | None) -> None:
    assert virtualization.hypervisor(**{**NOWHERE, **facts}) == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("features", "capabilities", "is_control_domain"),
    [
        pytest.param("00002705\n", None, False, id="a guest"),
        pytest.param("00002f05\n", None, True, id="the hardware's domain"),
        pytest.param(None, "control_d\n", True, id="by xenfs alone"),
        pytest.param(None, "", False, id="a guest's xenfs"),
        pytest.param("garbage", "control_d", True, id="garbage"),
        pytest.param(None, None, False, id="nothing tells"),
    ],
)
def test_which_domain_of_xen_has_the_hardware(
    features: str | None, capabilities: str | None, is_control_domain: bool
) -> None:
    assert virtualization.is_control_domain(features, capabilities) == is_control_domain


@pytest.mark.parametrize(
    ("files", "hypervisor"),
    [
        pytest.param(("ibm,partition-name",), "powervm", id="a partition of PowerVM"),
        pytest.param(("ibm,partition-name", "chosen/qemu,graphic-width"), "qemu", id="QEMU names one too"),
        pytest.param(("model",), None, id="bare metal"),
    ],
)
def test_a_guest_on_power_is_known_by_its_device_tree(
    machine: Path, files: tuple[str, ...], hypervisor: str | None
) -> None:
    for name in files:
        file = machine / "proc" / "device-tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("partition\0")
    assert collect(str(machine), "sysfs").system.virtualization == hypervisor


@pytest.mark.parametrize(("features", "hypervisor"), [("00002705\n", "xen"), ("00002f05\n", None), (None, "xen")])
def test_the_domain_of_xen_that_has_the_hardware_is_no_guest(
    machine: Path, features: str | None, hypervisor: str | None
) -> None:
    xen = machine / "sys" / "hypervisor"
    (xen / "properties").mkdir(parents=True)
    (xen / "type").write_text("xen\n")
    if features is not None:
        (xen / "properties" / "features").write_text(features)
    assert collect(str(machine), "sysfs").system.virtualization == hypervisor
