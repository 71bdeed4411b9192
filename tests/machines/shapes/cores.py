# SPDX-License-Identifier: Apache-2.0
"""CPUs and cores: off, isolated, of several kinds, under ids that repeat or say nothing."""

from __future__ import annotations

from tests.machines.description import (
    GIB,
    Cache,
    Cpu,
    Limits,
    Machine,
    Memory,
    Node,
    Pool,
    even_nodes,
    grid,
    standard_caches,
    with_offline,
)

SMALL = (Pool(size_kb=2048),)


def plain() -> Machine:
    cpus = grid(cores=4, threads=2)
    return Machine(
        name="x86_64-plain",
        why="The ordinary machine: one socket, one node, two threads per core, every file there.\n"
        "What goes wrong here goes wrong everywhere.",
        cpus=cpus,
        caches=standard_caches(cpus, first_level=True),
        microcode="0xd0003f5",
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000, swap_total_kb=2 * GIB, swap_free_kb=2 * GIB - 4096),
        vulnerabilities={
            "meltdown": "Not affected",
            "spectre_v2": "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; RSB filling",
            "mds": "Vulnerable: Clear CPU buffers attempted, no microcode; SMT vulnerable",
        },
    )


def offline_cpus() -> Machine:
    cpus = with_offline(grid(cores=4, threads=2), (0, 5))
    return Machine(
        name="x86_64-offline-cpus",
        why="CPU 0 is off (it has an online file here), so is CPU 5; their siblings 4 and 1 are alone on their cores.\n"
        "An offline CPU has no topology folder. cpu/offline lists 8-11 too, which were never there.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        possible="0-11",
        memory=Memory(available_kb=3_100_000),
    )


def hybrid() -> Machine:
    strong = tuple(
        Cpu(id=number, core=number // 2, core_id=number // 2 * 4, die=0, cluster=number // 2 * 8, kind="performance")
        for number in range(4)
    )
    weak = tuple(
        Cpu(id=number, core=number - 2, core_id=number + 12, die=0, cluster=24, kind="efficiency")
        for number in range(4, 8)
    )
    cpus = strong + weak
    private = tuple(Cache(level=2, type="Unified", size_kb=1280, cpus=(2 * core, 2 * core + 1)) for core in range(2))
    shared = (
        Cache(level=2, type="Unified", size_kb=2048, cpus=(4, 5, 6, 7)),
        Cache(level=3, type="Unified", size_kb=12_288, cpus=tuple(range(8))),
    )
    return Machine(
        name="x86_64-hybrid",
        why="Two performance cores with two threads each and four efficiency cores with one.\n"
        "No product of averages gives 6 cores of 8 threads; core ids have holes, the efficiency cores share a cluster.",
        model="Example Core i0-0000K",
        cpus=cpus,
        caches=private + shared,
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
    )


def big_little() -> Machine:
    cpus = tuple(
        Cpu(
            id=number,
            core=number,
            package=None,
            core_id=number % 4 if number < 4 else number - 4,
            package_id=-1,
            cluster=number // 4,
            kind="Cortex-A53" if number < 4 else "Cortex-A73",
            capacity=446 if number < 4 else 1024,
            part="0xd03" if number < 4 else "0xd09",
        )
        for number in range(6)
    )
    return Machine(
        name="aarch64-big-little",
        why="Four small cores and two big ones, told apart by their part numbers; the big ones come last.\n"
        "The firmware names no socket: ids are -1 and the masks repeat the cores, so the sockets are unknown, not six.",
        architecture="aarch64",
        vendor="ARM",
        family="8",
        model="Cortex-A53",
        flags=("fp", "asimd", "evtstrm", "aes", "crc32", "cpuid"),
        cpus=cpus,
        caches=(
            Cache(level=2, type="Unified", size_kb=512, cpus=(0, 1, 2, 3)),
            Cache(level=2, type="Unified", size_kb=1024, cpus=(4, 5)),
        ),
        nodes=(Node(id=0, total_kb=2 * GIB, free_kb=GIB, pools=SMALL),),
        numa=False,
        memory=Memory(available_kb=1_500_000),
        smt_control="notimplemented",
    )


def isolated_cpus() -> Machine:
    cpus = grid(cores=8)
    return Machine(
        name="x86_64-isolated-cpus",
        why="isolcpus=2-3 without nohz_full: kernels then write the text (null) into cpu/nohz_full.\n"
        "The isolated CPUs are online like the others; only the affinity of processes leaves them out.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
        isolated="2-3",
        nohz_full_text="  (null)\n",
        smt_control="notsupported",
        limits=Limits(affinity="0-1,4-7"),
    )


def two_dies() -> Machine:
    cpus = tuple(
        Cpu(id=number, core=number, core_id=number % 2, die=number // 2, node=number // 2) for number in range(4)
    )
    return Machine(
        name="x86_64-two-dies",
        why="One socket of two dies; the core ids start again on the second die.\n"
        "Socket and core id together still name two cores instead of four: only the sibling lists tell.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(2),
        memory=Memory(available_kb=6_200_000),
        smt_control="notsupported",
    )


def books() -> Machine:
    cpus = tuple(
        Cpu(
            id=number,
            core=number // 2,
            package=number // 4,
            core_id=number // 2,
            package_id=-1,
            book=number // 4 + 1,
            drawer=4,
        )
        for number in range(8)
    )
    return Machine(
        name="s390x-books",
        why="A mainframe partition: books within a drawer, package ids of -1, and masks that do tell two sockets.\n"
        "Its cpuinfo has a head, then `processor 0: version = ...`, then blocks that start with `cpu number`.",
        architecture="s390x",
        vendor="IBM/S390",
        family=None,
        model=None,
        flags=("esan3", "zarch", "stfle", "msa"),
        cpus=cpus,
        nodes=(Node(id=0, total_kb=4 * GIB, free_kb=GIB, pools=(Pool(size_kb=1024, total=6, free=6),)),),
        numa=False,
        memory=Memory(available_kb=3_000_000),
        nohz_full=None,
    )


SHAPES = (
    plain(),
    offline_cpus(),
    hybrid(),
    big_little(),
    isolated_cpus(),
    two_dies(),
    books(),
)
