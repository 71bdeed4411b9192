# SPDX-License-Identifier: Apache-2.0
"""Devices: PCI functions, and memory that is no plain RAM because it hangs on a device or sits in a package."""

from __future__ import annotations

from dataclasses import replace

from tests.machines.description import (
    GIB,
    Machine,
    Memory,
    Node,
    PciFunction,
    Pool,
    even_nodes,
    grid,
    standard_caches,
)

SMALL = (Pool(size_kb=2048),)
NODE = "sys/devices/system/node"
NO_EVIDENCE = "it has no CPUs, and nothing says what it is"


def pci_functions() -> Machine:
    cpus = grid(packages=2, cores=2)
    adapter = PciFunction(
        address="0000:3b:00.0", vendor="8086", product="159b", class_code="020000", kind="network", node=0
    )
    adapter = replace(adapter, driver="ice", iommu_group=12, total_vfs=8, num_vfs=2)
    virtual = replace(adapter, product="1889", physical_function=adapter.address, total_vfs=None, num_vfs=None)
    return Machine(
        name="x86_64-pci",
        why="A network adapter with two of its eight virtual functions, GPUs, an NVMe disk in a 32-bit PCI domain.\n"
        "numa_node is -1 where the firmware is silent; domain 10000 comes after 0000:ff though its text sorts before.",
        microcode="0x2b000590",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(2),
        memory=Memory(available_kb=6_200_000),
        smt_control="notsupported",
        pci=(
            PciFunction(address="0000:00:00.0", vendor="8086", product="09a2", class_code="088000", iommu_group=0),
            PciFunction(
                address="0000:00:17.0",
                vendor="8086",
                product="a182",
                class_code="010601",
                kind="storage",
                driver="ahci",
                iommu_group=3,
            ),
            adapter,
            replace(virtual, address="0000:3b:01.0", driver="iavf", iommu_group=40),
            replace(virtual, address="0000:3b:01.1", driver="vfio-pci", iommu_group=41),
            PciFunction(
                address="0000:5e:00.0",
                vendor="10de",
                product="20b5",
                class_code="030200",
                kind="gpu",
                node=0,
                driver="nvidia",
                iommu_group=20,
                total_vfs=16,
                num_vfs=0,
            ),
            PciFunction(address="0000:af:00.0", vendor="1da3", product="1020", class_code="120000", kind="accelerator"),
            PciFunction(address="0000:ff:00.0", vendor="1a03", product="2000", class_code="030000", kind="gpu", node=1),
            PciFunction(
                address="10000:01:00.0",
                vendor="144d",
                product="a80a",
                class_code="010802",
                kind="nvme",
                node=1,
                driver="nvme",
            ),
        ),
    )


def gpu_memory() -> Machine:
    cpus = tuple(replace(cpu, part="0xd4f", die=None) for cpu in grid(cores=4))
    nodes = (
        Node(id=0, total_kb=8 * GIB, free_kb=6 * GIB, pools=SMALL, distances=(10, 80, 80)),
        Node(
            id=1,
            total_kb=12 * GIB,
            free_kb=12 * GIB - 8192,
            pools=SMALL,
            distances=(80, 10, 255),
            memory_kind="gpu",
            memory_kind_evidence="node of NVIDIA GPU 0009:01:00.0",
        ),
        Node(id=2, total_kb=0, free_kb=0, pools=SMALL, distances=(80, 255, 10)),
    )
    return Machine(
        name="aarch64-gpu-memory",
        why="The GPU's own memory is NUMA node 1: it counts in MemTotal, and is nothing to run containers in.\n"
        "Node 2 is kept for a part of the GPU, has neither CPUs nor memory, and so no kind of memory either.",
        architecture="aarch64",
        vendor="ARM",
        family="8",
        model="Neoverse-V2",
        flags=("fp", "asimd", "sve2", "cpuid"),
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=5_000_000),
        smt_control="notsupported",
        pci=(
            PciFunction(
                address="0009:01:00.0",
                vendor="10de",
                product="2342",
                class_code="030200",
                kind="gpu",
                node=0,
                driver="nvidia",
            ),
        ),
        extra={"proc/driver/nvidia/gpus/0009:01:00.0/numa_status": "Node:     1\nDevice Status:     online\n"},
    )


def dax_device(name: str, folder: str, *, target_node: int, size_kb: int) -> tuple[dict[str, str], dict[str, str]]:
    """Give the files and the links of a DAX device that the kernel uses as memory."""
    device = f"sys/devices/{folder}/{name}"
    texts = {f"{device}/target_node": f"{target_node}\n", f"{device}/size": f"{size_kb * 1024}\n"}
    return texts, {f"sys/bus/dax/devices/{name}": device, f"{device}/driver": "sys/bus/dax/drivers/kmem"}


def cxl_memory() -> Machine:
    cpus = grid(packages=2, cores=2)
    files, links = dax_device(
        "dax0.0", "platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0", target_node=2, size_kb=8 * GIB
    )
    region = "sys/devices/platform/ACPI0017:00/root0/decoder0.1/region1"
    nodes = (
        Node(id=0, total_kb=4 * GIB, free_kb=3 * GIB, pools=SMALL, distances=(10, 21, 14, 24)),
        Node(id=1, total_kb=4 * GIB, free_kb=2 * GIB, pools=SMALL, distances=(21, 10, 24, 14)),
        Node(
            id=2,
            total_kb=8 * GIB - 4096,
            free_kb=8 * GIB - 8192,
            pools=SMALL,
            distances=(14, 24, 10, 30),
            memory_kind="cxl",
            memory_kind_evidence="CXL memory dax0.0",
        ),
        Node(
            id=3,
            total_kb=2 * GIB,
            free_kb=2 * GIB - 4096,
            pools=SMALL,
            distances=(24, 14, 30, 10),
            memory_kind="cxl",
            memory_kind_evidence="CXL region region1",
        ),
    )
    return Machine(
        name="x86_64-cxl-memory",
        why="Two memory expanders: the kernel took the one of node 2 in as a DAX device, the firmware that of node 3.\n"
        "Only the addresses of region1 tell that node 3 is CXL memory too. Neither is plain RAM.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=14 * GIB),
        smt_control="notsupported",
        extra={
            **files,
            "sys/devices/system/memory/block_size_bytes": "80000000\n",
            f"{region}/resource": "0x1080000000\n",
            f"{NODE}/has_normal_memory": "0-1\n",
        },
        links={
            **links,
            "sys/bus/cxl/devices/region1": region,
            f"{NODE}/node3/memory33": "sys/devices/system/memory/memory33",
        },
    )


def fast_memory() -> Machine:
    cpus = grid(cores=4)
    files, links = dax_device("dax0.0", "platform/hmem.0", target_node=1, size_kb=2 * GIB)
    more_files, more_links = dax_device(
        "dax1.0", "LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0/dax1.0", target_node=2, size_kb=8 * GIB
    )
    bandwidths = {0: 100_000, 1: 350_000, 2: 30_000, 3: 220_000, 4: 60_000}
    nodes = (
        Node(id=0, total_kb=4 * GIB, free_kb=3 * GIB, pools=SMALL),
        Node(
            id=1,
            total_kb=2 * GIB,
            free_kb=2 * GIB - 4096,
            pools=SMALL,
            memory_kind="hbm",
            memory_kind_evidence="specific-purpose memory dax0.0, read 3 times as fast as nodes with CPUs",
        ),
        Node(
            id=2,
            total_kb=8 * GIB,
            free_kb=8 * GIB - 4096,
            pools=SMALL,
            memory_kind="unknown",
            memory_kind_evidence="persistent memory dax1.0",
        ),
        Node(
            id=3,
            total_kb=2 * GIB,
            free_kb=2 * GIB - 4096,
            pools=SMALL,
            memory_kind="hbm",
            memory_kind_evidence="it has no CPUs, and is read 2 times as fast as nodes with CPUs",
        ),
        Node(
            id=4,
            total_kb=4 * GIB,
            free_kb=4 * GIB - 4096,
            pools=SMALL,
            memory_kind="unknown",
            memory_kind_evidence=NO_EVIDENCE,
        ),
    )
    return Machine(
        name="x86_64-fast-memory",
        why="HBM of two kinds of firmware (nodes 1 and 3), persistent memory (node 2), and a node of slower memory.\n"
        "Slower is not yet CXL: it may be RAM that is far away. access0 of node 4 is a device's, not a CPU's.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=15 * GIB),
        smt_control="notsupported",
        extra={
            **files,
            **more_files,
            **{
                f"{NODE}/node{node}/access1/initiators/read_bandwidth": f"{megabytes}\n"
                for node, megabytes in bandwidths.items()
            },
            f"{NODE}/node4/access0/initiators/read_bandwidth": "900000\n",
        },
        links={**links, **more_links},
    )


def xeon_phi() -> Machine:
    cpus = grid(cores=4, threads=4)
    nodes = (
        Node(id=0, total_kb=8 * GIB, free_kb=6 * GIB, pools=SMALL, distances=(10, 31)),
        Node(
            id=1,
            total_kb=4 * GIB,
            free_kb=4 * GIB - 4096,
            pools=SMALL,
            distances=(31, 10),
            memory_kind="hbm",
            memory_kind_evidence="it has no CPUs, on a Xeon Phi",
        ),
    )
    return Machine(
        name="x86_64-xeon-phi",
        why="The memory in the package (MCDRAM) is node 1, without CPUs; only the CPU's model tells what it is.\n"
        "Its distance of 31 makes it look far: the firmware's way to keep it from being filled first.",
        kernel="4.4.0-example",
        model="Example Xeon Phi CPU 7250 @ 1.40GHz",
        model_number=87,
        microcode="0x1b6",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=9 * GIB),
        smt_control=None,
    )


SHAPES = (
    pci_functions(),
    gpu_memory(),
    cxl_memory(),
    fast_memory(),
    xeon_phi(),
)
