# SPDX-License-Identifier: Apache-2.0
"""What a machine is, in the words of a person: the source of both its files and its expected document.

Nothing here imports os_capability: a fact that our reader gets wrong must not be wrong here in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

GIB = 1024 * 1024  # in kB
X86_FLAGS = ("fpu", "vme", "pse", "tsc", "msr", "pae", "cx8", "apic", "sep", "mtrr", "sse", "sse2", "ht", "lm", "avx2")

CGROUP2_MOUNT = "31 22 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
CGROUP2_UNLIMITED = {
    "proc/self/cgroup": "0::/user.slice/session-1.scope\n",
    "proc/self/mountinfo": "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n" + CGROUP2_MOUNT,
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "sys/fs/cgroup/user.slice/session-1.scope/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/session-1.scope/cpu.max": "max 100000\n",
}


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """One logical CPU.

    Attributes:
        core, package: which physical ones it belongs to, unique on the machine; package is None where nobody knows.
        core_id, package_id, die, cluster, book, drawer: the numbers that the kernel prints; None prints no file.
        node: the NUMA node; None for a CPU in no node.
        kind: the name of its kind on a hybrid machine, and `capacity` what ``cpu_capacity`` holds.
        part: the ARM part number.
    """

    id: int
    core: int
    package: int | None = 0
    core_id: int
    package_id: int = 0
    die: int | None = None
    cluster: int | None = None
    book: int | None = None
    drawer: int | None = None
    node: int | None = 0
    online: bool = True
    kind: str | None = None
    capacity: int | None = None
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cache:
    """One physical cache."""

    level: int
    type: str
    size_kb: int
    cpus: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The huge pages of one size on one node, in pages."""

    size_kb: int
    total: int = 0
    free: int = 0
    surplus: int = 0


@dataclass(frozen=True, kw_only=True)
class Node:
    """One NUMA node; which CPUs it has, the CPUs say. Its memory, if any, is of `memory_kind`."""

    id: int
    total_kb: int
    free_kb: int
    pools: tuple[Pool, ...] = ()
    distances: tuple[int, ...] | None = None
    memory_kind: str = "dram"
    memory_kind_evidence: str = "it has CPUs"


@dataclass(frozen=True, kw_only=True)
class PciFunction:
    """One PCI function; vendor, product and class in hexadecimal digits, as the kernel writes them in `vendor`."""

    address: str
    vendor: str
    product: str
    class_code: str
    kind: str | None = None
    node: int | None = None
    driver: str | None = None
    iommu_group: int | None = None
    total_vfs: int | None = None
    num_vfs: int | None = None
    physical_function: str | None = None


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What ``/proc/meminfo`` says beyond the sum of the nodes, in kB.

    No `available_kb` before Linux 3.14; 0 is a bug of the kernel, and stands for what nobody knows.
    """

    available_kb: int | None
    buffers_kb: int = 52_000
    cached_kb: int = 410_000
    active_file_kb: int = 200_000
    inactive_file_kb: int = 180_000
    slab_reclaimable_kb: int = 61_000
    shmem_kb: int = 9_000
    swap_total_kb: int = 0
    swap_free_kb: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What binds the process, and the cgroup files that say so (below the mount points of mountinfo)."""

    version: int | None = 2
    cpus: str | None = None
    cpu_quota: float | None = None
    memory_bytes: int | None = None
    affinity: str | None = None
    files: Mapping[str, str] = field(default_factory=lambda: CGROUP2_UNLIMITED)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine at one moment.

    Attributes:
        name, why: the folder's name, and what a reader gets wrong on it.
        memory: None where ``/proc/meminfo`` is not there.
        nodes: always at least one; with `numa` False the kernel shows no node folders and the first one is all memory.
        old_kernel: a 2.6.18: no ``cpu/online`` and its like, no lists beside the masks, no pools' folders.
        reserved: huge pages promised to somebody, by size in kB.
        possible: the CPU list of ``cpu/possible``; the present CPUs where it is None.
        container: what made the container whose view this is, and `view_evidence` what shows it; None on a host.
        microcode: what x86's cpuinfo says; `model_number` is the one beside the family.
        pci: None where there is no PCI bus.
        extra: files beyond the usual ones, by path; `absent`: paths (and what lies below them) that are not there.
        links: symbolic links beyond those of `pci`, by path: where each leads, a path from the root too.
        warnings: the codes our document must carry.
    """

    name: str
    why: str
    architecture: str = "x86_64"
    kernel: str = "6.1.0-example"
    vendor: str | None = "GenuineIntel"
    family: str | None = "6"
    model: str | None = "Example CPU 2000 @ 2.00GHz"
    model_number: int = 106
    microcode: str | None = None
    flags: tuple[str, ...] = X86_FLAGS
    virtualization: str | None = None
    product_uuid: str | None = None
    container: str | None = None
    view_evidence: str | None = None
    cpus: tuple[Cpu, ...]
    caches: tuple[Cache, ...] = ()
    nodes: tuple[Node, ...]
    numa: bool = True
    old_kernel: bool = False
    memory: Memory | None
    reserved: Mapping[int, int] = field(default_factory=dict)
    possible: str | None = None
    isolated: str = ""
    nohz_full: str | None = ""
    nohz_full_text: str | None = None
    smt_control: str | None = "on"
    vulnerabilities: Mapping[str, str] | None = field(default_factory=lambda: {"meltdown": "Not affected"})
    limits: Limits = field(default_factory=Limits)
    pci: tuple[PciFunction, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def online(self) -> tuple[Cpu, ...]:
        return tuple(cpu for cpu in self.cpus if cpu.online)


def grid(
    *,
    packages: int = 1,
    cores: int,
    threads: int = 1,
    nodes_per_package: int = 1,
    first_package_id: int = 0,
    package_id_step: int = 1,
) -> tuple[Cpu, ...]:
    """Give the CPUs of a regular machine, numbered as on x86: first one thread of every core, then the others.

    Args:
        packages: how many.
        cores: of each package, dealt out evenly to its nodes.
        threads: of each core.
        nodes_per_package: nodes are numbered along the packages.
        first_package_id: what the kernel calls the first package.
        package_id_step: from one package to the next.
    """
    return tuple(
        Cpu(
            id=thread * packages * cores + package * cores + core,
            core=package * cores + core,
            package=package,
            core_id=core,
            package_id=first_package_id + package * package_id_step,
            die=0,
            node=package * nodes_per_package + core * nodes_per_package // cores,
        )
        for thread in range(threads)
        for package in range(packages)
        for core in range(cores)
    )


def with_nodes(cpus: Iterable[Cpu], ids: Mapping[int | None, int]) -> tuple[Cpu, ...]:
    """Give the CPUs with their nodes renamed."""
    return tuple(replace(cpu, node=ids[cpu.node]) if cpu.node in ids else cpu for cpu in cpus)


def with_offline(cpus: Iterable[Cpu], ids: Iterable[int]) -> tuple[Cpu, ...]:
    """Give the CPUs with some of them switched off."""
    off = frozenset(ids)
    return tuple(replace(cpu, online=cpu.id not in off) for cpu in cpus)


def standard_caches(cpus: Iterable[Cpu], *, first_level: bool = False) -> tuple[Cache, ...]:
    """Give a unified L2 per core and an L3 per package and node, and with `first_level` both L1s of each core."""
    cores: dict[int, list[int]] = {}
    clusters: dict[tuple[int | None, int | None], list[int]] = {}
    for cpu in cpus:
        if cpu.online:
            cores.setdefault(cpu.core, []).append(cpu.id)
            clusters.setdefault((cpu.package, cpu.node), []).append(cpu.id)
    kinds = [(1, "Data", 48), (1, "Instruction", 32)] if first_level else []
    kinds.append((2, "Unified", 1280))
    caches = [
        Cache(level=level, type=kind, size_kb=size, cpus=tuple(sorted(members)))
        for level, kind, size in kinds
        for members in cores.values()
    ]
    last = [Cache(level=3, type="Unified", size_kb=24_576, cpus=tuple(sorted(m))) for m in clusters.values()]
    return tuple(caches + last)


def even_nodes(count: int, *, total_kb: int = 4 * GIB, near: int = 10, far: int = 21) -> tuple[Node, ...]:
    """Give `count` alike nodes, each as far from every other."""
    return tuple(
        Node(
            id=number,
            total_kb=total_kb - number * 1000,
            free_kb=total_kb // 2 + number * 300,
            pools=(Pool(size_kb=2048),),
            distances=tuple(near if column == number else far for column in range(count)),
        )
        for number in range(count)
    )
