# SPDX-License-Identifier: Apache-2.0
"""The table ``events``: what changed on each host, capped by age and count for each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, or_, select

from host_agent.errors import UnknownMarker
from host_agent.event import Event
from host_agent.store.row import Row, now, rows
from host_agent.store.schema import EVENTS
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.upsert import insert_missing

__all__ = ["StoreEvent", "add_events", "list_events", "record_events"]

_NEWEST_FIRST = (EVENTS.c.at.desc(), EVENTS.c.id.desc())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreEvent:
    """An event that the store itself sees, told in the transaction that makes it: it comes once, or not at all.

    Attributes:
        code, message, detail: as in `Event`.
        at: when, by the database's clock.
    """

    code: str
    message: str
    detail: Mapping[str, object]
    at: datetime


@retry_temporary
def add_events(
    engine: Engine,
    host_uuid: str,
    host: str,
    events: Sequence[Event],
    *,
    boot_id: str | None,
    sequence: int,
    max_age_days: float,
    max_per_host: int,
) -> None:
    """Store what an agent tells of its host, and let the oldest of this host's events go. To repeat it is harmless.

    Args:
        engine: the database.
        host_uuid: the host.
        host: its name.
        events: what it tells; those whose uuid is stored already are left as they are.
        boot_id: the boot in which they are delivered.
        sequence: microseconds since that boot, now: it gives the events of this boot the database's time.
        max_age_days: what is older goes, unless it was stored only just now.
        max_per_host: of one host this many stay, the newest.

    Raises:
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        moment = now(connection)
        told = [
            {
                **_row(host_uuid, host, event, _database_time(event, moment, boot_id, sequence), moment),
                "uuid": event.uuid,
            }
            | {"boot_id": event.boot_id, "sequence": event.sequence}
            for event in events
        ]
        _insert(connection, told)
        _trim(connection, host_uuid, moment - timedelta(days=max_age_days), max_per_host)


@retry_temporary
def list_events(
    engine: Engine,
    *,
    host_uuid: str | None = None,
    since: datetime | None = None,
    code: str | None = None,
    limit: int = 1000,
    marker: str | None = None,
) -> list[Row]:
    """Give one page of events, newest first; ``detail`` is JSON text.

    Args:
        engine: the database.
        host_uuid: only of this host.
        since: only those that happened then or later.
        code: only those with this code.
        limit: rows at most.
        marker: the uuid of the last event of the page before.

    Raises:
        UnknownMarker: no event has the uuid `marker`.
        StoreError: one of its children.
    """
    query = select(EVENTS).order_by(*_NEWEST_FIRST).limit(limit)
    if host_uuid is not None:
        query = query.where(EVENTS.c.host_uuid == host_uuid)
    if since is not None:
        query = query.where(EVENTS.c.at >= since)
    if code is not None:
        query = query.where(EVENTS.c.code == code)
    if marker is not None:
        last = EVENTS.alias("last").c
        at, row_id = (select(column).where(last.uuid == marker).scalar_subquery() for column in (last.at, last.id))
        # The first half is said again so that an index on the time serves: one that is joined to is not used so.
        query = query.where(EVENTS.c.at <= at, or_(EVENTS.c.at < at, EVENTS.c.id < row_id))
    with reading(engine) as connection:
        page = rows(connection, query)
        if not page and marker is not None and not rows(connection, select(EVENTS.c.id).where(EVENTS.c.uuid == marker)):
            raise UnknownMarker(marker, "event")
    return page


def record_events(
    connection: Connection,
    host_uuid: str | None,
    host: str | None,
    events: Sequence[StoreEvent],
    *,
    boot_id: str | None = None,
    sequence: int | None = None,
) -> None:
    """Store what the store itself sees of a host, or of no single one, in the transaction of the caller."""
    if not events:
        return
    moment, origin = now(connection), {"boot_id": boot_id, "sequence": sequence}
    _insert(
        connection,
        [{**_row(host_uuid, host, item, item.at, moment), "uuid": str(uuid.uuid4())} | origin for item in events],
    )


def _row(host_uuid: str | None, host: str | None, event: Event | StoreEvent, at: datetime, created_at: datetime) -> Row:
    # What the machine's files say may hold bytes that are no text, or NUL, which PostgreSQL refuses: an event that
    # can never be stored would stand in the way of all after it.
    message = event.message.encode("utf-8", "replace").decode().replace("\0", "?")
    return {
        "host_uuid": host_uuid,
        "host": host,
        "at": at,
        "code": event.code,
        "message": message,
        "detail": json.dumps(event.detail, separators=(",", ":")),
        "created_at": created_at,
    }


def _database_time(event: Event, moment: datetime, boot_id: str | None, sequence: int) -> datetime:
    """Give the time of an event by the database's clock: this boot counted how long ago it was."""
    if boot_id is not None and event.boot_id == boot_id:
        return min(moment, moment - timedelta(microseconds=sequence - event.sequence))
    # Of an earlier boot there is only the clock it had; that may have been wrong, but nothing happens in the future.
    return min(moment, event.at)


def _insert(connection: Connection, told: Sequence[Row]) -> None:
    if told:
        connection.execute(insert_missing(connection.dialect.name, EVENTS, "uuid"), list(told))


def _trim(connection: Connection, host_uuid: str, oldest: datetime, max_per_host: int) -> None:
    mine = EVENTS.c.host_uuid == host_uuid
    # Told with a clock that was years behind, an event is old when it arrives, and is kept all the same.
    connection.execute(delete(EVENTS).where(mine, EVENTS.c.at < oldest, EVENTS.c.created_at < oldest))
    first_too_many = select(EVENTS.c.at, EVENTS.c.id).where(mine).order_by(*_NEWEST_FIRST).offset(max_per_host).limit(1)
    found: Any = connection.execute(first_too_many).one_or_none()
    if found is not None:
        not_newer = or_(EVENTS.c.at < found.at, EVENTS.c.id <= found.id)
        connection.execute(delete(EVENTS).where(mine, EVENTS.c.at <= found.at, not_newer))
