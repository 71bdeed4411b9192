# SPDX-License-Identifier: Apache-2.0
"""How many machines a second can be asked whether a workload fits them.

Asked is one prepared `Capacity` (2 nodes, 64 CPUs, and 8 nodes, 256 CPUs), which is what a fleet would keep of each
host; beside it what it costs to prepare one from a `Host`. The goal is 20,000 answers a second, with the placement, on
2 nodes and 64 CPUs: 100,000 hosts in 5 seconds on one core.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the invented machines stand with the tests

from os_capability import CpuSet, Host, collect
from os_capability.insight.fit import fit_capacity
from os_capability.insight.fitting.capacity import capacity_of
from os_capability.insight.fitting.demand import Demand
from tests.machines.big_server import big_server
from tests.machines.tree import write_tree

SHAPES = ((64, 2), (256, 8))
GOAL_PER_SECOND = 20_000
MIB = 1 << 20
DEMANDS = {
    "4 shared CPUs, 1 GiB": Demand(vcpus=4, memory_bytes=1 << 30),
    "8 dedicated on 1 node": Demand(pcpus=8, memory_bytes=1 << 30, numa_nodes=1),
    "8 isolating, 2 shared": Demand(pcpus=8, vcpus=2, cpu_threads="isolate", numa_nodes=1),
    "on two nodes": Demand(pcpus=24, vcpus=16, memory_bytes=1 << 30, numa_nodes=2),
    "no: too many CPUs": Demand(pcpus=100_000, numa_nodes=1),
    "no: huge pages": Demand(vcpus=2, memory_bytes=1 << 50, hugepage_size_bytes=2 * MIB),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--calls", type=int, default=2_000)
    asked = parser.parse_args()
    print(f"fit in one process, median of {asked.repeat}, Python {sys.version.split()[0]}")
    print(f"{'':<26}{'':<24}{'us':>8}{'per second':>12}  within {GOAL_PER_SECOND:,}/s")
    for cpus, nodes in SHAPES:
        host = read(cpus, nodes)
        capacity = capacity_of(host, taken=CpuSet([0, 1]))
        machine = f"{cpus} CPUs, {nodes} nodes"
        for name, demand in DEMANDS.items():
            seconds = median_seconds(partial(fit_capacity, capacity, demand), asked.repeat, asked.calls)
            goal = ("yes" if 1 / seconds >= GOAL_PER_SECOND else "NO") if cpus == SHAPES[0][0] else ""
            print(f"{machine:<26}{name:<24}{seconds * 1e6:>8.1f}{1 / seconds:>12,.0f}  {goal}".rstrip())
        seconds = median_seconds(partial(capacity_of, host), asked.repeat, asked.calls // 20)
        print(f"{machine:<26}{'preparing the capacity':<24}{seconds * 1e6:>8.1f}{1 / seconds:>12,.0f}")
    print()


def read(cpus: int, nodes: int) -> Host:
    with tempfile.TemporaryDirectory(prefix="os-capability-bench-") as folder:
        write_tree(big_server(cpus, nodes), Path(folder))
        return collect(folder, "sysfs")


def median_seconds(call: Callable[[], object], repeat: int, calls: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


if __name__ == "__main__":
    main()
