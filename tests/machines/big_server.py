# SPDX-License-Identifier: Apache-2.0
"""A regular machine of any size, for benchmarks."""

from __future__ import annotations

from dataclasses import replace

from tests.machines.description import GIB, Machine, Memory, Pool, even_nodes, grid, standard_caches


def big_server(cpus: int, nodes: int) -> Machine:
    """Give a server of two threads per core, one node per socket, four caches per CPU and two huge page sizes."""
    members = grid(packages=nodes, cores=cpus // nodes // 2, threads=2)
    pools = (Pool(size_kb=2048, total=1024, free=512), Pool(size_kb=GIB, total=4, free=1))
    return Machine(
        name=f"x86_64-{cpus}-cpus",
        why="Its size: a reader whose work grows with the square of the CPUs shows it here.",
        cpus=members,
        caches=standard_caches(members, first_level=True),
        nodes=tuple(replace(node, pools=pools) for node in even_nodes(nodes, total_kb=64 * GIB)),
        memory=Memory(available_kb=nodes * 30 * GIB),
    )
