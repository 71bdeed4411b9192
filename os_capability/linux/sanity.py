# SPDX-License-Identifier: Apache-2.0
"""Facts that cannot be so, or that contradict each other.

A number known to be wrong becomes ``None``; where two facts merely disagree, both stay. Either way a warning says so.
Its text names files, nodes and CPUs and never a figure that moves: warnings count among the lasting facts of a host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from os_capability.cpuset import CpuSet
from os_capability.model import Cpu, HostWarning, HugePages, Memory, NodeHugePages, NumaNode, NumaTopology
from os_capability.size import format_bytes
from os_capability.wording import cpus_text, nodes_text

__all__ = ["MEMORY_CODES", "check_cpu_sets", "check_cpus", "check_memory", "check_nodes"]

_Pool = TypeVar("_Pool", HugePages, NodeHugePages)

# What `check_memory` warns of: looked at again whenever the memory is read again.
MEMORY_CODES = frozenset(
    {
        "hugepages-wrong",
        "memory-available-wrong",
        "memory-cache-wrong",
        "memory-free-wrong",
        "node-memory-disagreement",
        "swap-free-wrong",
        "swap-total-wrong",
    }
)


_CACHES = {
    "buffers_bytes": "Buffers",
    "cached_bytes": "Cached",
    "slab_reclaimable_bytes": "SReclaimable",
    "shmem_bytes": "Shmem",
}
# An exbibyte; lxcfs has shown eight of swap.
_MORE_THAN_ANY_MACHINE = 1 << 60


def check_cpu_sets(possible: CpuSet | None, present: CpuSet | None, online: CpuSet) -> Iterator[HostWarning]:
    """Yield where the kernel's sets do not lie within each other: online within present within possible."""
    sets = (("online", online), ("present", present), ("possible", possible))
    known = [(name, cpus) for name, cpus in sets if cpus]
    for (inner, within), (outer, around) in pairwise(known):
        if not within <= around:
            message = f"{inner} but not {outer}: {cpus_text(within - around)}"
            yield HostWarning(code="cpu-sets-contradict", message=message)


def check_cpus(cpu: Cpu) -> tuple[Cpu, list[HostWarning]]:
    """Take out counts that cannot be: more sockets than cores, more cores than threads.

    A core lies in one socket and has at least one thread, so that one of the two is wrong.
    """
    warnings = []
    if cpu.cores is not None and cpu.cores > cpu.threads:
        cpu = replace(cpu, cores=None)
        warnings.append(HostWarning(code="cpu-counts-wrong", message="there are more cores than threads"))
    if cpu.sockets is not None and cpu.sockets > (cpu.threads if cpu.cores is None else cpu.cores):
        cpu = replace(cpu, sockets=None)
        warnings.append(HostWarning(code="cpu-counts-wrong", message="there are more sockets than cores"))
    return cpu, warnings


def check_nodes(numa: NumaTopology, online: CpuSet) -> tuple[NumaTopology, list[HostWarning]]:
    """Find online CPUs in no node and in several, and take out rows of distances in which another node is nearer."""
    warnings = []
    claimed, repeated = CpuSet(), CpuSet()
    for node in numa.nodes:
        claimed, repeated = claimed | node.cpus, repeated | (claimed & node.cpus)
    if online - claimed:
        message = f"online and in no NUMA node: {cpus_text(online - claimed)}"
        warnings.append(HostWarning(code="cpus-in-no-node", message=message))
    if repeated:
        message = f"several NUMA nodes claim {cpus_text(repeated)}"
        warnings.append(HostWarning(code="cpus-in-several-nodes", message=message))
    wrong = frozenset(node.id for node in numa.nodes if _is_nearer_elsewhere(node.id, node.distances))
    if wrong:
        message = f"NUMA {nodes_text(wrong)}: another node is said to be nearer than the node itself"
        warnings.append(HostWarning(code="node-distances-wrong", message=message))
        nodes = tuple(replace(node, distances=None) if node.id in wrong else node for node in numa.nodes)
        numa = replace(numa, nodes=nodes)
    return numa, warnings


def _is_nearer_elsewhere(node: int, distances: Mapping[int, int] | None) -> bool:
    return distances is not None and node in distances and min(distances.values()) < distances[node]


def check_memory(
    memory: Memory, numa: NumaTopology, *, is_host: bool
) -> tuple[Memory, NumaTopology, list[HostWarning]]:
    """Take out figures that cannot be, and find nodes whose memory is not that of the machine.

    `is_host` is False in a container's view, where ``/proc`` may show the container's memory beside the host's nodes
    and huge pages.
    """
    machine_bytes = memory.total_bytes if is_host else None
    warnings = [] if machine_bytes is None else list(_node_sum(machine_bytes, memory, numa))
    for check in (_checked_sizes, _checked_caches, _checked_swap):
        memory, found = check(memory)
        warnings += found
    pools, found = _checked_pools(memory.hugepages, machine_bytes, "")
    warnings += found
    nodes = []
    for node in numa.nodes:
        checked, found = _checked_node(node, machine_bytes)
        nodes.append(checked)
        # A synthetic node only repeats the machine.
        warnings += () if numa.synthetic else found
    return replace(memory, hugepages=pools), replace(numa, nodes=tuple(nodes)), warnings


def _checked_sizes(memory: Memory) -> tuple[Memory, list[HostWarning]]:
    total, free, available = memory.total_bytes, memory.free_bytes, memory.available_bytes
    warnings = []
    if _is_more(available, total):
        memory = replace(memory, available_bytes=None, available_estimated=False)
        message = "MemAvailable of /proc/meminfo is more than MemTotal"
        warnings.append(HostWarning(code="memory-available-wrong", message=message))
    # A kernel bug: https://github.com/giampaolo/psutil/issues/1915
    elif available == 0 and _is_more(free, None if total is None else total // 10):
        memory = replace(memory, available_bytes=None, available_estimated=False)
        message = "MemAvailable of /proc/meminfo is 0 while much memory is free"
        warnings.append(HostWarning(code="memory-available-wrong", message=message))
    if _is_more(free, total):
        memory = replace(memory, free_bytes=None)
        message = "MemFree of /proc/meminfo is more than MemTotal"
        warnings.append(HostWarning(code="memory-free-wrong", message=message))
    return memory, warnings


def _checked_caches(memory: Memory) -> tuple[Memory, list[HostWarning]]:
    wrong = {name: None for name in _CACHES if _is_more(getattr(memory, name), memory.total_bytes)}
    if not wrong:
        return memory, []
    message = f"more than MemTotal of /proc/meminfo: {', '.join(_CACHES[name] for name in wrong)}"
    memory = replace(memory, **wrong)  # type: ignore[arg-type]
    return memory, [HostWarning(code="memory-cache-wrong", message=message)]


def _checked_swap(memory: Memory) -> tuple[Memory, list[HostWarning]]:
    if _is_more(memory.swap_total_bytes, _MORE_THAN_ANY_MACHINE):
        message = "SwapTotal of /proc/meminfo is more than any machine has"
        memory = replace(memory, swap_total_bytes=None, swap_free_bytes=None)
        return memory, [HostWarning(code="swap-total-wrong", message=message)]
    if _is_more(memory.swap_free_bytes, memory.swap_total_bytes):
        message = "SwapFree of /proc/meminfo is more than SwapTotal"
        return replace(memory, swap_free_bytes=None), [HostWarning(code="swap-free-wrong", message=message)]
    return memory, []


def _checked_node(node: NumaNode, machine_bytes: int | None) -> tuple[NumaNode, list[HostWarning]]:
    pools, warnings = _checked_pools(node.hugepages, machine_bytes, f" of NUMA node {node.id}")
    if pools != node.hugepages:
        node = replace(node, hugepages=pools)
    if _is_more(node.memory_free_bytes, node.memory_total_bytes):
        node = replace(node, memory_free_bytes=None)
        message = f"MemFree of NUMA node {node.id} is more than its MemTotal"
        warnings.append(HostWarning(code="memory-free-wrong", message=message))
    return node, warnings


def _checked_pools(
    pools: tuple[_Pool, ...] | None, machine_bytes: int | None, place: str
) -> tuple[tuple[_Pool, ...] | None, list[HostWarning]]:
    """Take out counts of pages that are more than the memory, or more than the pool they are part of."""
    if pools is None:
        return None, []
    checked, warnings = [], []
    for pool in pools:
        most = (_MORE_THAN_ANY_MACHINE if machine_bytes is None else machine_bytes) // pool.size_bytes
        counts = {name: getattr(pool, name, None) for name in ("total", "free", "reserved", "surplus")}
        wrong = {name: None for name, pages in counts.items() if _is_more(pages, most) or _is_more(pages, pool.total)}
        if wrong:
            part = "pages than memory" if "total" in wrong else f"pages are {' or '.join(wrong)} than there are"
            message = f"the huge pages of {format_bytes(pool.size_bytes)}{place}: more {part}"
            warnings.append(HostWarning(code="hugepages-wrong", message=message))
            pool = replace(pool, **wrong)  # type: ignore[arg-type]
        checked.append(pool)
    return tuple(checked), warnings


def _node_sum(machine_bytes: int, memory: Memory, numa: NumaTopology) -> Iterator[HostWarning]:
    sizes = [node.memory_total_bytes for node in numa.nodes if node.memory_total_bytes is not None]
    if numa.synthetic or len(sizes) != len(numa.nodes):
        return
    nodes = nodes_text(node.id for node in numa.nodes)
    # Older kernels count what the kernel itself took as well: up to 3.4 % more has been seen.
    tolerated = machine_bytes // 20
    missing = machine_bytes - sum(sizes)
    if missing < -tolerated:
        message = f"the memory of NUMA {nodes} is more than MemTotal of /proc/meminfo"
    elif missing > tolerated and not _is_untouched(missing, tolerated, memory, numa):
        message = f"the memory of NUMA {nodes} is less than MemTotal of /proc/meminfo"
    else:
        return
    yield HostWarning(code="node-memory-disagreement", message=message)


def _is_untouched(missing: int, tolerated: int, memory: Memory, numa: NumaTopology) -> bool:
    """Tell whether what the nodes lack is all free.

    So it is where the kernel gives a page to its node when it is first touched (guests of Firecracker, Linux 6.18).
    """
    free = [node.memory_free_bytes for node in numa.nodes if node.memory_free_bytes is not None]
    if memory.free_bytes is None or len(free) != len(numa.nodes):
        return False
    return abs(memory.free_bytes - sum(free) - missing) <= tolerated // 2


def _is_more(part: int | None, whole: int | None) -> bool:
    return part is not None and whole is not None and part > whole
