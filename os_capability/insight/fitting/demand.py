# SPDX-License-Identifier: Apache-2.0
"""What somebody wants of one machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from os_capability.insight.fitting.capacity import THREAD_POLICIES, ThreadPolicy

__all__ = ["Demand"]

_PCI_ADDRESS = re.compile(r"([0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What somebody wants of one machine.

    Attributes:
        vcpus: shared CPUs.
        pcpus: dedicated CPUs, all of one kind of core.
        memory_bytes: ordinary memory, or huge pages of `hugepage_size_bytes` that hold as much.
        numa_nodes: on at most so many NUMA nodes; ``None`` is any number.
        near: the address of a PCI device whose NUMA node must be one of them.
        cpu_threads: which threads dedicated CPUs are. ``prefer``: whole cores first, then single threads. ``require``:
            only threads of cores with two or more free ones, so that all but an odd last CPU share their core with
            another of this demand. ``isolate``: one thread of a free core each, the other threads stay idle.

    Raises:
        ValueError: a number is too small, there is no such thread policy, or `near` is no PCI address.

    Source: Nova's flavor extra specs ``hw:cpu_policy``, ``hw:cpu_thread_policy``, ``hw:numa_nodes``,
    ``hw:mem_page_size``.
    """

    vcpus: int = 0
    pcpus: int = 0
    memory_bytes: int = 0
    hugepage_size_bytes: int | None = None
    numa_nodes: int | None = None
    near: str | None = None
    cpu_threads: ThreadPolicy = "prefer"

    def __post_init__(self) -> None:
        least = {"vcpus": 0, "pcpus": 0, "memory_bytes": 0, "hugepage_size_bytes": 1, "numa_nodes": 1}
        for name, minimum in least.items():
            number = getattr(self, name)
            if number is not None and number < minimum:
                raise ValueError(f"{name}: {number} is less than {minimum}")
        if self.cpu_threads not in THREAD_POLICIES:
            raise ValueError(f"cpu_threads: {self.cpu_threads!r} is none of {', '.join(THREAD_POLICIES)}")
        if self.near is not None and not _PCI_ADDRESS.fullmatch(self.near.lower()):
            raise ValueError(f"near: {self.near!r} is no PCI address, which looks like 0000:3b:00.0")

    @property
    def hugepages(self) -> int:
        """How many huge pages hold the memory; 0 where ordinary memory is wanted."""
        return 0 if self.hugepage_size_bytes is None else -(-self.memory_bytes // self.hugepage_size_bytes)

    @property
    def near_address(self) -> str | None:
        """`near` as the kernel writes it, with its domain."""
        if self.near is None:
            return None
        return self.near.lower() if self.near.count(":") == 2 else f"0000:{self.near.lower()}"
