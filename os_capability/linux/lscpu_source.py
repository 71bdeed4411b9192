# SPDX-License-Identifier: Apache-2.0
"""lscpu as a source: the same rows as sysfs, and what it alone can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from os_capability.command import run
from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, UnparsableText
from os_capability.linux.host_root import HostRoot
from os_capability.linux.lscpu import COLUMNS, LscpuRow, parse_lscpu, parse_summary
from os_capability.linux.topology import Placement, TopologyRow

__all__ = ["LscpuSource", "topology_rows"]


class LscpuSource:
    """Asks lscpu about a machine, within a time limit in seconds."""

    def __init__(self, root: HostRoot, timeout_seconds: float) -> None:
        self._place = [] if root.is_live else ["--sysroot", root.path]
        self._timeout = timeout_seconds

    def placement(self, *, with_ids: bool) -> Placement:
        """Ask where every CPU is; `with_ids` asks twice, for the kernel's own ids beside lscpu's running numbers.

        Raises:
            SourceUnreadable: lscpu is missing, too old, failed or did not answer in time.
            UnparsableText: its answer makes no sense.
        """
        logical = self._rows()
        physical = {row.cpu: _ids(row) for row in self._rows("--physical")} if with_ids else {}
        by_node: dict[int, list[int]] = {}
        for row in logical:
            if row.node is not None and row.online:
                by_node.setdefault(row.node, []).append(row.cpu)
        try:
            return Placement(
                online=CpuSet(row.cpu for row in logical if row.online),
                rows=topology_rows(logical, physical),
                node_cpus={node: CpuSet(cpus) for node, cpus in by_node.items()},
            )
        except InvalidCpuSet as error:
            raise UnparsableText("lscpu", 1, error.text, error.reason) from None

    def _rows(self, *options: str) -> list[LscpuRow]:
        return parse_lscpu(run("lscpu", [*self._place, "-a", *options, f"-p={COLUMNS}"], self._timeout), "lscpu")

    def summary(self) -> dict[str, str]:
        """Ask for the labels and values that a person reads; only for names that nothing else tells.

        Raises:
            SourceUnreadable: as for `placement`.
        """
        return parse_summary(run("lscpu", self._place, self._timeout))


def _ids(row: LscpuRow) -> TopologyRow:
    if not row.online:
        # The kernel tells nothing of an offline CPU, and lscpu 2.38 prints 0 for some of it.
        return TopologyRow(row.cpu)
    return TopologyRow(row.cpu, core_id=row.core, socket=row.socket, book=row.book, drawer=row.drawer)


def topology_rows(logical: Sequence[LscpuRow], physical: Mapping[int, TopologyRow]) -> list[TopologyRow]:
    """Give rows from lscpu's running numbers, and the kernel's ids by CPU, which it prints with ``--physical``."""
    by_core: dict[int, list[int]] = {}
    by_socket: dict[int, list[int]] = {}
    for row in logical:
        if row.core is not None:
            by_core.setdefault(row.core, []).append(row.cpu)
        if row.socket is not None:
            by_socket.setdefault(row.socket, []).append(row.cpu)
    cores = {number: CpuSet(cpus) for number, cpus in by_core.items()}
    sockets = {number: CpuSet(cpus) for number, cpus in by_socket.items()}
    return [
        physical.get(row.cpu, TopologyRow(row.cpu))._replace(
            siblings=None if row.core is None else cores[row.core],
            package=None if row.socket is None else sockets[row.socket],
        )
        for row in logical
    ]
