# SPDX-License-Identifier: Apache-2.0
"""What somebody wants of one host of a fleet, and why a host cannot take it. Pure.

The rules, for a host that is up and enabled:

- Shared CPUs, memory: what is wanted fits into (total - reserved) x ratio beside what workloads hold. A workload never
  has more CPUs than there are to float over, nor more memory than there is: no ratio makes one of them larger.
- Dedicated CPUs: free ones are given away once. Those that nothing floats over come first; others are taken from the
  CPUs to float over, and where the operator keeps no set for pinning they count among the shared CPUs.
- Ordinary memory is what lies outside of huge page pools of each node, times the ratio. Huge pages are given away once.
- On N NUMA nodes each of them takes an even share, rounded up: every other division is left to whoever places by hand.
- What is not known never fits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["REASONS", "HostDemand"]

# Why a host cannot take it; of several that hold, the first.
REASONS = (
    "down",
    "disabled",
    "unknown",
    "availability_zone",
    "traits",
    "vcpus",
    "pcpus",
    "memory",
    "hugepages",
    "numa_nodes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDemand:
    """What somebody wants of one host.

    Attributes:
        vcpus: CPUs to float over.
        pcpus: CPUs for this demand alone.
        memory_bytes: ordinary memory, or in huge pages of `hugepage_size_bytes`.
        numa_nodes: on so many NUMA nodes, an even share on each; ``None`` is on whichever.
        traits: OpenStack's names of what the host must have.
        availability_zone: the host's; ``None`` is any.

    Raises:
        ValueError: nothing is wanted, or a number is too small.
    """

    vcpus: int = 0
    pcpus: int = 0
    memory_bytes: int = 0
    hugepage_size_bytes: int | None = None
    numa_nodes: int | None = None
    traits: frozenset[str] = field(default_factory=frozenset)
    availability_zone: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("vcpus", 0), ("pcpus", 0), ("memory_bytes", 0), ("hugepage_size_bytes", 1)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise ValueError(f"{name}: {number} is less than {least}")
        if self.numa_nodes is not None and self.numa_nodes < 1:
            raise ValueError(f"numa_nodes: {self.numa_nodes} is less than 1")
        if not (self.vcpus or self.pcpus or self.memory_bytes):
            raise ValueError("nothing is asked for: give vcpus, pcpus or memory")
        if self.hugepage_size_bytes is not None and not self.memory_bytes:
            raise ValueError("hugepage_size_bytes: it says of what pages the memory is, and none is asked for")

    @property
    def memory_mb(self) -> int:
        """The memory in MiB; what is begun is wanted."""
        return _share(self.memory_bytes, 1024**2)

    @property
    def pages_bytes(self) -> int:
        """The size of the whole huge pages that hold the memory; 0 where ordinary memory is wanted."""
        size = self.hugepage_size_bytes
        return 0 if size is None else _share(self.memory_bytes, size) * size

    @property
    def of_node(self) -> HostDemand:
        """What each of the NUMA nodes takes."""
        nodes = self.numa_nodes or 1
        memory_bytes = _share(self.memory_bytes, nodes)
        return HostDemand(
            vcpus=_share(self.vcpus, nodes),
            pcpus=_share(self.pcpus, nodes),
            memory_bytes=memory_bytes,
            hugepage_size_bytes=self.hugepage_size_bytes,
        )


def _share(amount: int, parts: int) -> int:
    return -(-amount // parts)
