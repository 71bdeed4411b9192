# SPDX-License-Identifier: Apache-2.0
"""Facts that contradict each other: a number known to be wrong is null, and a warning says so."""

from __future__ import annotations

from dataclasses import replace

from tests.machines.description import Machine, Memory, even_nodes, grid, standard_caches


def cpu_in_no_node() -> Machine:
    cpus = tuple(replace(cpu, node=None) if cpu.id == 3 else cpu for cpu in grid(packages=2, cores=2))
    return Machine(
        name="x86_64-cpu-in-no-node",
        why="The firmware's table leaves CPU 3 out: it is online and in no NUMA node.\n"
        "Its node is null, never 0 and never that of its socket, and a warning names it.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(2),
        memory=Memory(available_kb=6_200_000),
        smt_control="notsupported",
        warnings=("cpus-in-no-node",),
    )


def no_memory_available() -> Machine:
    cpus = grid(cores=4)
    return Machine(
        name="x86_64-available-zero",
        why="A kernel with a bug: MemAvailable is 0 while half of the memory is free.\n"
        "Taken at its word, the machine is full. What is available is not known here.",
        kernel="4.4.0-example",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=Memory(available_kb=0),
        smt_control="notsupported",
        warnings=("memory-available-wrong",),
    )


SHAPES = (
    cpu_in_no_node(),
    no_memory_available(),
)
