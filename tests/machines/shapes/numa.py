# SPDX-License-Identifier: Apache-2.0
"""NUMA nodes: more of them than sockets, fewer, with holes, without CPUs, without memory, none at all."""

from __future__ import annotations

from dataclasses import replace

from tests.machines.description import (
    GIB,
    X86_FLAGS,
    Cache,
    Machine,
    Memory,
    Node,
    Pool,
    even_nodes,
    grid,
    standard_caches,
    with_nodes,
)

SMALL = (Pool(size_kb=2048),)


def two_sockets() -> Machine:
    cpus = grid(packages=2, cores=2, threads=2, package_id_step=3)
    return Machine(
        name="x86_64-two-sockets",
        why="Two sockets, called 0 and 3, whose cores carry the same core ids.\n"
        "Counting core ids gives 2 cores instead of 4; counting up to the highest socket gives 4 sockets.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(2),
        memory=Memory(available_kb=6_200_000),
    )


def four_nodes_per_socket() -> Machine:
    cpus = grid(packages=2, cores=4, threads=2, nodes_per_package=4)
    nodes = tuple(
        replace(
            node,
            distances=tuple(
                10 if column == node.id else 12 if column // 4 == node.id // 4 else 32 for column in range(8)
            ),
        )
        for node in even_nodes(8, total_kb=GIB)
    )
    return Machine(
        name="x86_64-four-nodes-per-socket",
        why="Two sockets of four NUMA nodes each, as server firmware offers it (NPS4).\n"
        "A reader that takes sockets for nodes puts the memory of nodes 0 and 1 on them and loses the rest.",
        vendor="AuthenticAMD",
        family="25",
        model="Example EPIC 16-Thread Processor",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=6_000_000),
    )


def one_node_guest() -> Machine:
    cpus = with_nodes(grid(packages=4, cores=1), {1: 0, 2: 0, 3: 0})
    return Machine(
        name="x86_64-one-node-guest",
        why="A QEMU guest: each virtual CPU is a socket of its own, and all of them share one NUMA node.\n"
        "Four sockets and one node, so the one is not the other. More CPUs are possible than are present.",
        model="QEMU Virtual CPU version 2.5+",
        flags=(*X86_FLAGS, "hypervisor"),
        virtualization="kvm",
        product_uuid="3d3e5c9a-11aa-4b1c-9f00-2b7f6d2f9a10",
        cpus=cpus,
        caches=tuple(Cache(level=2, type="Unified", size_kb=4096, cpus=(cpu.id,)) for cpu in cpus),
        nodes=even_nodes(1),
        possible="0-15",
        memory=Memory(available_kb=3_000_000),
        smt_control="notsupported",
        extra={
            "sys/class/dmi/id/sys_vendor": "QEMU\n",
            "sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009)\n",
            "sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc acpi_pm \n",
        },
    )


def sparse_node_ids() -> Machine:
    cpus = with_nodes(grid(packages=3, cores=2), {1: 2, 2: 3})
    nodes = (
        Node(id=0, total_kb=4 * GIB, free_kb=2 * GIB, pools=SMALL, distances=(10, 20, 30)),
        Node(id=2, total_kb=3 * GIB, free_kb=GIB, pools=SMALL, distances=(20, 10, 25)),
        Node(id=3, total_kb=2 * GIB, free_kb=GIB // 2, pools=SMALL, distances=(30, 25, 10)),
    )
    return Machine(
        name="x86_64-sparse-node-ids",
        why="The nodes are 0, 2 and 3. The columns of a distance row follow the online nodes: the second is node 2.\n"
        "Reading columns as ids invents a node 1, and counting ids up from 0 misses node 3.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=5_000_000),
        smt_control="notsupported",
    )


def memoryless_node() -> Machine:
    cpus = grid(packages=2, cores=2)
    nodes = (
        Node(id=0, total_kb=4 * GIB, free_kb=3 * GIB, pools=SMALL, distances=(10, 21)),
        Node(id=1, total_kb=0, free_kb=0, pools=SMALL, distances=(21, 10)),
    )
    return Machine(
        name="x86_64-memoryless-node",
        why="Node 1 has CPUs and no memory module: its 0 kB is a fact, not an unknown.\n"
        "Joining CPUs and memory by position, or dropping nodes of 0 bytes, loses half of the CPUs.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=3 * GIB),
        smt_control="notsupported",
    )


def cpuless_node() -> Machine:
    cpus = grid(packages=2, cores=2)
    nodes = (
        Node(id=0, total_kb=4 * GIB, free_kb=3 * GIB, pools=SMALL, distances=(10, 21, 14)),
        Node(id=1, total_kb=4 * GIB, free_kb=2 * GIB, pools=SMALL, distances=(21, 10, 24)),
        Node(
            id=2,
            total_kb=8 * GIB,
            free_kb=8 * GIB - 4096,
            pools=SMALL,
            distances=(14, 24, 10),
            memory_kind="unknown",
            memory_kind_evidence="it has no CPUs, and nothing says what it is",
        ),
    )
    return Machine(
        name="x86_64-cpuless-node",
        why="Node 2 is memory without CPUs, nearer to node 0, and nothing says what it is made of.\n"
        "Its cpulist is an empty line; walking from CPUs to nodes never finds it. It holds no normal memory.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        memory=Memory(available_kb=13 * GIB),
        smt_control="notsupported",
        extra={"sys/devices/system/node/has_normal_memory": "0-1\n"},
    )


def no_numa() -> Machine:
    cpus = grid(cores=2, threads=2)
    return Machine(
        name="x86_64-no-numa",
        why="A kernel built without NUMA: there is no node folder at all.\n"
        "One node, 0, stands for the whole machine and says so (synthetic).",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=(Node(id=0, total_kb=4 * GIB, free_kb=2 * GIB, pools=(Pool(size_kb=2048, total=8, free=3),)),),
        numa=False,
        reserved={2048: 1},
        memory=Memory(available_kb=3_100_000),
    )


def uneven_hugepages() -> Machine:
    cpus = grid(packages=2, cores=2, threads=2)
    first = (Pool(size_kb=2048, total=512, free=100, surplus=12), Pool(size_kb=GIB, total=1, free=0))
    second = (Pool(size_kb=2048), Pool(size_kb=GIB, total=3, free=3))
    return Machine(
        name="x86_64-uneven-hugepages",
        why="Two page sizes, spread unevenly: all 2 MiB pages on node 0, most 1 GiB pages on node 1.\n"
        "meminfo tells of the default size only; reserved pages are counted for the whole machine only.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=(
            Node(id=0, total_kb=8 * GIB, free_kb=2 * GIB, pools=first, distances=(10, 21)),
            Node(id=1, total_kb=8 * GIB, free_kb=3 * GIB, pools=second, distances=(21, 10)),
        ),
        reserved={2048: 40, GIB: 2},
        memory=Memory(available_kb=5 * GIB),
    )


SHAPES = (
    two_sockets(),
    four_nodes_per_socket(),
    one_node_guest(),
    sparse_node_ids(),
    memoryless_node(),
    cpuless_node(),
    no_numa(),
    uneven_hugepages(),
)
