# SPDX-License-Identifier: Apache-2.0
"""What changed about the PCI devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from os_capability.insight.changes.change import CHANGED, GAINED, LOST, Change
from os_capability.insight.wording import counted
from os_capability.model import PciDevice

__all__ = ["pci_changes"]


def pci_changes(old: Sequence[PciDevice] | None, new: Sequence[PciDevice] | None) -> list[Change]:
    """Tell which devices came, went or are otherwise; virtual functions are counted with their physical function."""
    if old is None or new is None or old == new:
        return []
    before = {device.address: device for device in old}
    after = {device.address: device for device in new}
    return [
        *_one_sided("removed", LOST, "is gone", before, after),
        *_one_sided("added", GAINED, "is new", after, before),
        *(
            change
            for address in before
            if address in after
            for change in _device_changes(before[address], after[address])
        ),
    ]


def _one_sided(
    verb: str, effect: str, says: str, here: Mapping[str, PciDevice], there: Mapping[str, PciDevice]
) -> list[Change]:
    """Tell of the devices that are here and not there."""
    functions: dict[str, list[str]] = {}
    devices = []
    for device in here.values():
        if device.address not in there:
            if device.sriov == "vf" and device.physical_function in here:
                functions.setdefault(str(device.physical_function), []).append(device.address)
            else:
                devices.append(device)
    changes = []
    for device in devices:
        count = len(functions.pop(device.address, ()))
        message = f"{_name(device)} {says}" + (f", with {counted(count, 'virtual function')}" if count else "")
        detail = {"address": device.address, "kind": device.kind, "node": device.node, "virtual_functions": count}
        changes.append(Change(code=f"pci-{verb}", effect=effect, message=message, detail=detail))
    for parent, addresses in functions.items():
        message = f"{_name(here[parent])} {effect} {counted(len(addresses), 'virtual function')}"
        functions_detail = {"address": parent, "virtual_functions": addresses}
        changes.append(Change(code=f"pci-functions-{verb}", effect=effect, message=message, detail=functions_detail))
    return changes


def _device_changes(old: PciDevice, new: PciDevice) -> list[Change]:
    if _identity(old) != _identity(new):
        message = f"PCI {old.address}: {_what(old)} -> {_what(new)}"
        detail: dict[str, object] = {"address": old.address, "old": _what(old), "new": _what(new)}
        return [Change(code="pci-replaced", effect=CHANGED, message=message, detail=detail)]
    moved = {
        "driver": (old.driver or "none", new.driver or "none"),
        "NUMA node": (old.node, new.node),
        # The number of a group may be another after a boot; whether there is one tells of the IOMMU.
        "IOMMU group": (_whether(old.iommu_group), _whether(new.iommu_group)),
    }
    moved = {name: values for name, values in moved.items() if values[0] != values[1]}
    if not moved:
        return []
    said = ", ".join(f"{name} {_or_none(values[0])} -> {_or_none(values[1])}" for name, values in moved.items())
    detail = {"address": old.address, **{name.lower().replace(" ", "_"): list(v) for name, v in moved.items()}}
    return [Change(code="pci-changed", effect=CHANGED, message=f"{_name(new)}: {said}", detail=detail)]


def _identity(device: PciDevice) -> tuple[str | None, ...]:
    return device.vendor_id, device.product_id, device.class_id


def _name(device: PciDevice) -> str:
    return f"PCI {device.address} ({_what(device)})"


def _what(device: PciDevice) -> str:
    ids = f"{device.vendor_id or 'unknown'}:{device.product_id or 'unknown'}"
    return f"{device.kind} {ids}" if device.kind else ids


def _whether(group: int | None) -> str:
    return "no" if group is None else "yes"


def _or_none(value: object) -> object:
    return "none" if value is None else value
