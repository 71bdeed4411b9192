# SPDX-License-Identifier: Apache-2.0
"""Where lscpu and sysfs tell different topologies of one machine, each difference in a line that names both answers."""

from __future__ import annotations

from collections.abc import Iterator

from os_capability.cpuset import CpuSet
from os_capability.linux.topology import Placement, cores_of

__all__ = ["disagreements"]


def disagreements(sysfs: Placement, lscpu: Placement) -> Iterator[str]:
    """Yield what lscpu says otherwise than sysfs. What either does not know is no disagreement."""
    if lscpu.online != sysfs.online:
        yield f"online CPUs: lscpu says {lscpu.online}, sysfs {sysfs.online}; sysfs is taken"
        return
    ours, theirs = cores_of(sysfs.rows, sysfs.online), cores_of(lscpu.rows, lscpu.online)
    if ours is not None and theirs is not None and ours != theirs:
        differing = CpuSet(cpu for cpu in ours if ours[cpu] != theirs[cpu])
        yield (
            f"cores: lscpu puts the CPUs in {len(set(theirs.values()))}, sysfs in {len(set(ours.values()))}"
            f" (they differ about CPUs {differing}); sysfs is taken"
        )
    our_node, their_node = sysfs.node_of_cpu(), lscpu.node_of_cpu()
    differing = CpuSet(cpu for cpu, node in our_node.items() if node is not None and their_node.get(cpu, node) != node)
    if differing:
        yield f"NUMA nodes: lscpu and sysfs differ about CPUs {differing}; sysfs is taken"
