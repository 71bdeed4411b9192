# SPDX-License-Identifier: Apache-2.0
"""The narrow rows of hosts and nodes: written together with what they are made of, in the same transaction.

Figures of a host are copied inside the database, so that a copy is what its row says, whoever wrote that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, and_, bindparam, delete, insert, select, update

from host_agent.numa.inventory import ORDINARY, NodeInventory, total
from host_agent.resource_usage import MEMORY, VCPU
from host_agent.store.inventory_sums import add_up
from host_agent.store.resource_columns import resource_columns
from host_agent.store.schema import HOSTS, INVENTORIES, NODES, TRAIT_SETS
from host_agent.store.upsert import insert_missing, upsert_from_select

__all__ = [
    "copy_hosts",
    "has_copy",
    "has_trait_set",
    "keep_trait_sets",
    "remove_hosts",
    "remove_strays",
    "serve_host",
    "write_nodes",
]


_RESOURCES = resource_columns(HOSTS)
_SUMMED_UP = (
    *("vcpus", "vcpus_used", "pcpus", "pcpus_used", "reserved_host_cpus", "cpu_allocation_ratio"),
    *("memory_mb", "memory_mb_used", "reserved_host_memory_mb", "ram_allocation_ratio"),
    *("local_gb", "local_gb_used", "reserved_host_disk_mb", "disk_allocation_ratio"),
)
# What has the same name in both tables, and what is made of it.
_COPIED: Mapping[str, ColumnElement[Any]] = {
    **{column.name: HOSTS.c[column.name] for column in INVENTORIES.columns if column.name in HOSTS.c},
    "is_complete": and_(*(HOSTS.c[name].is_not(None) for name in _SUMMED_UP)),
    "free_vcpus": _RESOURCES[VCPU].free,
    "free_memory_mb": _RESOURCES[MEMORY].free,
}
# SQLite takes 32,766 parameters in one statement.
_MOST_KEYS = 1000


def has_copy() -> ColumnElement[bool]:
    """Give the condition that the copy of a host, joined by its id, says what the host's row says; never NULL."""
    return and_(*(INVENTORIES.c[name].is_not_distinct_from(value) for name, value in _COPIED.items()))


def has_trait_set() -> ColumnElement[bool]:
    """Give the condition that the names of a host's traits are kept, or there are none to keep; never NULL."""
    kept = select(TRAIT_SETS.c.id).where(TRAIT_SETS.c.id == HOSTS.c.trait_set_id)
    return HOSTS.c.trait_set_id.is_(None) | kept.exists()


def copy_hosts(connection: Connection, ids: Collection[int]) -> None:
    """Copy the figures of hosts that are not retired; the caller holds their rows."""
    for keys in _chunks(sorted(ids)):
        connection.execute(_copy(connection.dialect.name), {"ids": keys})
    add_up(connection, ids)


def remove_hosts(connection: Connection, ids: Collection[int]) -> None:
    """Remove the rows of hosts that are gone or retired."""
    for keys in _chunks(sorted(ids)):
        connection.execute(delete(NODES).where(NODES.c.host_id.in_(keys)))
        connection.execute(delete(INVENTORIES).where(INVENTORIES.c.id.in_(keys)))
    add_up(connection, ids)


def remove_strays(connection: Connection) -> int:
    """Remove the rows of hosts that a release left behind which did not know these tables; tell how many hosts'."""
    known = select(HOSTS.c.id).where(HOSTS.c.id == INVENTORIES.c.id, HOSTS.c.retired_at.is_(None))
    strays = connection.execute(select(INVENTORIES.c.id).where(~known.exists())).scalars().all()
    remove_hosts(connection, strays)
    return len(strays)


def serve_host(connection: Connection, ids: Collection[int], service_id: int | None) -> None:
    """Write which service hosts have."""
    mine = (INVENTORIES.c.id.in_(ids), INVENTORIES.c.service_id.is_distinct_from(service_id))
    if connection.execute(update(INVENTORIES).where(*mine).values(service_id=service_id)).rowcount:
        add_up(connection, ids)


def write_nodes(connection: Connection, host_id: int, digest: str | None, nodes: Sequence[NodeInventory]) -> None:
    """Write what the nodes of a host have left; the caller holds the host's row, and has copied it.

    Args:
        connection: in a transaction.
        host_id: as in ``compute_host.id``.
        digest: of what `nodes` are made of.
        nodes: none where nobody can tell.
    """
    connection.execute(delete(NODES).where(NODES.c.host_id == host_id))
    if nodes:
        connection.execute(insert(NODES), [{"host_id": host_id, **asdict(node)} for node in nodes])
    mine = update(INVENTORIES).where(INVENTORIES.c.id == host_id)
    connection.execute(mine.values(nodes_digest=digest, **_sums(nodes)))


def keep_trait_sets(connection: Connection, sets: Mapping[int, Sequence[str]]) -> None:
    """Write the names of sets of traits by the sets' ids, unless they are there."""
    if sets:
        statement = insert_missing(connection.dialect.name, TRAIT_SETS, "id")
        # In the order that everybody locks them in.
        kept = [{"id": key, "names": f" {' '.join(names)} "} for key, names in sorted(sets.items())]
        connection.execute(statement, kept)


def _sums(nodes: Iterable[NodeInventory]) -> Mapping[str, int | None]:
    of_ordinary = [node for node in nodes if node.page_size_bytes == ORDINARY]
    if not of_ordinary:
        return dict.fromkeys(_SUMMED)
    return {column: total(getattr(node, name) for node in of_ordinary) for column, name in _SUMMED.items()}


def _chunks(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    return (keys[start : start + _MOST_KEYS] for start in range(0, len(keys), _MOST_KEYS))


@lru_cache
def _copy(dialect: str) -> Insert:
    ids: Any = bindparam("ids", expanding=True)
    source = select(*_COPIED.values()).where(HOSTS.c.id.in_(ids), HOSTS.c.retired_at.is_(None))
    return upsert_from_select(dialect, INVENTORIES, "id", list(_COPIED), source)


_SUMMED = {
    "floating_cpus": "floating_cpus",
    "pinning_cpus": "pinning_cpus",
    "either_cpus": "either_cpus",
    "node_free_bytes": "free_bytes",
}
