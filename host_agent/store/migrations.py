# SPDX-License-Identifier: Apache-2.0
"""The table ``migrations``: workloads on their way from one host to another, and those that have arrived."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, Engine, delete, insert, or_, select, update

from host_agent.errors import UnknownMarker
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import MIGRATIONS
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.upsert import utc_now
from host_agent.store.usage_change import change_usage
from host_agent.store.workload_columns import amounts, known_uuid
from host_agent.usage import FINISHED, Migration

__all__ = ["delete_migration", "get_migration", "list_migrations", "record_migration"]

_COLUMNS = [column for column in MIGRATIONS.columns if column.name != "id"]


@retry_temporary
def record_migration(engine: Engine, migration: Migration) -> bool:
    """Record how far a migration is, in the place of what was recorded of it; to repeat it is harmless.

    As long as it is in progress it counts on both its hosts, on the source until the workload has left.

    Returns:
        whether nothing was recorded of it before.

    Raises:
        InvalidWorkload: its uuid, or that of its workload, is none.
        StoreError: one of its children.
    """
    columns = asdict(migration) | amounts(migration) | {"status": migration.status.lower()}
    columns["uuid"] = known_uuid(migration.uuid, "migration")
    columns["workload_uuid"] = known_uuid(migration.workload_uuid, "workload")
    with reading(engine) as connection:
        stored = first_row(connection, select(*_COLUMNS).where(MIGRATIONS.c.uuid == columns["uuid"]))
    if stored is not None and all(stored[name] == value for name, value in columns.items()):
        return False
    return change_usage(
        engine,
        lambda connection: _workloads_of(connection, columns["uuid"]) | {columns["workload_uuid"]},
        [migration.source_host, migration.dest_host],
        lambda connection: _write(connection, columns),
    )


@retry_temporary
def delete_migration(engine: Engine, uuid: str) -> bool:
    """Forget a migration, and free what it held.

    Returns:
        whether there was one.

    Raises:
        StoreError: one of its children.
    """
    mine = MIGRATIONS.c.uuid == uuid.lower()
    return change_usage(
        engine,
        lambda connection: _workloads_of(connection, uuid.lower()),
        [],
        lambda connection: connection.execute(delete(MIGRATIONS).where(mine)).rowcount > 0,
    )


@retry_temporary
def get_migration(engine: Engine, uuid: str) -> Row | None:
    """Give a migration; ``None`` where there is none.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return first_row(connection, select(*_COLUMNS).where(MIGRATIONS.c.uuid == uuid.lower()))


@retry_temporary
def list_migrations(
    engine: Engine,
    *,
    host: str | None = None,
    in_progress: bool = False,
    limit: int = 1000,
    marker: str | None = None,
) -> list[Row]:
    """Give one page of migrations, oldest first.

    Args:
        engine: the database.
        host: only those from or to this host; ``None`` is all.
        in_progress: only those that are not finished.
        limit: rows at most.
        marker: the uuid of the last row of the page before.

    Raises:
        UnknownMarker: no migration has the uuid `marker`.
        StoreError: one of its children.
    """
    query = select(*_COLUMNS).order_by(MIGRATIONS.c.id).limit(limit)
    if host is not None:
        query = query.where(or_(MIGRATIONS.c.source_host == host, MIGRATIONS.c.dest_host == host))
    if in_progress:
        query = query.where(MIGRATIONS.c.status.not_in(sorted(FINISHED)))
    with reading(engine) as connection:
        if marker is not None:
            last = connection.execute(
                select(MIGRATIONS.c.id).where(MIGRATIONS.c.uuid == marker.lower())
            ).scalar_one_or_none()
            if last is None:
                raise UnknownMarker(marker, "migration")
            query = query.where(MIGRATIONS.c.id > last)
        return rows(connection, query)


def _workloads_of(connection: Connection, uuid: str) -> set[str]:
    """Give the workload that a stored migration moves."""
    return set(connection.execute(select(MIGRATIONS.c.workload_uuid).where(MIGRATIONS.c.uuid == uuid)).scalars())


def _write(connection: Connection, columns: Row) -> bool:
    moment = utc_now()
    change = update(MIGRATIONS).where(MIGRATIONS.c.uuid == columns["uuid"])
    is_new = connection.execute(change.values(columns | {"updated_at": moment})).rowcount == 0
    if is_new:
        connection.execute(insert(MIGRATIONS).values(columns | {"created_at": moment, "updated_at": moment}))
    return is_new
