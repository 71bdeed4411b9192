# SPDX-License-Identifier: Apache-2.0
"""The columns of ``compute_host`` that tell what workloads hold: written by whoever changes what they are made of.

That is a workload, a migration, what an agent found, and the host's own totals. Each writer holds the rows of all hosts
concerned, changes what it has to, and settles them before it commits: so a row is right whenever anybody sees it.
Retired hosts are left as they are, and settled when they come back. The narrow rows of a host and of its nodes are made
of its columns, and written with them (`inventories`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from host_agent.numa import HostNuma
from host_agent.numa.inventory import digest_of, node_inventories
from host_agent.store.host_locks import NEXT_GENERATION
from host_agent.store.inventories import copy_hosts, has_copy, has_trait_set, remove_hosts, write_nodes
from host_agent.store.row import Row, rows
from host_agent.store.schema import FOUND_WORKLOADS, HOSTS, INVENTORIES, MIGRATIONS, WORKLOADS
from host_agent.store.upsert import utc_now
from host_agent.store.workload_columns import FIGURES, WORKLOAD_COLUMNS, workload_of
from host_agent.usage import FINISHED, FoundWorkloads, Migration, RecordedWorkload, Usage, usage
from host_agent.workloads.engine import ANSWERED

__all__ = ["HostInputs", "read_named", "read_page", "settle", "settle_hosts", "usage_of"]


_MIB, _GIB = 1024**2, 1024**3
_MIGRATION_COLUMNS = (
    "uuid",
    "workload_uuid",
    "source_host",
    "dest_host",
    "status",
    "migration_type",
    "vcpus",
    "memory_bytes",
    "disk_bytes",
)
_USED = (
    "vcpus_used",
    "pcpus_used",
    "memory_mb_used",
    "free_ram_mb",
    "local_gb_used",
    "free_disk_gb",
    "used_cpu",
    "running_vms",
    "current_workload",
)
_FINISHED = sorted(FINISHED)


@dataclass(slots=True, kw_only=True)
class HostInputs:
    """One row of ``compute_host``, and all that its usage is made of.

    Attributes:
        row: its columns of usage, and what they are held against.
        recorded: what is recorded for it, or on its way to or from it.
        migrations: those in progress that touch it.
        found: rows of what was found on it, by uuid.
    """

    row: dict[str, Any]
    recorded: Sequence[RecordedWorkload] = ()
    migrations: Sequence[Migration] = ()
    found: dict[str, Row] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        """The host's uuid."""
        return cast(str, self.row["uuid"])

    @property
    def host(self) -> str:
        """The host's name in the ``host`` columns."""
        return cast(str, self.row["host"])


def settle_hosts(connection: Connection, names: Iterable[str]) -> None:
    """Settle all hosts of these names; the caller holds them."""
    settle(connection, read_named(connection, names))


def read_named(connection: Connection, names: Iterable[str], *, labels: bool = False) -> list[HostInputs]:
    """Read what the usage of all hosts of these names is made of, by the order of their uuids.

    Args:
        connection: in a transaction.
        names: some thousands at most.
        labels: whether the labels of what was found are wanted too.
    """
    return _with_inputs(connection, rows(connection, _NAMED, {"names": sorted(names)}), labels)


def read_page(connection: Connection, after: str, limit: int) -> list[HostInputs]:
    """Read the same of so many hosts at most, from the first whose uuid is greater than `after`."""
    return _with_inputs(connection, rows(connection, _PAGE, {"after": after, "limit": limit}))


def _with_inputs(connection: Connection, found: list[Row], labels: bool = False) -> list[HostInputs]:
    hosts = [HostInputs(row=row) for row in found]
    # A row whose name another one took over holds nothing any more: the same workload would count on both.
    named = {host.host: host for host in hosts if host.row["is_holder"]}
    if named:
        _read_said(connection, named)
        _read_found(connection, {host.uuid: host for host in named.values()}, labels)
    return hosts


def settle(connection: Connection, hosts: Iterable[HostInputs], measured: Mapping[str, str] | None = None) -> int:
    """Write the usage of hosts where it differs from what is stored; a row that changed since it was read is left.

    Args:
        connection: in a transaction.
        hosts: as they were read.
        measured: uuid -> ``numa_topology`` as its agent gave it just now.

    Returns:
        how many rows changed.
    """
    changed, retired = [], []
    for host in hosts:
        row = host.row
        if row["retired_at"] is None:
            columns = _columns(host, (measured or {}).get(host.uuid, row["numa_topology"]))
            if _differs(row, columns):
                changed.append((row, columns))
        elif row["inventory_id"] is not None:
            retired.append(row["id"])
    if retired:
        remove_hosts(connection, retired)
    return _write(connection, changed) if changed else 0


def _differs(row: dict[str, Any], columns: Row) -> bool:
    return (
        not row["has_copy"]
        or row["nodes_digest"] != _digest(row, columns["numa_topology"])
        or any(row[name] != value for name, value in columns.items())
    )


def _digest(row: dict[str, Any], numa_topology: object) -> str | None:
    return None if numa_topology is None else digest_of(str(numa_topology), row["ram_allocation_ratio"])


def _write(connection: Connection, changed: Iterable[tuple[dict[str, Any], Row]]) -> int:
    """Write rows of hosts unless they changed since they were read, and the narrow rows of those."""
    written = []
    for row, columns in changed:
        # One by one: of many at once the servers tell only how many were left.
        key = {"key_uuid": row["uuid"], "key_generation": row["usage_generation"]}
        if connection.execute(_WRITE, columns | key).rowcount:
            written.append((row, cast("str | None", columns["numa_topology"])))
    copy_hosts(connection, [row["id"] for row, _ in written])
    for row, numa_topology in written:
        digest, numa = _digest(row, numa_topology), _nodes(numa_topology)
        if row["nodes_digest"] != digest:
            nodes = () if numa is None else node_inventories(numa, ram_ratio=row["ram_allocation_ratio"])
            write_nodes(connection, row["id"], digest, nodes)
    return len(written)


def usage_of(host: HostInputs, numa_topology: str | None = None) -> Usage:
    """Tell what the workloads of a host hold.

    Args:
        host: as it was read.
        numa_topology: the host's nodes, as JSON.
    """
    workloads = tuple(map(workload_of, host.found.values()))
    nameless = frozenset({workload.engine for workload in workloads} - _told(host.row["engines"]))
    found = FoundWorkloads(workloads=workloads, nameless=nameless)
    return usage(host.host, host.recorded, host.migrations, found, _nodes(numa_topology))


def _columns(host: HostInputs, numa_topology: str | None) -> Row:
    row, used = host.row, usage_of(host, numa_topology)
    nodes = {"numa_topology": numa_topology if used.numa is None else used.numa.to_json()}
    if row["is_unseen"] and not used.holdings:
        # Its agent could not look, and nobody else knows of anything: that is not nothing.
        return dict.fromkeys(_USED) | nodes
    memory_mb = (row["reserved_host_memory_mb"] or 0) + _units(used.memory_bytes, _MIB)
    local_gb = _units((row["reserved_host_disk_mb"] or 0) * _MIB + used.disk_bytes, _GIB)
    return nodes | {
        # Rounded first: ten tenths of a CPU are one, whatever floats make of them.
        "vcpus_used": (row["reserved_host_cpus"] or 0) + ceil(round(used.vcpus, 6)),
        "pcpus_used": used.pcpus,
        "memory_mb_used": memory_mb,
        "free_ram_mb": None if row["memory_mb"] is None else row["memory_mb"] - memory_mb,
        "local_gb_used": local_gb,
        "free_disk_gb": None if row["local_gb"] is None else row["local_gb"] - local_gb,
        "used_cpu": round(used.container_vcpus, 6),
        "running_vms": used.running_vms,
        "current_workload": used.migrations,
    }


def _units(size_bytes: int, unit_bytes: int) -> int:
    """Round up: what is begun is not free."""
    return -(-size_bytes // unit_bytes)


def _told(engines: str | None) -> set[str]:
    """Give the names of the engines that told themselves what they run, as ``compute_host.engines`` has them."""
    try:
        return {engine["engine"] for engine in json.loads(engines or "[]") if engine["status"] == ANSWERED}
    except (KeyError, TypeError, ValueError):
        return set()  # what another program wrote is no reason to lose the rest


@lru_cache(maxsize=64)
def _nodes(numa_topology: str | None) -> HostNuma | None:
    try:
        return None if numa_topology is None else HostNuma.from_json(numa_topology)
    except ValueError:
        return None  # what another program wrote is no reason to lose the rest


def _read_said(connection: Connection, named: Mapping[str, HostInputs]) -> None:
    """Read what is recorded for hosts, and what is on its way to or from them."""
    recorded: dict[str, dict[str, RecordedWorkload]] = defaultdict(dict)
    migrations: dict[str, dict[str, Migration]] = defaultdict(dict)
    for row in connection.execute(_SAID, {"names": list(named)}).mappings():
        concerned = {row["host"]}
        if row["m_uuid"] is not None:
            migration = Migration(**{name: row[f"m_{name}"] for name in _MIGRATION_COLUMNS})
            concerned = {migration.source_host, migration.dest_host}
            for name in concerned:
                migrations[name][migration.uuid] = migration
        if row["uuid"] is not None:
            record = RecordedWorkload(workload=workload_of(row), host=row["host"], missing_since=row["missing_since"])
            for name in concerned:
                recorded[name][row["uuid"]] = record
    for name, host in named.items():
        host.recorded, host.migrations = tuple(recorded[name].values()), tuple(migrations[name].values())


def _read_found(connection: Connection, hosts: Mapping[str, HostInputs], labels: bool) -> None:
    query = _FOUND_WHOLE if labels else _FOUND_FIGURES
    for row in connection.execute(query, {"uuids": list(hosts)}).mappings():
        columns = dict(row)
        hosts[columns.pop("host_uuid")].found[row["uuid"]] = columns


def _is_holder() -> ColumnElement[bool]:
    """Give the condition that no other host has this row's name: one that has a service, else the newest."""
    other = HOSTS.alias()
    serves, other_serves = (table.c.service_id.is_not(None) for table in (HOSTS, other))
    comes_first = or_(and_(other_serves, ~serves), and_(other_serves == serves, other.c.id > HOSTS.c.id))
    taken = exists().where(other.c.host == HOSTS.c.host, other.c.retired_at.is_(None), comes_first)
    return and_(HOSTS.c.retired_at.is_(None), ~taken)


_WRITE = (
    update(HOSTS)
    .where(HOSTS.c.uuid == bindparam("key_uuid"), HOSTS.c.retired_at.is_(None))
    .where(func.coalesce(HOSTS.c.usage_generation, 0) == bindparam("key_generation"))
    .values({name: bindparam(name) for name in (*_USED, "numa_topology")} | {"usage_generation": NEXT_GENERATION})
)
_ROWS = select(
    *(
        HOSTS.c[name]
        for name in (
            "id",
            "uuid",
            "host",
            "boot_id",
            "sequence",
            "retired_at",
            "memory_mb",
            "local_gb",
            "reserved_host_cpus",
            "reserved_host_memory_mb",
            "reserved_host_disk_mb",
            "ram_allocation_ratio",
            "engines",
            "numa_topology",
            *_USED,
        )
    ),
    func.coalesce(HOSTS.c.usage_generation, 0).label("usage_generation"),
    and_(HOSTS.c.engines.is_not(None), HOSTS.c.workloads_at.is_(None)).label("is_unseen"),
    _is_holder().label("is_holder"),
    INVENTORIES.c.id.label("inventory_id"),
    INVENTORIES.c.nodes_digest,
    has_copy().label("has_copy"),
    has_trait_set().label("has_trait_set"),
    utc_now().label("now"),
)
_ROWS = _ROWS.select_from(HOSTS.outerjoin(INVENTORIES, INVENTORIES.c.id == HOSTS.c.id)).order_by(HOSTS.c.uuid)
_RECORD = [WORKLOADS.c[name] for name in (*FIGURES, "host", "missing_since")]
_MOVE = [MIGRATIONS.c[name].label(f"m_{name}") for name in _MIGRATION_COLUMNS]
_NAMES: BindParameter[Any] = bindparam("names", expanding=True)
_NAMED = _ROWS.where(HOSTS.c.host.in_(_NAMES))
_PAGE = _ROWS.where(HOSTS.c.uuid > bindparam("after")).limit(bindparam("limit", type_=Integer))
# One question for both. The join that matches nothing, by an id that no row has, gives columns of the right types.
# Each column of hosts is asked apart: for `or` no server uses both indexes.
_SAID = union_all(
    select(*_RECORD, *_MOVE)
    .select_from(WORKLOADS.outerjoin(MIGRATIONS, MIGRATIONS.c.id == 0))
    .where(WORKLOADS.c.host.in_(_NAMES)),
    *(
        select(*_RECORD, *_MOVE)
        .select_from(MIGRATIONS.outerjoin(WORKLOADS, WORKLOADS.c.uuid == MIGRATIONS.c.workload_uuid))
        .where(column.in_(_NAMES), MIGRATIONS.c.status.not_in(_FINISHED))
        for column in (MIGRATIONS.c.source_host, MIGRATIONS.c.dest_host)
    ),
)
_FOUND_WHOLE, _FOUND_FIGURES = (
    select(FOUND_WORKLOADS.c.host_uuid, *(FOUND_WORKLOADS.c[name] for name in names)).where(
        FOUND_WORKLOADS.c.host_uuid.in_(bindparam("uuids", expanding=True))
    )
    for names in (WORKLOAD_COLUMNS, FIGURES)
)
