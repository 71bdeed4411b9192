# SPDX-License-Identifier: Apache-2.0
"""What may be wrong with memory and huge pages."""

from __future__ import annotations

from collections.abc import Iterator

from os_capability.insight.hazards.rule import INFO, WARNING, Rule
from os_capability.model import Host, HugePages, NodeHugePages
from os_capability.size import format_bytes
from os_capability.wording import counted, listed

__all__ = ["RULES"]

# A large machine works well with a smaller share.
_SCARCE_SHARE, _SCARCE_BYTES = 0.05, 8 << 30
_SWAPPED_SHARE = 0.25
_IDLE_SHARE = 0.5
_UNBALANCED_SHARE = 0.1


def _exhausted(host: Host) -> Iterator[str]:
    memory = host.memory
    if memory.total_bytes is None or memory.available_bytes is None:
        return
    # What the pools hold is spoken for, and no sign of want.
    ordinary = memory.total_bytes - sum(pool.total_bytes or 0 for pool in memory.hugepages or ())
    if memory.available_bytes < min(ordinary * _SCARCE_SHARE, _SCARCE_BYTES):
        yield f"{format_bytes(memory.available_bytes)} available of {format_bytes(ordinary)} outside huge pages"


def _swapped(host: Host) -> Iterator[str]:
    memory = host.memory
    if memory.total_bytes is None or memory.swap_total_bytes is None or memory.swap_free_bytes is None:
        return
    swapped = memory.swap_total_bytes - memory.swap_free_bytes
    if swapped > memory.total_bytes * _SWAPPED_SHARE:
        yield f"{format_bytes(swapped)} swapped out, with {format_bytes(memory.total_bytes)} of memory"


def _estimated(host: Host) -> Iterator[str]:
    if host.memory.available_estimated:
        yield f"about {format_bytes(host.memory.available_bytes)} available; the kernel has no MemAvailable"


def _unbalanced_pools(host: Host) -> Iterator[str]:
    for size, pools in _pools_by_size(host).items():
        totals = {node: pool.total for node, pool in pools.items() if pool.total is not None}
        if len(totals) < 2:
            continue
        least, most = min(totals.values()), max(totals.values())
        if most - least > max(1, most * _UNBALANCED_SHARE):
            spread = listed([f"{total} on node {node}" for node, total in totals.items()], 8)
            yield f"pages of {format_bytes(size)}: {spread}"


def _emptied_pools(host: Host) -> Iterator[str]:
    for size, pools in _pools_by_size(host).items():
        empty = [f"{node} (0 of {pool.total})" for node, pool in pools.items() if pool.total and pool.free == 0]
        others = [f"{pool.free} on node {node}" for node, pool in pools.items() if pool.free]
        if empty and others:
            yield f"pages of {format_bytes(size)}: none free on node {listed(empty)}, but {listed(others)}"


def _pools_by_size(host: Host) -> dict[int, dict[int, NodeHugePages]]:
    """Give the pools of the nodes with CPUs and memory, by page size, then by node."""
    by_size: dict[int, dict[int, NodeHugePages]] = {}
    for node in host.numa.nodes:
        if node.cpus and node.memory_total_bytes != 0:
            for pool in node.hugepages or ():
                by_size.setdefault(pool.size_bytes, {})[node.id] = pool
    return by_size


def _surplus(host: Host) -> Iterator[str]:
    for pool in host.memory.hugepages or ():
        if pool.surplus:
            yield f"{pool.surplus} of the {pool.total} {_pages(pool)} beyond the configured pool"


def _promised(host: Host) -> Iterator[str]:
    for pool in host.memory.hugepages or ():
        if pool.free and pool.reserved is not None and pool.reserved >= pool.free:
            yield f"{counted(pool.free, 'page')} of {format_bytes(pool.size_bytes)} free, {pool.reserved} reserved"


def _idle_pools(host: Host) -> Iterator[str]:
    total = host.memory.total_bytes
    idle = [
        pool for pool in host.memory.hugepages or () if pool.total and pool.free == pool.total and not pool.reserved
    ]
    idle_bytes = sum(pool.total_bytes or 0 for pool in idle)
    if total is not None and total * _IDLE_SHARE < idle_bytes <= total:
        named = listed([f"{pool.total} {_pages(pool)}" for pool in idle])
        yield f"{format_bytes(idle_bytes)} of {format_bytes(total)} in pools that nobody uses: {named}"


def _pages(pool: HugePages) -> str:
    return f"pages of {format_bytes(pool.size_bytes)}"


RULES = (
    Rule(
        code="memory-nearly-exhausted",
        severity=WARNING,
        summary="Hardly any memory is available",
        advice="Place nothing more here; find who has it (ps -eo pid,rss,comm --sort -rss, systemd-cgtop -m), or make"
        " huge page pools smaller.",
        evidence=_exhausted,
    ),
    Rule(
        code="swap-heavily-used",
        severity=WARNING,
        summary="Much memory has been swapped out: the machine is overcommitted",
        advice="Move workloads away; see which are swapped in memory.swap.current of their cgroups.",
        evidence=_swapped,
    ),
    Rule(
        code="hugepages-unbalanced",
        severity=WARNING,
        summary="Huge pages are spread unevenly over the NUMA nodes",
        advice="Write the number for each node to"
        " /sys/devices/system/node/nodeN/hugepages/hugepages-SIZEkB/nr_hugepages, or boot with"
        " hugepages=NODE:COUNT,NODE:COUNT: fragmented memory yields fewer pages than were asked for.",
        evidence=_unbalanced_pools,
    ),
    Rule(
        code="hugepages-node-exhausted",
        severity=WARNING,
        summary="The free huge pages are not on every NUMA node, and the machine's count hides that",
        advice="Place what is bound to a node by the node's own count; move pages between the nodes through"
        " /sys/devices/system/node/nodeN/hugepages/hugepages-SIZEkB/nr_hugepages.",
        evidence=_emptied_pools,
    ),
    Rule(
        code="hugepages-surplus",
        severity=WARNING,
        summary="Huge page pools are overcommitted: surplus pages go away when they are freed",
        advice="Make the pool as large as what is used: raise nr_hugepages, and set nr_overcommit_hugepages to 0.",
        evidence=_surplus,
    ),
    Rule(
        code="hugepages-all-reserved",
        severity=WARNING,
        summary="The free huge pages are promised already: there is none left to give",
        advice="Count free less reserved; enlarge the pool (nr_hugepages) before more is placed here.",
        evidence=_promised,
    ),
    Rule(
        code="hugepages-idle",
        severity=WARNING,
        summary="Huge page pools that nobody uses hold most of the memory: ordinary workloads cannot have it",
        advice="Place workloads that use huge pages, or shrink the pool: write a smaller number to"
        " /sys/kernel/mm/hugepages/hugepages-SIZEkB/nr_hugepages and to hugepages= on the kernel command line.",
        evidence=_idle_pools,
    ),
    Rule(
        code="memory-available-estimated",
        severity=INFO,
        summary="The available memory is an estimate of ours",
        advice="Leave a margin; kernels since 3.14 tell it themselves.",
        evidence=_estimated,
    ),
)
