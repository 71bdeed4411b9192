# SPDX-License-Identifier: Apache-2.0
"""Locks on what the usage of hosts is made of: their rows, and names that no row has yet."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, delete, func, select, update

from host_agent.store.schema import HOSTS, WORKLOADS
from host_agent.store.upsert import insert_missing

__all__ = ["NEXT_GENERATION", "hold", "hold_names"]

# SQLite takes 32,766 parameters in one statement, PostgreSQL 65,535.
_MOST_NAMES = 10_000
_NAMESPACE = UUID("5c1e1c58-6c0c-5b0e-9d0a-3a1a3b4ed6f0")

NEXT_GENERATION = func.coalesce(HOSTS.c.usage_generation, 0) + 1
_HOLD = update(HOSTS).where(HOSTS.c.uuid == bindparam("key_uuid")).values(usage_generation=NEXT_GENERATION)


def hold(connection: Connection, names: Collection[str]) -> None:
    """Lock the rows of all hosts of these names, in the order that everybody locks them in, or the names themselves."""
    unknown = set(names) - _hold_rows(connection, names)
    if unknown:
        hold_names(connection, unknown)
        # Whoever had one of these names locked until now has given it a row.
        _hold_rows(connection, unknown)


def hold_names(connection: Connection, names: Collection[str]) -> None:
    """Lock names that a row takes or may take, or what is recorded for one at this moment would miss the row."""
    places = [{"uuid": str(uuid5(_NAMESPACE, name))} for name in sorted(names)]
    if places:
        connection.execute(insert_missing(connection.dialect.name, WORKLOADS, "uuid"), places)
        # What was inserted keeps others from inserting the same until the transaction ends, there or not.
        connection.execute(delete(WORKLOADS).where(WORKLOADS.c.uuid == bindparam("uuid")), places)


def _hold_rows(connection: Connection, names: Collection[str]) -> set[str]:
    """Lock the rows of hosts, and give the names that have one."""
    found: dict[str, str] = {}
    remaining = iter(names)
    while part := list(islice(remaining, _MOST_NAMES)):
        query = select(HOSTS.c.uuid, HOSTS.c.host).where(HOSTS.c.host.in_(part), HOSTS.c.retired_at.is_(None))
        found.update((uuid, host) for uuid, host in connection.execute(query))
    if found:
        connection.execute(_HOLD, [{"key_uuid": uuid} for uuid in sorted(found)])
    return set(found.values())
