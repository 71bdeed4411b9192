# SPDX-License-Identifier: Apache-2.0
"""Reads the PCI functions from sysfs: a few small files and links for each, no child process."""

from __future__ import annotations

from functools import partial

from os_capability.linux import paths, pci
from os_capability.linux.sources import Sources
from os_capability.model import PciDevice

__all__ = ["read_pci", "read_pci_addresses"]

_parse_id = partial(pci.parse_hexadecimal, digits=4)
_parse_class = partial(pci.parse_hexadecimal, digits=6)


def read_pci(sources: Sources) -> tuple[PciDevice, ...] | None:
    """Read every PCI function, by ascending address; ``None`` where the machine shows no PCI bus."""
    addresses = read_pci_addresses(sources)
    if addresses is None:
        return None
    devices = [_read_device(sources, address) for address in addresses]
    if sources.root.is_live:
        # Half of a device that was unplugged while we read is no device.
        return tuple(device for device in devices if sources.exists(f"{paths.PCI_DEVICES}/{device.address}"))
    return tuple(devices)


def read_pci_addresses(sources: Sources) -> list[str] | None:
    """Read which PCI functions there are, ascending; ``None`` where the machine shows no PCI bus."""
    names = sources.entries(paths.PCI_DEVICES)
    return None if names is None else sorted(filter(pci.is_address, names), key=pci.address_order)


def _read_device(sources: Sources, address: str) -> PciDevice:
    folder = f"{paths.PCI_DEVICES}/{address}"
    ids = _read_ids(sources, folder)
    physical_function = pci.parse_physical_function(sources.link(f"{folder}/physfn"))
    total_vfs = None if physical_function else sources.count(f"{folder}/sriov_totalvfs")
    return PciDevice(
        address=address,
        vendor_id=ids.vendor_id,
        product_id=ids.product_id,
        class_id=ids.class_id,
        kind=pci.kind_of_class(ids.class_id),
        node=sources.parsed(f"{folder}/numa_node", pci.parse_numa_node),
        sriov="vf" if physical_function else "pf" if total_vfs else None,
        physical_function=physical_function,
        sriov_total_vfs=total_vfs,
        sriov_num_vfs=None if total_vfs is None else sources.count(f"{folder}/sriov_numvfs"),
        driver=ids.driver,
        iommu_group=pci.parse_iommu_group(sources.link(f"{folder}/iommu_group")),
    )


def _read_ids(sources: Sources, folder: str) -> pci.PciIds:
    """Read ``uevent``, which has it all in one; the files of single facts where it does not tell."""
    ids = sources.parsed(f"{folder}/uevent", pci.parse_uevent) or pci.PciIds()
    if ids.vendor_id is not None and ids.class_id is not None:
        return ids
    driver = sources.link(f"{folder}/driver")
    return pci.PciIds(
        vendor_id=ids.vendor_id or sources.parsed(f"{folder}/vendor", _parse_id),
        product_id=ids.product_id or sources.parsed(f"{folder}/device", _parse_id),
        class_id=ids.class_id or sources.parsed(f"{folder}/class", _parse_class),
        driver=ids.driver or (None if driver is None else driver.rpartition("/")[2] or None),
    )
