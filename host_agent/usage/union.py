# SPDX-License-Identifier: Apache-2.0
"""The union of all that names a host: each workload once, however many say that it is there. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import fsum
from operator import attrgetter
from typing import TypeVar

from host_agent.numa import HostNuma
from host_agent.usage.holding import INCOMING, ORPHAN, OUTGOING, RECORDED, Holding, Usage
from host_agent.usage.inputs import RELEASED, FoundWorkloads, Migration, RecordedWorkload
from host_agent.workloads.workload import CONTAINER, RUNNING, STOPPED, VM, Workload

__all__ = ["usage"]

_NOTHING = FoundWorkloads()
_Size = TypeVar("_Size", int, float)


def usage(
    host: str,
    recorded: Iterable[RecordedWorkload],
    migrations: Iterable[Migration],
    found: FoundWorkloads | None = None,
    numa: HostNuma | None = None,
) -> Usage:
    """Tell what the workloads of a host hold; the order of what is given makes no difference.

    Args:
        host: as in ``compute_host.host``.
        recorded: what is recorded for it, and of the workloads that `migrations` and `found` name.
        migrations: any; those that are finished or do not touch the host change nothing.
        found: what its agent found there; ``None``: it did not look.
        numa: the host's nodes, whatever is pinned to them.
    """
    found = found or _NOTHING
    records = {record.workload.uuid: record for record in recorded}
    # A record that holds nothing says nothing: neither does a migration of such a workload hold anything.
    released = {uuid for uuid, record in records.items() if record.workload.state in RELEASED}
    here = {workload.uuid: workload for workload in found.workloads}
    moves = _moves(host, migrations)
    uuids = {uuid for uuid, record in records.items() if record.host == host}
    uuids.update(moves)
    uuids -= released
    uuids.update(here.keys() - _known_by_another_uuid(host, records, here, found.nameless))
    holdings = []
    for uuid in sorted(uuids):
        record = None if uuid in released else records.get(uuid)
        touching = () if uuid in released else moves.get(uuid, ())
        holding = _holding(host, uuid, record, touching, here.get(uuid), found)
        if holding is not None:
            holdings.append(holding)
    return _sums(tuple(holdings), sum(map(len, moves.values())), numa)


def _known_by_another_uuid(
    host: str, records: Mapping[str, RecordedWorkload], here: Mapping[str, Workload], nameless: Collection[str]
) -> set[str]:
    """Give found containers that are taken for recorded ones, of which none was found by its own uuid.

    An orchestrator's uuid is in the name of a container, and control groups do not know it. To count both would count
    one workload twice.
    """
    waiting = Counter(
        record.workload.engine
        for uuid, record in records.items()
        if record.host == host and uuid not in here and _may_run(record.workload)
    )
    taken = set()
    for uuid in sorted(here.keys() - records.keys()):
        engine = here[uuid].engine
        said = next((name for name in (engine, "") if waiting[name]), None)
        if said is not None and engine in nameless and _may_run(here[uuid]):
            waiting[said] -= 1
            taken.add(uuid)
    return taken


def _may_run(workload: Workload) -> bool:
    return workload.kind == CONTAINER and workload.state not in RELEASED and workload.state != STOPPED


def _moves(host: str, migrations: Iterable[Migration]) -> dict[str, list[Migration]]:
    """Give the migrations in progress that touch `host`, by their workload."""
    moves: dict[str, list[Migration]] = defaultdict(list)
    for migration in migrations:
        if host in (migration.source_host, migration.dest_host) and not migration.is_finished:
            moves[migration.workload_uuid].append(migration)
    return moves


def _holding(
    host: str,
    uuid: str,
    record: RecordedWorkload | None,
    moves: Sequence[Migration],
    found: Workload | None,
    list_of_found: FoundWorkloads,
) -> Holding | None:
    """Give what a workload holds of `host`; ``None`` where it has left."""
    recorded_host = None if record is None else record.host
    is_missing = False
    if record is not None and recorded_host == host:
        source, held = RECORDED, record.workload
        is_missing = found is None and not moves and _is_missed(record, list_of_found)
        if found is not None:
            held = _merged(held, found)
        if moves and any(move.is_on_one_host for move in moves):
            held = _larger(held, [move for move in moves if move.is_on_one_host])
    elif moves:
        source = INCOMING if any(move.dest_host == host for move in moves) else OUTGOING
        if source == OUTGOING and recorded_host is not None and found is None:
            return None
        held = _moving(uuid, record, moves, found)
    else:
        assert found is not None
        source, held = ORPHAN, _orphan(found)
    return Holding(
        workload=held,
        source=source,
        is_found=found is not None,
        is_missing=is_missing,
        recorded_host=recorded_host,
        migrations=tuple(sorted(moves, key=attrgetter("uuid"))) if moves else (),
    )


def _is_missed(record: RecordedWorkload, found: FoundWorkloads) -> bool:
    return record.missing_since is not None or found.would_list(record.workload)


def _merged(said: Workload, found: Workload) -> Workload:
    """Give what was said of a workload, filled up by what was found of it, in the state that was found."""
    if said == found:
        return said
    # Not replace(), which takes three times as long: that would be most of the time of a host's usage.
    return Workload(
        uuid=said.uuid,
        name=said.name,
        engine=said.engine,
        kind=said.kind,
        state=found.state,
        vcpus=found.vcpus if said.vcpus is None else said.vcpus,
        cpuset=said.cpuset if found.cpuset is None else found.cpuset,
        memory_bytes=found.memory_bytes if said.memory_bytes is None else said.memory_bytes,
        hugepages=found.hugepages if said.hugepages is None else said.hugepages,
        disk_bytes=found.disk_bytes if said.disk_bytes is None else said.disk_bytes,
        numa_nodes=found.numa_nodes if said.numa_nodes is None else said.numa_nodes,
        labels=said.labels,
    )


def _larger(held: Workload, moves: Iterable[Migration]) -> Workload:
    """Give a workload that is between sizes on one host: the larger of each."""
    sizes: tuple[Workload | Migration, ...] = (held, *moves)
    return replace(
        held,
        vcpus=_largest(size.vcpus for size in sizes),
        memory_bytes=_largest(size.memory_bytes for size in sizes),
        disk_bytes=_largest(size.disk_bytes for size in sizes),
    )


def _moving(uuid: str, record: RecordedWorkload | None, moves: Sequence[Migration], found: Workload | None) -> Workload:
    """Give a workload as its migrations say, then its record, then what was found of it."""
    said = record.workload if record is not None else found
    if said is None:
        # Containers are not migrated.
        said = Workload(uuid=uuid, name=uuid, engine="", kind=VM, state="migrating")
    if record is not None and (said.cpuset is not None or said.numa_nodes is not None):
        said = replace(said, cpuset=None, numa_nodes=None)  # those of another host
    held = said if found is None else _merged(said, found)
    sizes = {(move.vcpus, move.memory_bytes, move.disk_bytes) for move in moves}
    if sizes == {(None, None, None)}:
        return held
    if all(move.is_on_one_host for move in moves):
        return _larger(held, moves)
    return replace(
        held,
        vcpus=_largest((vcpus for vcpus, _, _ in sizes), held.vcpus),
        memory_bytes=_largest((memory for _, memory, _ in sizes), held.memory_bytes),
        disk_bytes=_largest((disk for _, _, disk in sizes), held.disk_bytes),
    )


def _orphan(found: Workload) -> Workload:
    """Give what a workload that nobody recorded here holds: nobody will start it again, so a stopped one its disk."""
    if found.state != STOPPED:
        return found
    return replace(found, vcpus=0.0, cpuset=None, memory_bytes=0, hugepages=(), numa_nodes=None)


def _sums(holdings: tuple[Holding, ...], migrations: int, numa: HostNuma | None) -> Usage:
    vcpus, container_vcpus = [], []
    memory_bytes = disk_bytes = running_vms = 0
    for holding in holdings:
        held = holding.workload
        if held.vcpus is not None:
            vcpus.append(held.vcpus)
            if held.kind == CONTAINER:
                container_vcpus.append(held.vcpus)
        memory_bytes += held.memory_bytes or 0
        disk_bytes += held.disk_bytes or 0
        # One that comes runs on its source until it was found here.
        running_vms += held.kind == VM and held.state == RUNNING and (holding.is_found or holding.source != INCOMING)
    return Usage(
        holdings=holdings,
        # fsum: the same whatever the order, where the sum of floats is not.
        vcpus=fsum(vcpus),
        memory_bytes=memory_bytes,
        disk_bytes=disk_bytes,
        container_vcpus=fsum(container_vcpus),
        running_vms=running_vms,
        migrations=migrations,
        numa=numa and numa.holding(holding.workload for holding in holdings),
    )


def _largest(sizes: Iterable[_Size | None], otherwise: _Size | None = None) -> _Size | None:
    return max((size for size in sizes if size is not None), default=otherwise)
