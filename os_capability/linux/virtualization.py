# SPDX-License-Identifier: Apache-2.0
"""Whether this system is a guest, and of which hypervisor.

Source: systemd-detect-virt(1) for the names of hypervisors; Documentation/ABI/testing/sysfs-hypervisor-xen.
"""

from __future__ import annotations

from collections.abc import Sequence

from os_capability.hypervisors import hypervisor_by_firmware

__all__ = ["hypervisor", "is_control_domain"]

# VirtualBox and Parallels offer their guests KVM's clock; Amazon's have it on x86, and on ARM none that tells.
_WITH_CLOCK_OF_KVM = frozenset({"amazon", "oracle", "parallels"})
# How their names begin: Hyper-V's go on with ``_tsc_page`` or ``_msr`` since Linux 5.3.
_BY_CLOCK = (("kvm-clock", "kvm"), ("hyperv_clocksource", "microsoft"), ("xen", "xen"))
_XENFEAT_DOM0 = 11  # include/xen/interface/features.h


def is_control_domain(features: str | None, capabilities: str | None) -> bool:
    """Tell whether this is Xen's domain 0, which has the hardware and is no guest.

    Args:
        features: ``/sys/hypervisor/properties/features``, hexadecimal without a prefix.
        capabilities: ``/proc/xen/capabilities``, where xenfs is mounted.
    """
    try:
        return bool(int((features or "")[:17], 16) >> _XENFEAT_DOM0 & 1)
    except ValueError:
        return "control_d" in (capabilities or "").strip().split(",")


def hypervisor(
    *,
    hypervisor_type: str | None,
    clocksources: str | None,
    dmi: str,
    sysinfo: str,
    device_tree: str,
    power_hypervisor: str | None,
    flags: Sequence[str],
) -> str | None:
    """Give the hypervisor under this system by its systemd-detect-virt name; ``None`` on bare metal or unknown.

    The clock comes before most of the firmware's names: those name the cloud, or QEMU where KVM runs the code. On an
    x86 whose CPU does not say ``hypervisor`` they count for nothing: that of bare-metal clouds has such names too.
    """
    if hypervisor_type and hypervisor_type.strip():
        return hypervisor_type.strip()
    by_firmware = None if "lm" in flags and "hypervisor" not in flags else hypervisor_by_firmware(dmi)
    if by_firmware in _WITH_CLOCK_OF_KVM:
        return by_firmware
    for clock, name in _BY_CLOCK:
        if any(word.startswith(clock) for word in (clocksources or "").split()):
            return name
    if "Control Program:" in sysinfo:
        return "kvm" if "KVM/Linux" in sysinfo else "zvm"
    if "linux,kvm" in device_tree:
        return "kvm"
    return power_hypervisor or by_firmware
