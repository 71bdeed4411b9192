# SPDX-License-Identifier: Apache-2.0
"""The table ``found_workloads``: what each agent found on its host; and which recorded workloads are not there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, update

from host_agent.store.events import StoreEvent, record_events
from host_agent.store.row import Row
from host_agent.store.schema import FOUND_WORKLOADS, WORKLOADS
from host_agent.store.usage import HostInputs
from host_agent.store.workload_columns import WORKLOAD_COLUMNS, columns_of
from host_agent.usage import FoundWorkloads, RecordedWorkload
from host_agent.workloads.discovery import Discovery
from host_agent.workloads.engine import UNREADABLE
from host_agent.workloads.workload import STOPPED

__all__ = ["store_found"]

LOG = logging.getLogger(__name__)


_MISSING, _THERE_AGAIN = "workload-missing", "workload-found"

_KEY = (FOUND_WORKLOADS.c.host_uuid == bindparam("key_host_uuid")) & (FOUND_WORKLOADS.c.uuid == bindparam("key_uuid"))
_UPDATE = (
    update(FOUND_WORKLOADS).where(_KEY).values({name: bindparam(name) for name in WORKLOAD_COLUMNS if name != "uuid"})
)
_DELETE = delete(FOUND_WORKLOADS).where(_KEY)
_MARK = (
    update(WORKLOADS).where(WORKLOADS.c.uuid == bindparam("key_uuid")).values(missing_since=bindparam("missing_since"))
)


def store_found(connection: Connection, hosts: Iterable[HostInputs], discoveries: Mapping[str, Discovery]) -> None:
    """Store what agents found on their hosts, and tell of recorded workloads that are missing, or there again.

    Only differences are written. What an engine told before it fell silent stands.

    Args:
        connection: in a transaction that holds the hosts.
        hosts: what is stored of them, with labels; they are given what was found.
        discoveries: by the hosts' uuids; the others are left as they are.
    """
    new: list[Row] = []
    changed: list[Row] = []
    gone: list[Row] = []
    for host in hosts:
        discovery = discoveries.get(host.uuid)
        if discovery is not None and host.row["is_holder"]:
            before, host.found = host.found, _found(host.found, discovery)
            key: Row = {"key_host_uuid": host.uuid}
            for uuid, row in host.found.items():
                stored = before.get(uuid)
                if stored is None:
                    new.append(row | {"host_uuid": host.uuid, "found_at": host.row["now"]})
                elif stored != row:
                    changed.append(row | key | {"key_uuid": uuid})
            gone += [key | {"key_uuid": uuid} for uuid in before.keys() - host.found.keys()]
            _mark_missing(connection, host, FoundWorkloads.of(discovery))
    for statement, parameters in ((_DELETE, gone), (_UPDATE, changed), (insert(FOUND_WORKLOADS), new)):
        if parameters:
            connection.execute(statement, parameters)


def _found(stored: Mapping[str, Row], discovery: Discovery) -> dict[str, Row]:
    """Give the rows of what was found, and those of an engine that cannot be asked now: the stopped ones, or all."""
    silent = {seen.report.engine for seen in discovery.engines if seen.report.status == UNREADABLE}
    standing = {
        uuid: row
        for uuid, row in stored.items()
        if row["engine"] in silent and (row["state"] == STOPPED or not discovery.knows_running)
    }
    return standing | {str(row["uuid"]): row for row in map(columns_of, discovery.workloads)}


def _mark_missing(connection: Connection, host: HostInputs, found: FoundWorkloads) -> None:
    """Mark what is recorded for the host and not there, and clear the mark of what is; tell of both, once."""
    moving = {migration.workload_uuid for migration in host.migrations}
    recorded, marks, events = [], [], []
    for record in host.recorded:
        uuid, was_missing = record.workload.uuid, record.missing_since is not None
        is_missing = uuid not in host.found and (was_missing or found.would_list(record.workload))
        if record.host == host.host and uuid not in moving and is_missing != was_missing:
            record = replace(record, missing_since=host.row["now"] if is_missing else None)
            marks.append({"key_uuid": uuid, "missing_since": record.missing_since})
            events.append(_event(record, host.row["now"]))
        recorded.append(record)
    if marks:
        host.recorded = recorded
        connection.execute(_MARK, marks)
        for event in events:
            LOG.log(logging.WARNING if event.code == _MISSING else logging.INFO, "%s: %s", event.code, event.message)
        record_events(connection, host.uuid, host.host, events)


def _event(record: RecordedWorkload, at: datetime) -> StoreEvent:
    workload, is_missing = record.workload, record.missing_since is not None
    what = f"{workload.kind or 'workload'} {workload.name or workload.uuid!r}"
    return StoreEvent(
        code=_MISSING if is_missing else _THERE_AGAIN,
        message=f"{what} is recorded for this host and not on it" if is_missing else f"{what} is on this host again",
        detail={"uuid": workload.uuid, "name": workload.name, "engine": workload.engine, "state": workload.state},
        at=at,
    )
