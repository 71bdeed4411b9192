# SPDX-License-Identifier: Apache-2.0
"""What a host's workloads hold of it, and why each counts. Pure values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from host_agent.numa import HostNuma
from host_agent.usage.inputs import Migration
from host_agent.workloads.workload import Workload

__all__ = ["INCOMING", "ORPHAN", "OUTGOING", "RECORDED", "Holding", "Usage"]

# Why a workload counts: it is recorded for the host; an unfinished migration brings it, or has not taken it away yet;
# or it was found there and nobody says that it should be.
RECORDED = "recorded"
INCOMING = "incoming"
OUTGOING = "outgoing"
ORPHAN = "orphan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one workload holds of a host, and why.

    Attributes:
        workload: with the figures that it holds here; ``None`` among them is an amount that nobody knows.
        source: `RECORDED`, `INCOMING`, `OUTGOING` or `ORPHAN`.
        is_found: whether it was found on the host.
        is_missing: whether it is recorded for the host, and is not on it.
        recorded_host: the host it is recorded for; ``None`` where it is for none.
        migrations: those in progress that touch the host, by uuid.
    """

    workload: Workload
    source: str
    is_found: bool
    is_missing: bool = False
    recorded_host: str | None = None
    migrations: tuple[Migration, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What all workloads of a host hold of it, without what is reserved for the host itself.

    Attributes:
        holdings: each workload once, by uuid.
        vcpus, memory_bytes, disk_bytes: the sums of what is known.
        container_vcpus: those of `vcpus` that containers hold.
        running_vms: virtual machines that run here.
        migrations: those in progress that touch the host.
        numa: the host's nodes with the holdings pinned to them; ``None`` where they are not known.
    """

    holdings: tuple[Holding, ...] = ()
    vcpus: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0
    container_vcpus: float = 0.0
    running_vms: int = 0
    migrations: int = 0
    numa: HostNuma | None = None

    @property
    def pcpus(self) -> int | None:
        """How many CPUs workloads hold for themselves; ``None`` where the host's nodes are not known."""
        return None if self.numa is None else len(self.numa.pinned_cpus)

    @property
    def sources(self) -> Mapping[str, int]:
        """How many holdings there are of each source; only those that there are."""
        return Counter(holding.source for holding in self.holdings)

    @property
    def missing(self) -> int:
        """How many workloads are recorded for the host and not on it."""
        return sum(holding.is_missing for holding in self.holdings)

    @property
    def unlimited(self) -> Mapping[str, int]:
        """How many workloads hold an amount that nobody knows: of ``vcpus``, ``memory_bytes`` and ``disk_bytes``."""
        figures = ("vcpus", "memory_bytes", "disk_bytes")
        return {name: sum(getattr(held.workload, name) is None for held in self.holdings) for name in figures}
