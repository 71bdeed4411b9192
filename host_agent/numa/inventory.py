# SPDX-License-Identifier: Apache-2.0
"""What each NUMA node has left in numbers alone: narrow enough to ask a fleet. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from host_agent.numa.cell import NumaCell
from host_agent.numa.host import HostNuma
from os_capability import CpuSet

__all__ = ["ORDINARY", "NodeInventory", "digest_of", "node_inventories", "total"]

# The size of no page: memory outside of all pools.
ORDINARY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInventory:
    """The memory of one node in pages of one size, and the node's CPUs; ``None`` is not known.

    Attributes:
        page_size_bytes: of huge pages, or `ORDINARY`.
        node_id: the kernel's own.
        free_bytes: what of it one more workload could have; nothing of memory that is no plain RAM.
        floating_cpus: how many CPUs there are to float over that no workload has for itself.
        pinning_cpus: how many a workload could have for itself.
        either_cpus: how many of these count in both.
    """

    page_size_bytes: int
    node_id: int
    free_bytes: int | None
    floating_cpus: int | None
    pinning_cpus: int | None
    either_cpus: int | None


def node_inventories(numa: HostNuma, *, ram_ratio: float | None) -> tuple[NodeInventory, ...]:
    """Give the inventories of all nodes: of ordinary memory, and of each size of page that one of them has, or may.

    Args:
        numa: the nodes, with what is held of them.
        ram_ratio: how many times ordinary memory may be given away; huge pages are so once.
    """
    pools = [pool for cell in numa.cells for pool in cell.hugepages or ()]
    sizes = sorted({pool.size_bytes for pool in pools if pool.total != 0})
    return tuple(_inventory(cell, size, ram_ratio) for size in (ORDINARY, *sizes) for cell in numa.cells)


def digest_of(numa_topology: str, ram_ratio: float | None) -> str:
    """Give 32 hexadecimal digits that tell one column ``numa_topology``, with a ratio, from another."""
    return hashlib.blake2b(f"{ram_ratio} {numa_topology}".encode(), digest_size=16).hexdigest()


def total(amounts: Iterable[int | None]) -> int | None:
    """Add up; a sum of which one part is not known is not known."""
    known = list(amounts)
    return None if None in known else sum(amount for amount in known if amount is not None)


def _inventory(cell: NumaCell, page_size_bytes: int, ram_ratio: float | None) -> NodeInventory:
    floating = cell.floating_cpus - (cell.pinned_cpus or CpuSet())
    pinning = cell.free_cpus
    is_known = cell.pinned_cpus is not None
    return NodeInventory(
        page_size_bytes=page_size_bytes,
        node_id=cell.id,
        free_bytes=_ordinary(cell, ram_ratio) if page_size_bytes == ORDINARY else _in_pages(cell, page_size_bytes),
        floating_cpus=len(floating) if is_known else None,
        pinning_cpus=len(pinning) if is_known else None,
        either_cpus=len(floating & pinning) if is_known else None,
    )


def _ordinary(cell: NumaCell, ram_ratio: float | None) -> int | None:
    if not _is_plain_ram(cell):
        return 0
    pools = total(None if pool.total is None else pool.total * pool.size_bytes for pool in cell.hugepages or ())
    if cell.memory_total_bytes is None or pools is None or ram_ratio is None:
        return None
    size = max(0, cell.memory_total_bytes - pools)
    # No ratio makes one workload larger than the node is.
    return max(0, min(size, int(size * ram_ratio) - cell.held_bytes))


def _in_pages(cell: NumaCell, page_size_bytes: int) -> int | None:
    if not _is_plain_ram(cell):
        return 0
    if cell.hugepages is None:
        return None
    pool = cell.pool(page_size_bytes)
    if pool is None:
        return 0
    return None if pool.free is None else pool.free * page_size_bytes


def _is_plain_ram(cell: NumaCell) -> bool:
    return cell.memory_kind in (None, "dram")
