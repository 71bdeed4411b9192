# SPDX-License-Identifier: Apache-2.0
"""What a machine can give, as frozen values: the shape of the document ``os-capability/1``.

Field names, nesting and order are the document's. Sizes are bytes, durations seconds, times aware UTC datetimes.
``None`` means that this machine does not have it or does not say; it is never 0, -1 or an empty list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from os_capability import document
from os_capability.cpuset import CpuSet

__all__ = [
    "Cache",
    "Cpu",
    "CpuKind",
    "Host",
    "HostWarning",
    "HugePages",
    "Limits",
    "MachineIdentity",
    "Memory",
    "NodeHugePages",
    "NumaNode",
    "NumaTopology",
    "PciDevice",
    "Processor",
    "Smt",
    "System",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The operating system and where it runs.

    Attributes:
        virtualization: the hypervisor under this system (``kvm``, ``vmware`` ...), ``None`` on bare metal or unknown.
        boot_time: the kernel's own, from ``btime`` of ``/proc/stat``.
        load_average: over 1, 5 and 15 minutes.
        users: people logged in.
        view: ``host``, or ``container`` where the facts are those a container is shown.
        container: what made that container (``docker``, ``podman``, ``lxc`` ...), ``None`` on a host or unnamed.
        view_evidence: what shows that the view is a container's, ``None`` on a host.
    """

    os_type: str | None
    os: str | None
    kernel: str | None
    architecture: str | None
    virtualization: str | None
    boot_time: datetime | None
    uptime_seconds: float | None
    load_average: tuple[float, ...] | None
    users: int | None
    view: str
    container: str | None
    view_evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Smt:
    """Simultaneous multithreading: the kernel's switch (``on``, ``off``, ``forceoff`` ...) and whether it is in use.

    Source: Documentation/ABI/testing/sysfs-devices-system-cpu, ``/sys/devices/system/cpu/smt``.
    """

    control: str | None
    active: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuKind:
    """One kind of core of a hybrid machine.

    Attributes:
        name: ``performance``, ``efficiency`` or ``low-power`` on Intel, the core's own on ARM (``Cortex-X3``), and
            ``capacity-N`` where neither is known.
    """

    name: str
    cpus: CpuSet
    threads_per_core: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """One logical CPU.

    Attributes:
        core: unique on the machine, equal for SMT siblings only; counted from 0 in CPU order. ``None`` when offline.
        core_id, cluster, die, socket, book, drawer: the kernel's own numbers, which may repeat and have holes.
        node: the NUMA node's id; ``None`` for a CPU in no node, or in several.
        kind: the name of its `CpuKind`; ``None`` where all cores are alike.
    """

    id: int
    online: bool
    core: int | None = None
    core_id: int | None = None
    cluster: int | None = None
    die: int | None = None
    socket: int | None = None
    book: int | None = None
    drawer: int | None = None
    node: int | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """One physical cache: ``type`` is ``Data``, ``Instruction`` or ``Unified``."""

    level: int
    type: str
    size_bytes: int | None
    shared_cpus: CpuSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """Every CPU of the machine.

    Attributes:
        flags: each name once, those of the lowest CPU.
        microcode: the revision that runs, as the kernel writes it (``0xb000040``).
        possible, present, online, offline, isolated, nohz_full: six different sets; ``offline`` is present less online.
        sockets, cores, threads: counted over online CPUs, never multiplied.
        kinds: more than one on hybrid machines only; otherwise empty.
        vulnerabilities: the kernel's text by name.
    """

    vendor: str | None
    model: str | None
    family: str | None
    microcode: str | None
    flags: tuple[str, ...] | None
    possible: CpuSet | None
    present: CpuSet
    online: CpuSet
    offline: CpuSet
    isolated: CpuSet | None
    nohz_full: CpuSet | None
    sockets: int | None
    cores: int | None
    threads: int
    smt: Smt
    kinds: tuple[CpuKind, ...]
    processors: tuple[Processor, ...]
    caches: tuple[Cache, ...] | None
    vulnerabilities: Mapping[str, str] | None = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HugePages:
    """The machine-wide pool of one huge page size, in pages; ``reserved`` is inside ``free``, ``surplus`` in ``total``.

    Source: Documentation/admin-guide/mm/hugetlbpage.rst.
    """

    size_bytes: int
    total: int | None
    free: int | None
    reserved: int | None
    surplus: int | None

    @property
    def total_bytes(self) -> int | None:
        """All of the pool, in bytes."""
        return _bytes_of(self.total, self.size_bytes)

    @property
    def idle_bytes(self) -> int | None:
        """Its free pages, in bytes: idle is not used, and no memory that anybody else can have."""
        return _bytes_of(self.free, self.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHugePages:
    """One NUMA node's pool of one huge page size, in pages; the kernel counts reservations machine-wide only."""

    size_bytes: int
    total: int | None
    free: int | None
    surplus: int | None

    @property
    def total_bytes(self) -> int | None:
        """All of the pool, in bytes."""
        return _bytes_of(self.total, self.size_bytes)

    @property
    def idle_bytes(self) -> int | None:
        """Its free pages, in bytes: idle is not used, and no memory that anybody else can have."""
        return _bytes_of(self.free, self.size_bytes)


def _bytes_of(pages: int | None, size_bytes: int) -> int | None:
    return None if pages is None else pages * size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The machine's memory, as ``/proc/meminfo`` gives it, in bytes.

    Attributes:
        available_estimated: True where the kernel gives no ``MemAvailable`` (before 3.14) and we applied its formula.
        hugepages: idle pools are part of ``total_bytes``, never of ``available_bytes``.
    """

    total_bytes: int | None
    free_bytes: int | None
    available_bytes: int | None
    available_estimated: bool
    buffers_bytes: int | None
    cached_bytes: int | None
    slab_reclaimable_bytes: int | None
    shmem_bytes: int | None
    swap_total_bytes: int | None
    swap_free_bytes: int | None
    hugepages: tuple[HugePages, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaNode:
    """One NUMA node under the kernel's own id.

    Attributes:
        cpus: its online CPUs; empty for a node that is only memory.
        memory_kind: ``dram``, ``hbm``, ``cxl``, ``gpu`` or ``unknown``; ``None`` for a node without memory. Only
            ``dram`` is plain RAM.
        memory_kind_evidence: what that was concluded from.
        distances: to every online node by id, in the firmware's units (10 is local); ``None`` without a table.
    """

    id: int
    cpus: CpuSet
    memory_total_bytes: int | None
    memory_free_bytes: int | None
    memory_kind: str | None
    memory_kind_evidence: str | None
    hugepages: tuple[NodeHugePages, ...] | None
    distances: Mapping[int, int] | None = field(hash=False)

    @property
    def is_plain_ram(self) -> bool:
        """Tell whether its memory passes for plain RAM: it is ``dram``, or there is none, or nobody said what it is."""
        return self.memory_kind in (None, "dram")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaTopology:
    """The NUMA nodes by ascending id; ``synthetic`` when the kernel tells of none and node 0 stands for the machine."""

    synthetic: bool
    nodes: tuple[NumaNode, ...]

    def node(self, node_id: int) -> NumaNode:
        """Give the node with the kernel's id `node_id`.

        Raises:
            KeyError: there is no such node; ids may have holes.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What binds the asking process: ``None`` is no limit, or none that we can see.

    Attributes:
        cgroup_version: 1 or 2, that of the controllers which limit CPU and memory.
        cpus: the tightest cpuset up the cgroup tree.
        cpu_quota: the tightest quota, in CPUs (1.5 is one and a half).
        memory_bytes: the tightest memory limit.
        affinity: the CPUs the scheduler may use for the process.
    """

    cgroup_version: int | None = None
    cpus: CpuSet | None = None
    cpu_quota: float | None = None
    memory_bytes: int | None = None
    affinity: CpuSet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """One PCI function.

    Attributes:
        address: ``domain:bus:device.function``, as the kernel writes it.
        vendor_id, product_id: four hexadecimal digits; ``class_id`` six: class, subclass, programming interface.
        kind: ``network``, ``gpu``, ``nvme``, ``storage`` or ``accelerator``, by its class; ``None`` for the rest.
        node: the NUMA node it is attached to, ``None`` where the firmware does not say.
        sriov: ``pf`` for a device that can have virtual functions, ``vf`` for a virtual function.
        physical_function: the address of a VF's parent.
        sriov_total_vfs, sriov_num_vfs: how many virtual functions a PF can have, and has.

    Source: Documentation/ABI/testing/sysfs-bus-pci, Documentation/PCI/sysfs-pci.rst.
    """

    address: str
    vendor_id: str | None
    product_id: str | None
    class_id: str | None
    kind: str | None
    node: int | None
    sriov: str | None
    physical_function: str | None
    sriov_total_vfs: int | None
    sriov_num_vfs: int | None
    driver: str | None
    iommu_group: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWarning:
    """Something about the facts that a reader should know: a stable ``code`` and one line for a person."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineIdentity:
    """Who a machine is: the four facts of `Host` that take no look at its CPUs and memory."""

    hostname: str | None
    machine_id: str | None
    product_uuid: str | None
    boot_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine at one moment: what `collect` returns and what the document holds.

    Attributes:
        machine_id: what the operating system calls this installation, see machine-id(5).
        product_uuid: what the firmware calls this hardware, in lower case; Linux tells only root.
        pci: by ascending address; ``None`` where the machine shows no PCI bus.
    """

    collected_at: datetime
    hostname: str | None
    machine_id: str | None
    product_uuid: str | None
    boot_id: str | None
    system: System
    cpu: Cpu
    memory: Memory
    numa: NumaTopology
    limits: Limits
    pci: tuple[PciDevice, ...] | None
    warnings: tuple[HostWarning, ...]

    def to_dict(self) -> dict[str, object]:
        """Give the document ``os-capability/1``: only dict, list, str, int, float, bool and None."""
        return document.to_document(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Host:
        """Read a document back; keys it does not know are ignored.

        Raises:
            InvalidDocument: the schema is another one, a needed key is absent, or a value is of the wrong type.
        """
        return document.from_document(cls, data)
