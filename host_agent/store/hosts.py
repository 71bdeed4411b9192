# SPDX-License-Identifier: Apache-2.0
"""What operators do to hosts: retire them, take them back, remove those that are long gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, delete, func, select, update

from host_agent.store.compute_host import listed
from host_agent.store.events import StoreEvent, record_events
from host_agent.store.host_locks import hold_names
from host_agent.store.inventories import remove_hosts
from host_agent.store.row import Row, first_row, now, rows
from host_agent.store.schema import EVENTS, FOUND_WORKLOADS, HOSTS, SERVICES
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.upsert import utc_now
from host_agent.store.usage import settle_hosts

__all__ = ["forget", "prune", "retire"]

# So many hosts are locked at once while their rows are removed.
_PAGE = 200


@retry_temporary
def retire(engine: Engine, uuid: str, undo: bool = False) -> bool:
    """Take a host out of service, or back into it; its row stays, its reports are refused meanwhile.

    Returns:
        whether that changed anything: ``False`` for a host that is retired already, or that is not there.

    Raises:
        StoreError: one of its children.
    """
    is_retired = HOSTS.c.retired_at.is_not(None)
    with transaction(engine) as connection:
        query = select(HOSTS.c.host, HOSTS.c.service_id).where(HOSTS.c.uuid == uuid)
        host = first_row(connection, query.where(is_retired if undo else ~is_retired).with_for_update())
        if host is None:
            return False
        moment = now(connection)
        change = {"retired_at": None} if undo else {"retired_at": moment, "service_id": None}
        connection.execute(update(HOSTS).where(HOSTS.c.uuid == uuid).values(change))
        if undo:
            hold_names(connection, [host["host"]])
        else:
            # The agent's next heartbeat finds nothing, so that it registers and is told.
            connection.execute(delete(SERVICES).where(SERVICES.c.id == host["service_id"]))
        code, what = ("host-restored", "took it back") if undo else ("host-retired", "retired it")
        event = StoreEvent(code=code, message=f"an operator {what}", detail={"host": host["host"]}, at=moment)
        record_events(connection, uuid, host["host"], [event])
        # What it missed meanwhile; or another row of this name counts from now on.
        settle_hosts(connection, [host["host"]])
    return True


def prune(
    engine: Engine, *, older_than_seconds: float, uuids: Sequence[str] | None = None, dry_run: bool = False
) -> list[Row]:
    """Remove the hosts that were not heard of for so long, with their services, their events and what was found there.

    A host was heard of when its service was last seen or its row was last written, whichever is later. Where neither
    is known it stays. Each page of hosts is a transaction of its own.

    Args:
        engine: the database.
        older_than_seconds: for how long nothing was heard of them, by the database's clock.
        uuids: only of these hosts; ``None`` is all.
        dry_run: whether to remove nothing.

    Returns:
        what was removed or, at a dry run, would be; as `list_hosts` gives it, oldest first.

    Raises:
        StoreError: one of its children.
    """
    pruned: list[Row] = []
    last = 0
    while page := _found(engine, older_than_seconds, uuids, last):
        last = cast(int, page[-1]["id"])
        pruned += page if dry_run else _remove(engine, older_than_seconds, [row["id"] for row in page])
    return pruned


@retry_temporary
def _found(engine: Engine, older_than_seconds: float, uuids: Sequence[str] | None, last: int) -> list[Row]:
    query = _old(older_than_seconds).where(HOSTS.c.id > last).limit(_PAGE)
    if uuids is not None:
        query = query.where(HOSTS.c.uuid.in_(uuids))
    with reading(engine) as connection:
        return rows(connection, query)


@retry_temporary
def _remove(engine: Engine, older_than_seconds: float, ids: Sequence[object]) -> list[Row]:
    with transaction(engine) as connection:
        # Any of them may have been heard since: lock them in the order of a host that registers, and look again.
        _lock(connection, HOSTS, HOSTS.c.id.in_(ids))
        service_ids = select(HOSTS.c.service_id).where(HOSTS.c.id.in_(ids))
        _lock(connection, SERVICES, SERVICES.c.id.in_(_values(connection, service_ids)))
        removed = rows(connection, _old(older_than_seconds).where(HOSTS.c.id.in_(ids)))
        forget(connection, removed)
    return removed


def forget(connection: Connection, hosts: Sequence[Row]) -> None:
    """Remove the rows of hosts with all that hangs on them, in the transaction of the caller, who holds them."""
    for table in (EVENTS, FOUND_WORKLOADS):
        connection.execute(delete(table).where(table.c.host_uuid.in_([row["uuid"] for row in hosts])))
    connection.execute(delete(SERVICES).where(SERVICES.c.id.in_([row["service_id"] for row in hosts])))
    connection.execute(delete(HOSTS).where(HOSTS.c.id.in_([row["id"] for row in hosts])))
    remove_hosts(connection, [cast(int, row["id"]) for row in hosts])
    settle_hosts(connection, {str(row["host"]) for row in hosts})


def _old(older_than_seconds: float) -> Select[Any]:
    cutoff = utc_now(-older_than_seconds)
    seen, written = SERVICES.c.last_seen_up, HOSTS.c.updated_at
    # Each of the two stands in for the other where that is not known; where neither is, nothing here is true.
    return (
        listed()
        .where(func.coalesce(seen, written) < cutoff, func.coalesce(written, seen) < cutoff)
        .order_by(HOSTS.c.id)
    )


def _lock(connection: Connection, table: Table, which: ColumnElement[bool]) -> None:
    connection.execute(select(table.c.id).where(which).order_by(table.c.id).with_for_update()).all()


def _values(connection: Connection, query: Select[Any]) -> list[Any]:
    return [value for value in connection.execute(query).scalars() if value is not None]
