# SPDX-License-Identifier: Apache-2.0
"""A healthy machine, and others that differ from it in what a test names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from os_capability import CpuSet, Host, collect
from os_capability.model import HugePages, NodeHugePages, PciDevice
from tests.os_capability.conftest import HOSTS

GIB = 1 << 30
MIB = 1 << 20

Variant = Callable[[Host], Host]


def folders() -> list[Path]:
    return sorted(HOSTS.glob("*/root"))


def healthy() -> Host:
    """Give a server of 2 sockets and nodes, 4 cores, 8 CPUs (0-1,4-5 on node 0) and twice 4 GiB."""
    return collect(str(HOSTS / "x86_64-two-sockets" / "root"), "sysfs")


def cpu(**changes: Any) -> Variant:
    return lambda host: replace(host, cpu=replace(host.cpu, **changes))


def memory(**changes: Any) -> Variant:
    return lambda host: replace(host, memory=replace(host.memory, **changes))


def system(**changes: Any) -> Variant:
    return lambda host: replace(host, system=replace(host.system, **changes))


def limits(**changes: Any) -> Variant:
    return lambda host: replace(host, limits=replace(host.limits, **changes))


def facts(**changes: Any) -> Variant:
    return lambda host: replace(host, **changes)


def numa(**changes: Any) -> Variant:
    return lambda host: replace(host, numa=replace(host.numa, **changes))


def node(node_id: int, **changes: Any) -> Variant:
    def change(host: Host) -> Host:
        nodes = tuple(replace(node, **changes) if node.id == node_id else node for node in host.numa.nodes)
        return replace(host, numa=replace(host.numa, nodes=nodes))

    return change


def without_node(node_id: int) -> Variant:
    def change(host: Host) -> Host:
        nodes = tuple(node for node in host.numa.nodes if node.id != node_id)
        return replace(host, numa=replace(host.numa, nodes=nodes))

    return change


def offline(*ids: int) -> Variant:
    """Switch CPUs off as a kernel does: nothing is known of them then."""

    def change(host: Host) -> Host:
        gone = CpuSet(ids)
        processors = tuple(
            replace(p, online=False, core=None, core_id=None, socket=None, die=None, node=None) if p.id in gone else p
            for p in host.cpu.processors
        )
        online = host.cpu.online - gone
        nodes = tuple(replace(node, cpus=node.cpus - gone) for node in host.numa.nodes)
        caches = tuple(replace(cache, shared_cpus=cache.shared_cpus - gone) for cache in host.cpu.caches or ())
        return replace(
            host,
            cpu=replace(
                host.cpu,
                processors=processors,
                online=online,
                offline=host.cpu.offline | gone,
                threads=len(online),
                cores=len({p.core for p in processors if p.core is not None}),
                caches=tuple(cache for cache in caches if cache.shared_cpus),
            ),
            numa=replace(host.numa, nodes=nodes),
        )

    return change


def processors(**of: Callable[[int], Any]) -> Variant:
    """Give fields of every processor anew, each from the CPU's id."""

    def change(host: Host) -> Host:
        changed = tuple(replace(p, **{name: value(p.id) for name, value in of.items()}) for p in host.cpu.processors)
        return replace(host, cpu=replace(host.cpu, processors=changed))

    return change


def together(*variants: Variant) -> Variant:
    def change(host: Host) -> Host:
        for variant in variants:
            host = variant(host)
        return host

    return change


def pool(
    size: int = 2 * MIB, total: int = 0, free: int = 0, reserved: int = 0, surplus: int = 0
) -> tuple[HugePages, ...]:
    return (HugePages(size_bytes=size, total=total, free=free, reserved=reserved, surplus=surplus),)


def node_pool(size: int = 2 * MIB, total: int = 0, free: int = 0, surplus: int = 0) -> tuple[NodeHugePages, ...]:
    return (NodeHugePages(size_bytes=size, total=total, free=free, surplus=surplus),)


def device(address: str = "0000:3b:00.0", **changes: Any) -> PciDevice:
    nic = PciDevice(
        address=address,
        vendor_id="8086",
        product_id="1572",
        class_id="020000",
        kind="network",
        node=0,
        sriov=None,
        physical_function=None,
        sriov_total_vfs=None,
        sriov_num_vfs=None,
        driver="i40e",
        iommu_group=7,
    )
    return replace(nic, **changes)
