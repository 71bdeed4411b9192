# SPDX-License-Identifier: Apache-2.0
"""The usage of one host with its working, and the recomputation of all hosts'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, Engine, or_, select

from host_agent.store.compute_host import listed
from host_agent.store.inventories import remove_strays
from host_agent.store.inventory_sums import mend_sums
from host_agent.store.row import Row, first_row
from host_agent.store.schema import FOUND_WORKLOADS, HOSTS, WORKLOADS
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.usage import HostInputs, read_named, read_page, settle, usage_of
from host_agent.store.workload_columns import workload_of
from host_agent.usage import RecordedWorkload, Usage

__all__ = ["HostUsage", "host_usage", "recount"]

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUsage:
    """A host and its usage.

    Attributes:
        row: as `list_hosts` gives it.
        usage: what its ``*_used`` columns are made of.
    """

    row: Row
    usage: Usage


@retry_temporary
def host_usage(engine: Engine, host_uuid: str) -> HostUsage | None:
    """Tell what the workloads of a host hold, each with the reason why it counts; ``None`` where there is no such host.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        row = first_row(connection, listed().where(HOSTS.c.uuid == host_uuid))
        named = [] if row is None else read_named(connection, [row["host"]], labels=True)
        host = next((host for host in named if host.uuid == host_uuid), None)
        if row is None or host is None:
            return None
        host.recorded = (*host.recorded, *_recorded_elsewhere(connection, host))
    return HostUsage(row=row, usage=usage_of(host, cast(str | None, row["numa_topology"])))


def recount(engine: Engine, progress: Callable[[int], None] | None = None) -> int:
    """Compute the usage of all hosts anew, and write it where it differs; whoever writes meanwhile is not disturbed.

    It is right already, unless somebody wrote to the tables past this program, or an agent of a release before it.
    Each page of hosts is a transaction of its own.

    Args:
        engine: the database.
        progress: called after each page with the number of hosts that are done.

    Returns:
        how many hosts' rows changed.

    Raises:
        StoreError: one of its children.
    """
    changed, done, last = 0, 0, ""
    while True:
        uuids, differing = _recount_page(engine, last)
        if not uuids:
            return changed + _mend_rest(engine)
        changed, done, last = changed + differing, done + len(uuids), uuids[-1]
        if progress is not None:
            progress(done)


@retry_temporary
def _recount_page(engine: Engine, after: str) -> tuple[list[str], int]:
    with transaction(engine) as connection:
        hosts = read_page(connection, after, _PAGE)
        # Nothing is locked before the first row that differs, and that is written only as it was read.
        return [host.uuid for host in hosts], settle(connection, hosts)


@retry_temporary
def _mend_rest(engine: Engine) -> int:
    with transaction(engine) as connection:
        return remove_strays(connection) + mend_sums(connection)


def _recorded_elsewhere(connection: Connection, host: HostInputs) -> list[RecordedWorkload]:
    """Give what is recorded of the workloads that were found on a host and are not recorded for it."""
    # Not by a list of uuids: no server takes as many as a host may have workloads.
    found = select(FOUND_WORKLOADS.c.uuid).where(FOUND_WORKLOADS.c.host_uuid == host.uuid)
    elsewhere = or_(WORKLOADS.c.host.is_(None), WORKLOADS.c.host != host.host)
    query = select(WORKLOADS).where(WORKLOADS.c.uuid.in_(found), elsewhere)
    return [
        RecordedWorkload(workload=workload_of(row), host=row["host"], missing_since=row["missing_since"])
        for row in connection.execute(query).mappings()
    ]
