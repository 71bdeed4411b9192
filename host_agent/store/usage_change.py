# SPDX-License-Identifier: Apache-2.0
"""A change of workloads or migrations, and the usage of all hosts that it concerns, in one transaction.

Rows are locked in the order of everybody: hosts by their uuids, then workloads. Which hosts those are only the
workload tells, which is locked last; so it is asked before and again behind the locks, and all begins anew with more
hosts where it moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, select, union_all, update

from host_agent.store.host_locks import hold
from host_agent.store.schema import MIGRATIONS, WORKLOADS
from host_agent.store.transaction import transaction
from host_agent.store.upsert import insert_missing
from host_agent.store.usage import settle_hosts
from host_agent.usage import FINISHED

__all__ = ["change_usage"]


_R = TypeVar("_R")


def change_usage(
    engine: Engine,
    workloads: Callable[[Connection], set[str]],
    hosts: Collection[str | None],
    write: Callable[[Connection], _R],
) -> _R:
    """Call `write` in a transaction that holds all hosts and workloads concerned, and settle the hosts' usage.

    Args:
        engine: the database.
        workloads: gives the uuids of the workloads that `write` is about, as the tables are at that moment.
        hosts: names of hosts that `write` brings in.
        write: the change.

    Returns:
        what `write` gave.
    """
    names = {host for host in hosts if host is not None}
    while True:
        with transaction(engine) as connection:
            uuids = workloads(connection)
            names |= _hosts_of(connection, uuids)
            hold(connection, names)
            placed = _hold_workloads(connection, sorted(uuids))
            uuids_now = workloads(connection)
            moved = _hosts_of(connection, uuids_now) - names
            if uuids_now <= uuids and not moved:
                result = write(connection)
                _remove_places(connection, placed)
                settle_hosts(connection, names)
                return result
            _remove_places(connection, placed)
        names |= moved


def _hosts_of(connection: Connection, uuids: Collection[str]) -> set[str]:
    """Give the hosts of workloads, and those that a migration in progress takes them from or to."""
    moves = MIGRATIONS.c.workload_uuid.in_(uuids) & MIGRATIONS.c.status.not_in(sorted(FINISHED))
    query = union_all(
        select(WORKLOADS.c.host).where(WORKLOADS.c.uuid.in_(uuids)),
        select(MIGRATIONS.c.source_host).where(moves),
        select(MIGRATIONS.c.dest_host).where(moves),
    )
    return {host for host in connection.execute(query).scalars() if host is not None}


def _hold_workloads(connection: Connection, uuids: Collection[str]) -> list[str]:
    """Lock workloads, by a row of its own that stands for each that has none; give the uuids of those rows."""
    placed = []
    for uuid in uuids:
        lock = update(WORKLOADS).where(WORKLOADS.c.uuid == uuid).values(generation=WORKLOADS.c.generation + 1)
        if connection.execute(lock).rowcount == 0:
            # Whoever else comes for this workload waits for the end of this transaction, though the row never shows.
            connection.execute(insert_missing(connection.dialect.name, WORKLOADS, "uuid"), [{"uuid": uuid}])
            connection.execute(lock)
            placed.append(uuid)
    return placed


def _remove_places(connection: Connection, uuids: Collection[str]) -> None:
    if uuids:
        is_place = WORKLOADS.c.created_at.is_(None)
        connection.execute(delete(WORKLOADS).where(WORKLOADS.c.uuid.in_(uuids), is_place))
