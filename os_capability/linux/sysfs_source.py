# SPDX-License-Identifier: Apache-2.0
"""sysfs as a source: where every CPU is, from its topology folder and the nodes' CPU maps."""

from __future__ import annotations

from collections.abc import Sequence

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, UnparsableText
from os_capability.linux import paths
from os_capability.linux.cpuinfo import parse_processors
from os_capability.linux.sources import Sources
from os_capability.linux.topology import Placement, TopologyRow, parse_id
from os_capability.number import numbered

__all__ = ["read_node_ids", "read_placement"]


def read_placement(sources: Sources, present: CpuSet, online: CpuSet, cpuinfo: str | None) -> Placement:
    """Read where every CPU is; cpuinfo gives the ids that old kernels (before 2.6.16) do not show in sysfs."""
    return Placement(
        online=online,
        rows=_read_rows(sources, present, cpuinfo),
        node_cpus=_read_node_cpus(sources, read_node_ids(sources), online),
    )


def read_node_ids(sources: Sources) -> list[int]:
    """Read the ids of the online nodes, which may have holes; none where the kernel tells of no NUMA."""
    folders = numbered(sources.entries(paths.NODE) or (), "node")
    online = sources.cpus(paths.NODE_ONLINE)  # the same list format
    # "possible" lists nodes that do not exist. An online list that names none of the folders is no help either.
    return [node for node in folders if online is None or node in online] or folders


def _read_node_cpus(sources: Sources, node_ids: Sequence[int], online: CpuSet) -> dict[int, CpuSet]:
    """Read each node's online CPUs; old kernels and some firmware list CPUs that are not there.

    The mask decides: kernels before 2.6.26 have no list.
    """
    found = {}
    for node in node_ids:
        folder = f"{paths.NODE}/node{node}"
        cpus = sources.mask(f"{folder}/cpumap")
        if cpus is None:
            cpus = sources.cpus(f"{folder}/cpulist") or CpuSet()
        found[node] = cpus & online
    return found


def _read_rows(sources: Sources, present: CpuSet, cpuinfo: str | None) -> list[TopologyRow]:
    """Read each CPU's place from its topology folder, its ids on old kernels (before 2.6.16) from cpuinfo."""
    reader = _TopologyReader(sources)
    rows = [reader.row(cpu) for cpu in present]
    if reader.has_ids or cpuinfo is None:
        return rows
    try:
        listed = {row.cpu: row for row in parse_processors(cpuinfo, sources.root.shown(paths.CPUINFO))}
    except UnparsableText as error:
        sources.warn_of(error)
        return rows
    return [
        row._replace(core_id=listed[row.cpu].core_id, socket=listed[row.cpu].socket) if row.cpu in listed else row
        for row in rows
    ]


class _TopologyReader:
    """Reads the topology folders, every mask text parsed once: the CPUs of a socket all repeat the same one."""

    # Linux 5.3 renamed the masks; from old kernels only the second name is known, some captures have only the first.
    _SIBLINGS = ("core_cpus", "thread_siblings", "core_cpus_list", "thread_siblings_list")
    _PACKAGE = ("package_cpus", "core_siblings", "package_cpus_list", "core_siblings_list")

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._sets: dict[str, CpuSet] = {}
        self._cores: dict[CpuSet, TopologyRow] = {}
        # The files this kernel has, from the first folder: a missing file costs more than one that is read.
        self._names: frozenset[str] = frozenset()

    def row(self, cpu: int) -> TopologyRow:
        folder = f"{paths.CPU}/cpu{cpu}/topology"
        siblings = self._cpus(folder, self._SIBLINGS)
        core_id = self._id(folder, "core_id")
        if siblings is not None and cpu in siblings and siblings in self._cores:
            # Threads of one core are in the same die and socket: that is what the words mean.
            return self._cores[siblings]._replace(cpu=cpu, core_id=core_id)
        socket = self._id(folder, "physical_package_id")
        if siblings is None and core_id is None and socket is None:
            return TopologyRow(cpu)
        if not self._names:
            self._names = frozenset(self._sources.entries(folder) or ())
        row = TopologyRow(
            cpu,
            siblings,
            # Only where the kernel gives no package id do the masks have to tell the sockets.
            self._cpus(folder, self._PACKAGE) if socket is None else None,
            core_id,
            self._id(folder, "cluster_id", cluster=True) if "cluster_id" in self._names else None,
            self._id(folder, "die_id") if "die_id" in self._names else None,
            socket,
            self._id(folder, "book_id") if "book_id" in self._names else None,
            self._id(folder, "drawer_id") if "drawer_id" in self._names else None,
        )
        if siblings is not None:
            self._cores[siblings] = row
        return row

    @property
    def has_ids(self) -> bool:
        """Tell whether this kernel gives ids at all; one that does may still say -1, and that is then its answer."""
        return "core_id" in self._names or "physical_package_id" in self._names

    def _id(self, folder: str, name: str, *, cluster: bool = False) -> int | None:
        return parse_id(self._sources.text(f"{folder}/{name}"), cluster=cluster)

    def _cpus(self, folder: str, names: Sequence[str]) -> CpuSet | None:
        for name in names:
            text = self._sources.text(f"{folder}/{name}")
            if not text:
                continue
            known = self._sets.get(text)
            if known is None:
                parse = CpuSet.parse_list if name.endswith("_list") else CpuSet.parse_mask
                try:
                    known = self._sets[text] = parse(text)
                except InvalidCpuSet as error:
                    self._sources.warn("text-unparsable", f"{self._sources.root.shown(folder)}/{name}: {error}")
                    continue
            return known
        return None
