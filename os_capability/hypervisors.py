# SPDX-License-Identifier: Apache-2.0
"""Hypervisors by what the firmware calls a guest, under the names that systemd-detect-virt(1) has for them."""

from __future__ import annotations

__all__ = ["hypervisor_by_firmware"]

# The first one found counts. A cloud of OpenStack's runs KVM, and has no other name.
_BY_FIRMWARE = (
    ("KVM", "kvm"),
    ("KubeVirt", "kvm"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("VirtualBox", "oracle"),
    ("innotek", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Apple Virtualization", "apple"),
    ("VirtualMac", "apple"),
    ("Amazon EC2", "amazon"),
    ("Google Compute", "google"),
    ("OpenStack", "kvm"),
    ("Virtual Machine", "microsoft"),
)


def hypervisor_by_firmware(names: str) -> str | None:
    """Give the hypervisor by the firmware's names for the maker and the machine; ``None`` where they name none.

    A machine of Amazon's with nothing under it says so (``Amazon EC2 m5.metal``).
    """
    return None if ".metal" in names else next((name for mark, name in _BY_FIRMWARE if mark in names), None)
