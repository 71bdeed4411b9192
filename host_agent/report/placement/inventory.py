# SPDX-License-Identifier: Apache-2.0
"""What the host and each of its NUMA nodes have, by resource class. Pure.

What is given for the nodes is not given for the host once more: over the tree each class sums up to what the host has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from host_agent.capacity import DISK_GB, MEMORY_MB, PCPU, VCPU, Capacity
from host_agent.report.placement.provider import Inventory
from os_capability import CpuSet, Host
from os_capability.model import NumaNode, PciDevice

__all__ = ["HostAmounts", "apportion", "host_amounts", "of_nodes", "of_root"]

_MIB = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAmounts:
    """What a whole host has.

    Attributes:
        inventories: of those classes that are known, also where there is nothing of them.
        cpus: the CPUs that are counted, by class.
        reserved_bytes: what of the memory is reserved on each NUMA node in particular, as huge pages are.
        devices: those that count, by address.
        device_classes: the class of each, by ``vendor:product``.
    """

    inventories: Mapping[str, Inventory]
    cpus: Mapping[str, CpuSet]
    reserved_bytes: Mapping[int, int] = field(default_factory=dict)
    devices: Sequence[PciDevice] = ()
    device_classes: Mapping[str, str] = field(default_factory=dict)


def host_amounts(host: Host, capacity: Capacity, pci_classes: Mapping[str, str]) -> HostAmounts:
    """Give what a host has.

    Args:
        host: the facts.
        capacity: what of it workloads may use.
        pci_classes: the class of each kind of PCI device that counts, by ``vendor:product`` in hexadecimal digits.
    """
    known = [VCPU, PCPU]
    known += [] if capacity.memory_bytes is None else [MEMORY_MB]
    known += [] if capacity.disk is None else [DISK_GB]
    offered = {item.resource_class: item for item in capacity.inventories()}
    inventories = {name: Inventory.of(0) for name in known}
    inventories |= {name: Inventory.of(item.total, item.reserved, item.ratio) for name, item in offered.items()}
    return HostAmounts(
        inventories=inventories,
        cpus={VCPU: capacity.shared_cpus, PCPU: capacity.dedicated_cpus},
        reserved_bytes={
            cell.id: sum(pool.reserved * pool.size_bytes for pool in cell.hugepages or ())
            for cell in capacity.numa.cells
        },
        devices=host.pci or (),
        device_classes=pci_classes,
    )


def of_nodes(nodes: Sequence[NumaNode], amounts: HostAmounts) -> Mapping[int, Mapping[str, Inventory]]:
    """Give what each node has, by its id; classes that a node has nothing of are left out."""
    totals = {name: [len(node.cpus & cpus) for node in nodes] for name, cpus in amounts.cpus.items()}
    totals[MEMORY_MB] = _memory_mib(nodes)
    shares: dict[int, dict[str, Inventory]] = {node.id: {} for node in nodes}
    for name, of_each in totals.items():
        whole = amounts.inventories.get(name)
        if whole is None:
            continue
        reserved = _reserved(name, whole, of_each, nodes, amounts)
        for node, total, held in zip(nodes, of_each, reserved, strict=True):
            if total > 0:
                shares[node.id][name] = Inventory.of(total, held, whole.allocation_ratio)
    for (node_id, name), count in _counted_devices(amounts).items():
        if node_id in shares:
            shares[node_id][name] = Inventory.of(count)
    return shares


def of_root(
    shares: Mapping[int, Mapping[str, Inventory]], nodes: Sequence[NumaNode], amounts: HostAmounts
) -> Mapping[str, Inventory]:
    """Give what the nodes do not have: disks, CPUs and devices of no node, memory where nodes do not tell theirs."""
    rest = {name: whole for name, whole in amounts.inventories.items() if name == DISK_GB or not nodes}
    if nodes:
        rest |= {name: _outside(nodes, name, amounts) for name in amounts.cpus if name in amounts.inventories}
        if MEMORY_MB in amounts.inventories and not any(MEMORY_MB in share for share in shares.values()):
            rest[MEMORY_MB] = amounts.inventories[MEMORY_MB]
    devices: Counter[str] = Counter()
    for (node_id, name), count in _counted_devices(amounts).items():
        if node_id not in shares:
            devices[name] += count
    rest |= {name: Inventory.of(count) for name, count in devices.items()}
    return {name: inventory for name, inventory in rest.items() if inventory.total > 0}


def apportion(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights into whole numbers that sum up to it; all 0 where there is no weight."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    bounds = [0]
    for weight in weights:
        bounds.append(bounds[-1] + weight)
    return [amount * end // whole - amount * start // whole for start, end in pairwise(bounds)]


def _memory_mib(nodes: Sequence[NumaNode]) -> list[int]:
    """Give the plain RAM of each node; all 0 where one does not tell, so that no part is missing of a sum."""
    plain = [node if node.is_plain_ram else None for node in nodes]
    if any(node is not None and node.memory_total_bytes is None for node in plain):
        return [0] * len(nodes)
    return [(node.memory_total_bytes or 0) // _MIB if node is not None else 0 for node in plain]


def _reserved(
    name: str, whole: Inventory, totals: Sequence[int], nodes: Sequence[NumaNode], amounts: HostAmounts
) -> list[int]:
    """Give what is reserved on each node: its own huge pages, and by size its share of what is reserved of the host."""
    own = [0] * len(nodes)
    if name == MEMORY_MB:
        own = [amounts.reserved_bytes.get(node.id, 0) // _MIB for node in nodes]
    shared = apportion(max(0, whole.reserved - sum(own)), totals)
    return [mine + share for mine, share in zip(own, shared, strict=True)]


def _outside(nodes: Sequence[NumaNode], name: str, amounts: HostAmounts) -> Inventory:
    """Give the CPUs of a class that lie in no node."""
    whole = amounts.inventories[name]
    inside = sum(len(node.cpus & amounts.cpus[name]) for node in nodes)
    outside = len(amounts.cpus[name]) - inside
    reserved = 0 if inside else whole.reserved
    return Inventory.of(outside, reserved, whole.allocation_ratio)


def _counted_devices(amounts: HostAmounts) -> Counter[tuple[int | None, str]]:
    """Count the devices of each class on each node."""
    counts: Counter[tuple[int | None, str]] = Counter()
    for device in amounts.devices:
        name = amounts.device_classes.get(f"{device.vendor_id}:{device.product_id}".lower())
        if name is not None:
            counts[device.node, name] += 1
    return counts
