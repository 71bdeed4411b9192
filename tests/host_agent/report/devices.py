# SPDX-License-Identifier: Apache-2.0
"""PCI devices for tests."""

from __future__ import annotations

from os_capability.model import PciDevice

__all__ = ["device"]


def device(node: int | None, product: str = "1572", address: str = "0000:3b:00.0") -> PciDevice:
    return PciDevice(
        address=address,
        vendor_id="8086",
        product_id=product,
        class_id="020000",
        kind="network",
        node=node,
        sriov=None,
        physical_function=None,
        sriov_total_vfs=None,
        sriov_num_vfs=None,
        driver="i40e",
        iommu_group=None,
    )
