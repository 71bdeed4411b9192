# SPDX-License-Identifier: Apache-2.0
"""One NUMA node of a host: what it has, and what is held of it."""

from __future__ import annotations

from dataclasses import dataclass

from os_capability import CpuSet

__all__ = ["NumaCell", "PagePool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePool:
    """The huge pages of one size on one node, in pages.

    Attributes:
        size_bytes: of one page.
        total: all there are; ``None`` is unknown.
        taken: those the kernel has given to processes, measured; ``None`` is unknown.
        reserved: those the operator keeps for the host.
        allocated: those that workloads hold.
    """

    size_bytes: int
    total: int | None
    taken: int | None
    reserved: int = 0
    allocated: int = 0

    @property
    def used(self) -> int | None:
        """How many nobody else can have: a page that is held is taken once its holder runs, so never the sum."""
        return None if self.taken is None else max(self.taken, self.reserved + self.allocated)

    @property
    def free(self) -> int | None:
        """How many are left."""
        return None if self.total is None or self.used is None else max(0, self.total - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaCell:
    """One NUMA node, under the kernel's own id.

    Attributes:
        cpuset: its online CPUs.
        dedicated_cpus, shared_cpus: those of them that the operator keeps for pinning, and for floating; ``None`` where
            there is no such set.
        pins: how many workloads hold each pinned CPU, by ascending CPU; ``None`` where nobody has counted yet.
        memory_total_bytes: all of it, huge pages among it.
        memory_kind: as in `os_capability.model.NumaNode`.
        held_bytes: ordinary memory that workloads hold here.
        hugepages: ``None`` where the machine does not tell.
    """

    id: int
    cpuset: CpuSet
    dedicated_cpus: CpuSet | None = None
    shared_cpus: CpuSet | None = None
    pins: tuple[tuple[int, int], ...] | None = ()
    memory_total_bytes: int | None = None
    memory_kind: str | None = None
    held_bytes: int = 0
    hugepages: tuple[PagePool, ...] | None = None

    @property
    def pinned_cpus(self) -> CpuSet | None:
        """The CPUs that workloads hold for themselves."""
        return None if self.pins is None else CpuSet(cpu for cpu, _ in self.pins)

    @property
    def pinnable_cpus(self) -> CpuSet:
        """The CPUs whose pinning counts: all but where the operator keeps a set for it."""
        return self.cpuset if self.dedicated_cpus is None else self.dedicated_cpus

    @property
    def floating_cpus(self) -> CpuSet:
        """The CPUs that workloads without CPUs of their own run on, those that are pinned among them."""
        if self.shared_cpus is not None:
            return self.shared_cpus
        return CpuSet() if self.dedicated_cpus is not None else self.cpuset

    @property
    def free_cpus(self) -> CpuSet:
        """The CPUs that a workload could be given for itself; none where the operator has a set for floating alone."""
        if self.shared_cpus is not None and self.dedicated_cpus is None:
            return CpuSet()
        return self.pinnable_cpus - (self.pinned_cpus or CpuSet())

    @property
    def memory_available_bytes(self) -> int | None:
        """Ordinary memory that no workload holds: huge page pools are none, idle or not."""
        pools = [None if pool.total is None else pool.total * pool.size_bytes for pool in self.hugepages or ()]
        if self.memory_total_bytes is None or None in pools:
            return None
        return max(0, self.memory_total_bytes - sum(size for size in pools if size) - self.held_bytes)

    def pool(self, size_bytes: int) -> PagePool | None:
        """Give the pool of a page size, ``None`` where there is none."""
        return next((pool for pool in self.hugepages or () if pool.size_bytes == size_bytes), None)
