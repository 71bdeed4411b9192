# SPDX-License-Identifier: Apache-2.0
"""From rows, one per CPU and alike from every source, to processors and counts.

A core is its set of thread siblings: ``core_id`` repeats inside a package, across dies and across nodes, and identifies
nothing. Counts are counted, never multiplied.

Source: Documentation/admin-guide/cputopology.rst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.model import Processor
from os_capability.number import whole_number

__all__ = ["Placement", "Topology", "TopologyRow", "cores_of", "join", "parse_id"]


class TopologyRow(NamedTuple):
    """What one source says about one CPU. A plain tuple: a machine has thousands, and they live for a moment.

    `siblings` are the CPUs of its core, `package` those of its socket; ids are the kernel's own.
    """

    cpu: int
    siblings: CpuSet | None = None
    package: CpuSet | None = None
    core_id: int | None = None
    cluster: int | None = None
    die: int | None = None
    socket: int | None = None
    book: int | None = None
    drawer: int | None = None


class Placement(NamedTuple):
    """Where every CPU is, alike from every source; nodes without CPUs may be there with an empty set."""

    online: CpuSet
    rows: Sequence[TopologyRow]
    node_cpus: Mapping[int, CpuSet]

    def node_of_cpu(self) -> dict[int, int | None]:
        """Give each online CPU's node: ``None`` for one that several nodes claim, 0 where there are no nodes."""
        if not self.node_cpus:
            return dict.fromkeys(self.online, 0)
        found: dict[int, int | None] = {}
        for node, cpus in self.node_cpus.items():
            for cpu in cpus:
                found[cpu] = None if cpu in found else node
        return found


class Topology(NamedTuple):
    """The joined answer: processors by ascending id; counts over online CPUs, ``None`` where nobody knows."""

    processors: tuple[Processor, ...]
    sockets: int | None
    cores: int | None


_NO_CLUSTER = 0xFFFF  # BAD_APICID: what x86 kernels since 5.16 print for "no cluster"


def parse_id(text: str | None, *, cluster: bool = False) -> int | None:
    """Give a topology id; the kernel writes -1 (or its unsigned forms) for "not known here"."""
    value = whole_number((text or "").rstrip("\0 \n"), 10)
    return None if value is None or value >= 0xFFFFFFFF or (cluster and value == _NO_CLUSTER) else value


def cores_of(rows: Sequence[TopologyRow], online: CpuSet) -> dict[int, CpuSet] | None:
    """Give the online CPUs of each online CPU's core; ``None`` where a CPU's core is not known.

    By sibling sets; where a kernel has none, by the ids that old cpuinfo files print.
    """
    running = [row for row in rows if row.cpu in online]
    if all(row.siblings is not None and row.cpu in row.siblings for row in running):
        return {row.cpu: row.siblings & online for row in running if row.siblings is not None}
    if any(row.core_id is None for row in running):
        return None
    members: dict[tuple[int | None, ...], list[int]] = {}
    for row in running:
        members.setdefault(_core_key(row), []).append(row.cpu)
    groups = {key: CpuSet(cpus) for key, cpus in members.items()}
    return {row.cpu: groups[_core_key(row)] for row in running}


def _core_key(row: TopologyRow) -> tuple[int | None, ...]:
    return row.drawer, row.book, row.socket, row.die, row.core_id


def join(placement: Placement, kinds: Mapping[int, str]) -> Topology:
    """Join the rows with each CPU's NUMA node and kind, by CPU id."""
    rows, online, nodes = placement.rows, placement.online, placement.node_of_cpu()
    cores = cores_of(rows, online)
    numbers: dict[CpuSet, int] = {}
    processors = []
    for row in sorted(rows):
        core = None
        if cores is not None and row.cpu in cores:
            core = numbers.setdefault(cores[row.cpu], len(numbers))
        processors.append(
            Processor(
                id=row.cpu,
                online=row.cpu in online,
                core=core,
                core_id=row.core_id,
                cluster=row.cluster,
                die=row.die,
                socket=row.socket,
                book=row.book,
                drawer=row.drawer,
                node=nodes.get(row.cpu),
                kind=kinds.get(row.cpu),
            )
        )
    return Topology(
        processors=tuple(processors),
        sockets=_count_sockets(rows, online),
        cores=None if cores is None else len(numbers),
    )


def _count_sockets(rows: Sequence[TopologyRow], online: CpuSet) -> int | None:
    running = [row for row in rows if row.cpu in online]
    if all(row.socket is not None for row in running):
        # s390 numbers the sockets of each book anew.
        return len({(row.drawer, row.book, row.socket) for row in running}) or None
    packages = {row.package & online for row in running if row.package is not None}
    cores = {row.siblings & online for row in running if row.siblings is not None}
    # With ids of -1 some kernels (POWER, RISC-V) repeat the thread masks as package masks: that is no answer.
    return len(packages) if packages and packages != cores else None
