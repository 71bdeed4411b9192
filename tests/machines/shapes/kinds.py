# SPDX-License-Identifier: Apache-2.0
"""Kinds of cores: where they are named by nothing but their shape, and where they only seem to be there."""

from __future__ import annotations

from tests.machines.description import GIB, Cache, Cpu, Machine, Memory, Node, Pool, even_nodes, standard_caches

SMALL = (Pool(size_kb=2048),)


def hybrid_without_pmu() -> Machine:
    strong = tuple(Cpu(id=number, core=number // 2, core_id=number // 2 * 4, kind="performance") for number in range(4))
    weak = tuple(Cpu(id=number, core=number - 2, core_id=number + 4, kind="efficiency") for number in range(4, 8))
    cpus = strong + weak
    first = tuple(
        Cache(level=1, type=kind, size_kb=size, cpus=tuple(cpu.id for cpu in cpus if cpu.core == core))
        for core in range(6)
        for kind, size in (("Data", 48 if core < 2 else 32), ("Instruction", 32 if core < 2 else 64))
    )
    ranks = {4: 34, 0: 62}
    return Machine(
        name="x86_64-hybrid-without-pmu",
        why="Two kinds of cores, and no performance monitoring unit that names them (a capture without sys/devices).\n"
        "Their first-level caches are of two designs, and the firmware ranks one above the other.",
        model="Example Core i0-0000K",
        cpus=cpus,
        caches=first,
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
        extra={f"sys/devices/system/cpu/cpu{cpu}/acpi_cppc/highest_perf": f"{rank}\n" for cpu, rank in ranks.items()},
        absent=("sys/devices/cpu_core", "sys/devices/cpu_atom"),
    )


def ranked_equal_cores() -> Machine:
    cpus = tuple(
        Cpu(id=number, core=number, core_id=number, capacity=1024 - number * 40, part="0xd4f") for number in range(8)
    )
    return Machine(
        name="aarch64-ranked-equal-cores",
        why="Eight cores of one design whose firmware ranks them by how fast each may be clocked, 1024 down to 744.\n"
        "Read by capacity alone it looks hybrid, and is not.",
        architecture="aarch64",
        vendor="ARM",
        family="8",
        model="Neoverse-V2",
        flags=("fp", "asimd", "aes", "crc32", "cpuid", "sve"),
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
        smt_control="notimplemented",
    )


def capacities_alone() -> Machine:
    capacities = (1024, 990, 512, 512)
    cpus = tuple(
        Cpu(
            id=number,
            core=number,
            core_id=number,
            capacity=capacity,
            kind="capacity-1024" if capacity > 900 else "capacity-512",
        )
        for number, capacity in enumerate(capacities)
    )
    hart = "processor\t: {0}\nhart\t\t: {0}\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\nuarch\t\t: example,u0\n\n"
    return Machine(
        name="riscv64-capacities",
        why="Cores of two strengths on a machine that has no part numbers: cpu_capacity is all there is.\n"
        "1024 and 990 are one kind, 512 is another.",
        architecture="riscv64",
        vendor=None,
        family=None,
        model="example,u0",
        flags=(),
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=(Node(id=0, total_kb=4 * GIB, free_kb=GIB, pools=SMALL),),
        numa=False,
        memory=Memory(available_kb=3_100_000),
        smt_control="notimplemented",
        extra={"proc/cpuinfo": "".join(hart.format(cpu.id) for cpu in cpus)},
    )


SHAPES = (
    hybrid_without_pmu(),
    ranked_equal_cores(),
    capacities_alone(),
)
