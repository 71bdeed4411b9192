# SPDX-License-Identifier: Apache-2.0
"""The document of a described machine, worked out from the description alone: never by asking our reader."""

from __future__ import annotations

from tests.machines.description import Cpu, Machine, Memory, Node, PciFunction
from tests.machines.tree import cpu_list, machine_pools

KIB = 1024
MIN_FREE_KB = 8000  # what every tree's vm.min_free_kbytes says

MEMORY_SIZES = (
    *("total_bytes", "free_bytes", "available_bytes", "buffers_bytes", "cached_bytes"),
    *("slab_reclaimable_bytes", "shmem_bytes", "swap_total_bytes", "swap_free_bytes"),
)

Document = dict[str, object]


def document(machine: Machine) -> Document:
    """Give all that `os-capability show -f json` must say, but for `collected_at`; of warnings only the codes."""
    return {
        "schema": "os-capability/1",
        "hostname": machine.name.replace("_", "-"),
        "machine_id": "0123456789abcdef0123456789abcdef",
        "product_uuid": machine.product_uuid,
        "boot_id": "00000000-1111-4222-8333-444444444444",
        "system": _system(machine),
        "cpu": _cpu(machine),
        "memory": _memory(machine),
        "numa": {"synthetic": not machine.numa, "nodes": _nodes(machine)},
        "limits": _limits(machine),
        "pci": None if machine.pci is None else [_pci_device(function) for function in machine.pci],
        "warnings": [{"code": code} for code in machine.warnings],
    }


def _system(machine: Machine) -> Document:
    return {
        "os_type": "linux",
        "os": "Example Linux 1",
        "kernel": machine.kernel,
        "architecture": None if "proc/sys/kernel/arch" in machine.absent else machine.architecture,
        "virtualization": machine.virtualization,
        "boot_time": "2023-11-14T22:13:20Z",
        "uptime_seconds": 86400.25,
        "load_average": [0.42, 0.36, 0.3],
        "users": None,
        "view": "host" if machine.view_evidence is None else "container",
        "container": machine.container,
        "view_evidence": machine.view_evidence,
    }


def _cpu(machine: Machine) -> Document:
    present, online = {cpu.id for cpu in machine.cpus}, {cpu.id for cpu in machine.online}
    sets: Document = {
        "possible": None if machine.old_kernel else (machine.possible or cpu_list(present)),
        "present": cpu_list(present),
        "online": cpu_list(online),
        "offline": cpu_list(present - online),
        "isolated": None if machine.old_kernel else machine.isolated,
        "nohz_full": None if machine.old_kernel else machine.nohz_full,
    }
    packages = {cpu.package for cpu in machine.online}
    counts: Document = {
        "sockets": None if None in packages else len(packages),
        "cores": len({cpu.core for cpu in machine.online}),
        "threads": len(machine.online),
    }
    smt = (
        None
        if machine.smt_control is None or machine.old_kernel
        else len(online) > len({c.core for c in machine.online})
    )
    return {
        "vendor": machine.vendor,
        "model": machine.model,
        "family": machine.family,
        "microcode": machine.microcode,
        "flags": list(machine.flags) or None,
        **sets,
        **counts,
        "smt": {"control": None if machine.old_kernel else machine.smt_control, "active": smt},
        "kinds": _kinds(machine),
        "processors": _processors(machine),
        "caches": None
        if not machine.caches
        else [
            {"level": c.level, "type": c.type, "size_bytes": c.size_kb * KIB, "shared_cpus": cpu_list(c.cpus)}
            for c in machine.caches
        ],
        "vulnerabilities": None if machine.old_kernel else machine.vulnerabilities,
    }


def _kinds(machine: Machine) -> list[Document]:
    """Name the kinds, the strongest first: their order in the description is that of their strength."""
    kinds: dict[str, list[Cpu]] = {}
    for cpu in machine.online:
        if cpu.kind is not None:
            kinds.setdefault(cpu.kind, []).append(cpu)
    return [
        {
            "name": name,
            "cpus": cpu_list(cpu.id for cpu in cpus),
            "threads_per_core": len(cpus) // len({cpu.core for cpu in cpus}),
        }
        for name, cpus in sorted(kinds.items(), key=lambda item: _strength(item[0]), reverse=True)
    ]


def _strength(kind: str) -> int:
    order = ("Cortex-A53", "efficiency", "Cortex-A73", "performance")
    return order.index(kind) if kind in order else int(kind.removeprefix("capacity-"))


def _processors(machine: Machine) -> list[Document]:
    order: dict[int, int] = {}
    processors: list[Document] = []
    for cpu in sorted(machine.cpus, key=lambda cpu: cpu.id):
        if cpu.online:
            order.setdefault(cpu.core, len(order))
            processors.append(_processor(cpu, order[cpu.core], machine))
        else:
            names = ("core", "core_id", "cluster", "die", "socket", "book", "drawer", "node", "kind")
            processors.append({"id": cpu.id, "online": False, **dict.fromkeys(names)})
    return processors


def _processor(cpu: Cpu, core: int, machine: Machine) -> Document:
    numbers = {
        "core_id": cpu.core_id,
        "cluster": cpu.cluster,
        "die": None if machine.old_kernel else cpu.die,
        "socket": cpu.package_id,
        "book": cpu.book,
        "drawer": cpu.drawer,
    }
    # The kernel's -1 says that it does not know.
    known = {name: None if number == -1 else number for name, number in numbers.items()}
    return {
        "id": cpu.id,
        "online": True,
        "core": core,
        **known,
        "node": cpu.node if machine.numa else 0,
        "kind": cpu.kind,
    }


def _memory(machine: Machine) -> Document:
    pools = [
        {"size_bytes": size * KIB, "total": total, "free": unused, "reserved": reserved, "surplus": surplus}
        for size, (total, unused, reserved, surplus) in sorted(machine_pools(machine).items())
    ]
    if machine.memory is None:
        return {**dict.fromkeys(MEMORY_SIZES), "available_estimated": False, "hugepages": pools}
    memory, free = machine.memory, sum(node.free_kb for node in machine.nodes)
    estimated = memory.available_kb is None
    available = _estimated_available_kb(memory, free) if memory.available_kb is None else memory.available_kb
    return {
        "total_bytes": sum(node.total_kb for node in machine.nodes) * KIB,
        "free_bytes": free * KIB,
        "available_bytes": available * KIB or None,
        "available_estimated": estimated,
        "buffers_bytes": memory.buffers_kb * KIB,
        "cached_bytes": memory.cached_kb * KIB,
        "slab_reclaimable_bytes": memory.slab_reclaimable_kb * KIB,
        "shmem_bytes": memory.shmem_kb * KIB,
        "swap_total_bytes": memory.swap_total_kb * KIB,
        "swap_free_bytes": memory.swap_free_kb * KIB,
        "hugepages": pools,
    }


def _estimated_available_kb(memory: Memory, free_kb: int) -> int:
    """Apply si_mem_available() of mm/page_alloc.c; the low watermark was 5/4 of vm.min_free_kbytes in those days."""
    low = MIN_FREE_KB * 5 // 4
    cache = memory.active_file_kb + memory.inactive_file_kb
    slab = memory.slab_reclaimable_kb
    return free_kb - low + cache - min(cache // 2, low) + slab - min(slab // 2, low)


def _nodes(machine: Machine) -> list[Document]:
    ids = [node.id for node in machine.nodes]
    return [_node(machine, node, ids) for node in machine.nodes]


def _node(machine: Machine, node: Node, ids: list[int]) -> Document:
    cpus = [cpu.id for cpu in machine.online if cpu.node == node.id or not machine.numa]
    # An old kernel's "0" is no table.
    table = node.distances if machine.numa and node.distances != (0,) else None
    evidence = node.memory_kind_evidence if machine.numa else "the kernel tells of no nodes"
    return {
        "id": node.id,
        "cpus": cpu_list(cpus),
        "memory_total_bytes": node.total_kb * KIB,
        "memory_free_bytes": node.free_kb * KIB,
        "memory_kind": node.memory_kind if node.total_kb else None,
        "memory_kind_evidence": evidence if node.total_kb else None,
        "hugepages": [
            {"size_bytes": pool.size_kb * KIB, "total": pool.total, "free": pool.free, "surplus": pool.surplus}
            for pool in sorted(node.pools, key=lambda pool: pool.size_kb)
        ],
        "distances": table and {str(column): distance for column, distance in zip(ids, table, strict=True)},
    }


def _limits(machine: Machine) -> Document:
    limits = machine.limits
    return {
        "cgroup_version": limits.version,
        "cpus": limits.cpus,
        "cpu_quota": limits.cpu_quota,
        "memory_bytes": limits.memory_bytes,
        "affinity": cpu_list(cpu.id for cpu in machine.online) if limits.affinity is None else limits.affinity,
    }


def _pci_device(function: PciFunction) -> Document:
    virtual = function.physical_function is not None
    return {
        "address": function.address,
        "vendor_id": function.vendor,
        "product_id": function.product,
        "class_id": function.class_code,
        "kind": function.kind,
        "node": function.node,
        "sriov": "vf" if virtual else None if function.total_vfs is None else "pf",
        "physical_function": function.physical_function,
        "sriov_total_vfs": function.total_vfs,
        "sriov_num_vfs": function.num_vfs,
        "driver": function.driver,
        "iommu_group": function.iommu_group,
    }
