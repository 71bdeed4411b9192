# SPDX-License-Identifier: Apache-2.0
"""The table ``workloads``: what an orchestrator says runs, and on which host."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection, Engine, and_, case, delete, func, null, select, update

from host_agent.errors import InvalidWorkload, UnknownMarker
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import WORKLOADS
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.upsert import utc_now
from host_agent.store.usage_change import change_usage
from host_agent.store.workload_columns import columns_of, known_uuid
from host_agent.workloads.workload import CONTAINER, VM, Workload

__all__ = ["delete_workload", "get_workload", "list_workloads", "record_workload"]

# What outside readers see of it.
_COLUMNS = [column for column in WORKLOADS.columns if column.name not in ("id", "generation")]


@retry_temporary
def record_workload(engine: Engine, workload: Workload, host: str | None) -> bool:
    """Record a workload for a host, in the place of what was recorded of it; to repeat it is harmless.

    What it holds moves from its old host to the new one at the same moment.

    Args:
        engine: the database.
        workload: the workload; ``None`` among its figures is taken from what is found of it.
        host: as in ``compute_host.host``, which need not be there yet; ``None``: it has no host.

    Returns:
        whether nothing was recorded of it before.

    Raises:
        InvalidWorkload: its uuid is none, or its kind is said and neither ``container`` nor ``vm``.
        StoreError: one of its children.
    """
    uuid = known_uuid(workload.uuid, "workload")
    columns = columns_of(workload) | {"uuid": uuid, "host": host}
    if columns["kind"] not in (CONTAINER, VM, None):
        raise InvalidWorkload(f"workload {uuid}: kind {workload.kind!r} is neither {CONTAINER!r} nor {VM!r}")
    if _is_recorded(engine, columns):
        return False
    return change_usage(engine, lambda _: {uuid}, [host], lambda connection: _write(connection, columns))


@retry_temporary
def delete_workload(engine: Engine, uuid: str) -> bool:
    """Forget what is recorded of a workload, and free what it held.

    Returns:
        whether anything was recorded of it.

    Raises:
        StoreError: one of its children.
    """
    uuid = uuid.lower()
    mine = (WORKLOADS.c.uuid == uuid) & WORKLOADS.c.created_at.is_not(None)
    with reading(engine) as connection:
        if first_row(connection, select(WORKLOADS.c.id).where(mine)) is None:
            return False
    return change_usage(
        engine, lambda _: {uuid}, [], lambda connection: connection.execute(delete(WORKLOADS).where(mine)).rowcount > 0
    )


@retry_temporary
def get_workload(engine: Engine, uuid: str) -> Row | None:
    """Give what is recorded of a workload, as `list_workloads` does; ``None`` where nothing is.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return first_row(connection, select(*_COLUMNS).where(WORKLOADS.c.uuid == uuid.lower()))


@retry_temporary
def list_workloads(
    engine: Engine, *, host: str | None = None, limit: int = 1000, marker: str | None = None
) -> list[Row]:
    """Give one page of recorded workloads, oldest first; ``hugepages``, ``numa_nodes`` and ``labels`` are JSON text.

    Args:
        engine: the database.
        host: only those recorded for this host; ``None`` is all.
        limit: rows at most.
        marker: the uuid of the last row of the page before.

    Raises:
        UnknownMarker: no workload has the uuid `marker`.
        StoreError: one of its children.
    """
    query = select(*_COLUMNS).order_by(WORKLOADS.c.id).limit(limit)
    if host is not None:
        query = query.where(WORKLOADS.c.host == host)
    with reading(engine) as connection:
        if marker is not None:
            last = connection.execute(
                select(WORKLOADS.c.id).where(WORKLOADS.c.uuid == marker.lower())
            ).scalar_one_or_none()
            if last is None:
                raise UnknownMarker(marker, "workload")
            query = query.where(WORKLOADS.c.id > last)
        return rows(connection, query)


def _is_recorded(engine: Engine, columns: Row) -> bool:
    with reading(engine) as connection:
        stored = first_row(connection, select(WORKLOADS).where(WORKLOADS.c.uuid == columns["uuid"]))
    return stored is not None and all(stored[name] == value for name, value in columns.items())


def _write(connection: Connection, columns: Row) -> bool:
    """Fill the workload's row, which is there and locked; tell whether nothing was recorded in it."""
    mine = WORKLOADS.c.uuid == columns["uuid"]
    is_new = connection.execute(select(WORKLOADS.c.created_at).where(mine)).scalar_one() is None
    # Elsewhere, or in another state, it was not looked for yet.
    is_same = and_(WORKLOADS.c.host == columns["host"], WORKLOADS.c.state == columns["state"])
    # MySQL assigns from left to right, and sees the new values of those before.
    changes: list[tuple[str, object]] = [("missing_since", case((is_same, WORKLOADS.c.missing_since), else_=null()))]
    changes += [(name, value) for name, value in columns.items() if name != "uuid"]
    changes += [("created_at", func.coalesce(WORKLOADS.c.created_at, utc_now())), ("updated_at", utc_now())]
    connection.execute(update(WORKLOADS).where(mine).ordered_values(*cast(Any, changes)))
    return is_new
