# SPDX-License-Identifier: Apache-2.0
"""What changed about the PCI devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from os_capability.insight.changes.change import CHANGED, GAINED, LOST, Change
from os_capability.model import PciDevice
from os_capability.wording import counted, listed

__all__ = ["pci_changes"]

# What changed, in words, and from what to what.
_Moves = tuple[tuple[str, object, object], ...]


def pci_changes(old: Sequence[PciDevice] | None, new: Sequence[PciDevice] | None) -> list[Change]:
    """Tell which devices came, went or are otherwise, those of one model on one node in one line.

    Virtual functions are counted with their physical function.
    """
    if old is None or new is None or old == new:
        return []
    before = {device.address: device for device in old}
    after = {device.address: device for device in new}
    pairs = [(before[address], after[address]) for address in before if address in after]
    return [
        *_one_sided("removed", LOST, ("is gone", "are gone"), before, after),
        *_one_sided("added", GAINED, ("is new", "are new"), after, before),
        *_replaced(pairs),
        *_moved((before, after) for before, after in pairs if _model(before) == _model(after)),
    ]


def _one_sided(
    verb: str, effect: str, says: tuple[str, str], here: Mapping[str, PciDevice], there: Mapping[str, PciDevice]
) -> list[Change]:
    """Tell of the devices that are here and not there."""
    functions: dict[str, list[str]] = {}
    devices: dict[tuple[str, int | None], list[PciDevice]] = {}
    for device in here.values():
        if device.address not in there:
            if device.sriov == "vf" and device.physical_function in here:
                functions.setdefault(str(device.physical_function), []).append(device.address)
            else:
                # Bridges and the like come and go by the dozen, with their socket; nobody places work by them.
                devices.setdefault((_what(device) if device.kind else "", device.node), []).append(device)
    changes = []
    for (_, node), alike in devices.items():
        count = sum(len(functions.pop(device.address, ())) for device in alike)
        with_functions = f", with {counted(count, 'virtual function')}" if count else ""
        message = f"{_names(alike)} {says[len(alike) > 1]}{with_functions}"
        detail = {**_detail(alike), "kind": alike[0].kind, "node": node, "virtual_functions": count}
        changes.append(Change(code=f"pci-{verb}", effect=effect, message=message, detail=detail))
    for parent, addresses in functions.items():
        message = f"{_names([here[parent]])} {effect} {counted(len(addresses), 'virtual function')}"
        functions_detail = {"address": parent, "virtual_functions": addresses}
        changes.append(Change(code=f"pci-functions-{verb}", effect=effect, message=message, detail=functions_detail))
    return changes


def _replaced(pairs: Iterable[tuple[PciDevice, PciDevice]]) -> list[Change]:
    return [
        Change(
            code="pci-replaced",
            effect=CHANGED,
            message=f"PCI {old.address}: {_what(old)} -> {_what(new)}",
            detail={"address": old.address, "old": _what(old), "new": _what(new)},
        )
        for old, new in pairs
        if _model(old) != _model(new)
    ]


def _moved(pairs: Iterable[tuple[PciDevice, PciDevice]]) -> list[Change]:
    """Tell what is otherwise about devices that stayed, those with the same changes in one line."""
    alike: dict[_Moves, list[PciDevice]] = {}
    for old, new in pairs:
        if moves := _moves(old, new):
            alike.setdefault(moves, []).append(new)
    return [
        Change(
            code="pci-changed",
            effect=CHANGED,
            message=f"{_names(devices)}: " + ", ".join(f"{what} {old} -> {new}" for what, old, new in moves),
            detail={**_detail(devices), **{what.lower().replace(" ", "_"): [old, new] for what, old, new in moves}},
        )
        for moves, devices in alike.items()
    ]


def _moves(old: PciDevice, new: PciDevice) -> _Moves:
    # The number of an IOMMU group may be another after a boot; whether there is one tells of the IOMMU.
    facts = (
        ("class", old.class_id, new.class_id),
        ("driver", old.driver, new.driver),
        ("NUMA node", old.node, new.node),
        ("IOMMU group", _whether(old.iommu_group), _whether(new.iommu_group)),
        ("virtual functions at most", old.sriov_total_vfs, new.sriov_total_vfs),
    )
    return tuple((what, _or_none(before), _or_none(after)) for what, before, after in facts if before != after)


def _model(device: PciDevice) -> tuple[str | None, ...]:
    return device.vendor_id, device.product_id


def _names(devices: Sequence[PciDevice]) -> str:
    first, *others = devices
    if not others:
        return f"PCI {first.address} ({_what(first)})"
    models = {_what(device) for device in devices}
    model = f" ({models.pop()})" if len(models) == 1 else ""
    return f"{len(devices)} PCI devices{model} {listed([device.address for device in devices])}"


def _detail(devices: Sequence[PciDevice]) -> dict[str, object]:
    return {"addresses": [device.address for device in devices]}


def _what(device: PciDevice) -> str:
    ids = f"{device.vendor_id or 'unknown'}:{device.product_id or 'unknown'}"
    return f"{device.kind} {ids}" if device.kind else ids


def _whether(group: int | None) -> str:
    return "no" if group is None else "yes"


def _or_none(value: object) -> object:
    return "none" if value is None else value
