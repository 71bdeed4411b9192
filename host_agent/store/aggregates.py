# SPDX-License-Identifier: Apache-2.0
"""What operators do to aggregates, by Nova's rules.

Locks are taken in one order: the aggregate, then its hosts by uuid. Each change is told in an event. ``updated_at``
tells when the name or the metadata changed last: as with Nova, which hosts are in an aggregate is no part of its row.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, or_, select, update

from host_agent.errors import (
    AggregateConflict,
    AggregateExists,
    AggregateNotFound,
    HostIsMember,
    HostNotFound,
    InvalidAggregate,
)
from host_agent.store.aggregate_rows import Aggregate, read_aggregate
from host_agent.store.events import StoreEvent, record_events
from host_agent.store.host_locks import hold
from host_agent.store.row import first_row, now
from host_agent.store.schema import AGGREGATE_METADATA, AGGREGATES, HOSTS, MEMBERS
from host_agent.store.transaction import retry_temporary, transaction
from host_agent.store.upsert import utc_now
from host_agent.store.zones import ZONE_KEY, hosts_of, refuse_move, refuse_second_zone, zone_elsewhere

__all__ = ["add_host", "create_aggregate", "delete_aggregate", "remove_host", "set_metadata", "update_aggregate"]

_LONGEST = 255


@retry_temporary
def create_aggregate(
    engine: Engine, name: str, availability_zone: str | None = None, uuid: str | None = None
) -> Aggregate:
    """Make an aggregate without hosts.

    Args:
        engine: the database.
        name: 1 to 255 letters; no other aggregate has it.
        availability_zone: what its hosts will be in; no ``:`` in it.
        uuid: its own; ``None`` makes one.

    Raises:
        InvalidAggregate: the name or the zone is none.
        AggregateExists: another one has the name or the uuid.
        StoreError: one of its children.
    """
    _require_name("name of an aggregate", name)
    metadata = {} if availability_zone is None else {ZONE_KEY: availability_zone}
    _require_metadata(metadata)
    own = str(uuids.uuid4()) if uuid is None else _canonical(uuid)
    with transaction(engine) as connection:
        _refuse_taken(connection, or_(AGGREGATES.c.name == name, AGGREGATES.c.uuid == own))
        row = connection.execute(insert(AGGREGATES).values(uuid=own, name=name, created_at=utc_now()))
        made: int = cast(Any, row.inserted_primary_key)[0]
        _write_metadata(connection, made, {}, metadata)
        aggregate = read_aggregate(connection, made)
        _tell(connection, _event(connection, "aggregate-created", f"aggregate {name!r} was made", aggregate))
    return aggregate


@retry_temporary
def update_aggregate(
    engine: Engine, aggregate_id: int, *, name: str | None = None, availability_zone: str | None = None
) -> Aggregate:
    """Give an aggregate another name, another availability zone, or both; ``None`` leaves what is.

    Raises:
        InvalidAggregate: the name or the zone is none.
        AggregateNotFound: there is none.
        AggregateExists: another one has the name.
        AggregateConflict: a host is in another zone by another aggregate, or has workloads in the zone it is in.
        StoreError: one of its children.
    """
    if name is not None:
        _require_name("name of an aggregate", name)
    metadata = {} if availability_zone is None else {ZONE_KEY: availability_zone}
    return _change(engine, aggregate_id, name, metadata)


@retry_temporary
def set_metadata(engine: Engine, aggregate_id: int, metadata: Mapping[str, str | None]) -> Aggregate:
    """Set keys of an aggregate's metadata; ``None`` removes one, and what is not named stays.

    Raises:
        InvalidAggregate: a key or a value is none; the availability zone can be changed and not removed.
        AggregateNotFound: there is none.
        AggregateConflict: as for `update_aggregate`.
        StoreError: one of its children.
    """
    return _change(engine, aggregate_id, None, metadata)


@retry_temporary
def delete_aggregate(engine: Engine, aggregate_id: int) -> None:
    """Remove an aggregate that has no hosts.

    Raises:
        AggregateNotFound: there is none.
        AggregateConflict: it has hosts.
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        aggregate = _locked(connection, aggregate_id)
        if aggregate.hosts:
            raise AggregateConflict(
                f"aggregate {aggregate.name!r} has {len(aggregate.hosts)} hosts, {aggregate.hosts[0]!r} among them: "
                "remove them first"
            )
        connection.execute(delete(AGGREGATE_METADATA).where(AGGREGATE_METADATA.c.aggregate_id == aggregate_id))
        connection.execute(delete(AGGREGATES).where(AGGREGATES.c.id == aggregate_id))
        message = f"aggregate {aggregate.name!r} was removed"
        _tell(connection, _event(connection, "aggregate-deleted", message, aggregate))


@retry_temporary
def add_host(engine: Engine, aggregate_id: int, host: str) -> Aggregate:
    """Add a host to an aggregate.

    Args:
        engine: the database.
        aggregate_id: the aggregate.
        host: as in ``compute_host.host``.

    Raises:
        AggregateNotFound: there is none.
        HostNotFound: no host is called so, or it is retired.
        HostIsMember: it is in the aggregate already.
        AggregateConflict: it is in another zone by another one, or it has workloads in the zone it is in.
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        aggregate = _locked(connection, aggregate_id)
        hold(connection, [host])
        host_uuid = _uuid_of(connection, host)
        if host_uuid is None:
            raise HostNotFound(
                f"no host is called {host!r}, or it is retired; `host-agent hosts list --all` shows them"
            )
        if host in aggregate.hosts:
            raise HostIsMember(host, aggregate.name)
        if aggregate.availability_zone is not None:
            refuse_second_zone(connection, [host], aggregate.availability_zone, aggregate_id)
            refuse_move(connection, [host], aggregate.availability_zone)
        connection.execute(insert(MEMBERS).values(aggregate_id=aggregate_id, host=host, created_at=utc_now()))
        message = f"{host!r} was added to the aggregate {aggregate.name!r}"
        record_events(connection, host_uuid, host, [_event(connection, "aggregate-host-added", message, aggregate)])
        return read_aggregate(connection, aggregate_id)


@retry_temporary
def remove_host(engine: Engine, aggregate_id: int, host: str) -> Aggregate:
    """Take a host out of an aggregate; its row may be gone.

    Raises:
        AggregateNotFound: there is none.
        HostNotFound: the host is not in it.
        AggregateConflict: it would leave its availability zone and has workloads.
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        aggregate = _locked(connection, aggregate_id)
        if host not in aggregate.hosts:
            raise HostNotFound(f"host {host!r} is not in the aggregate {aggregate.name!r}")
        hold(connection, [host])
        if aggregate.availability_zone is not None:
            refuse_move(connection, [host], zone_elsewhere(connection, host, aggregate_id))
        mine = (MEMBERS.c.aggregate_id == aggregate_id) & (MEMBERS.c.host == host)
        connection.execute(delete(MEMBERS).where(mine))
        message = f"{host!r} was taken out of the aggregate {aggregate.name!r}"
        told = _event(connection, "aggregate-host-removed", message, aggregate)
        record_events(connection, _uuid_of(connection, host), host, [told])
        return read_aggregate(connection, aggregate_id)


def _change(engine: Engine, aggregate_id: int, name: str | None, metadata: Mapping[str, str | None]) -> Aggregate:
    _require_metadata(metadata)
    zone = metadata.get(ZONE_KEY)
    with transaction(engine) as connection:
        before = _locked(connection, aggregate_id)
        mine = update(AGGREGATES).where(AGGREGATES.c.id == aggregate_id)
        connection.execute(mine.values(updated_at=utc_now()))
        if name is not None and name != before.name:
            _refuse_taken(connection, AGGREGATES.c.name == name)
            connection.execute(mine.values(name=name))
        if zone is not None and zone != before.availability_zone:
            hold(connection, before.hosts)
            refuse_second_zone(connection, hosts_of(aggregate_id), zone, aggregate_id)
            refuse_move(connection, hosts_of(aggregate_id), zone)
        _write_metadata(connection, aggregate_id, before.metadata, metadata)
        after = read_aggregate(connection, aggregate_id)
        change = {"old": _told(before), "new": _told(after)}
        if change["old"] != change["new"]:
            message = f"aggregate {before.name!r} was changed"
            _tell(connection, _event(connection, "aggregate-updated", message, after, change))
    return after


def _locked(connection: Connection, aggregate_id: int) -> Aggregate:
    """Give an aggregate that nobody else changes until the transaction ends."""
    mine = AGGREGATES.c.id == aggregate_id
    lock = select(AGGREGATES.c.updated_at).where(mine).with_for_update()
    row = first_row(connection, lock)
    if row is None:
        raise AggregateNotFound(aggregate_id)
    # Other nodes of a Galera cluster learn of no lock, and of every write, though the row stays as it is.
    for moment in (utc_now(), row["updated_at"]):
        connection.execute(update(AGGREGATES).where(mine).values(updated_at=moment))
    return read_aggregate(connection, aggregate_id)


def _write_metadata(
    connection: Connection, aggregate_id: int, stored: Mapping[str, str], wanted: Mapping[str, str | None]
) -> None:
    for key, value in wanted.items():
        mine = (AGGREGATE_METADATA.c.aggregate_id == aggregate_id) & (AGGREGATE_METADATA.c.key == key)
        if value is None:
            connection.execute(delete(AGGREGATE_METADATA).where(mine))
        elif key not in stored:
            row = {"aggregate_id": aggregate_id, "key": key, "value": value}
            connection.execute(insert(AGGREGATE_METADATA).values(**row, created_at=utc_now()))
        elif value != stored[key]:
            connection.execute(update(AGGREGATE_METADATA).where(mine).values(value=value, updated_at=utc_now()))


def _refuse_taken(connection: Connection, same: ColumnElement[bool]) -> None:
    other = first_row(connection, select(AGGREGATES.c.id, AGGREGATES.c.uuid, AGGREGATES.c.name).where(same).limit(1))
    if other is not None:
        raise AggregateExists(other["id"], other["name"], other["uuid"])


def _require_metadata(metadata: Mapping[str, str | None]) -> None:
    if ZONE_KEY in metadata:
        _require_zone(metadata[ZONE_KEY])
    for key, value in metadata.items():
        _require_name("key of metadata", key)
        if value is not None and not (len(value) <= _LONGEST and value.isprintable()):
            raise InvalidAggregate(f"the value of {key!r} has to be at most {_LONGEST} printable letters")


def _require_zone(zone: str | None) -> None:
    if zone is None:
        raise InvalidAggregate("an aggregate that is an availability zone stays one: give it another name instead")
    _require_name("name of an availability zone", zone)
    if ":" in zone:
        raise InvalidAggregate(f"{zone!r} is no name of an availability zone: it has a colon")


def _require_name(what: str, name: str) -> None:
    if not (0 < len(name) <= _LONGEST and name.isprintable() and name == name.strip()):
        raise InvalidAggregate(
            f"{name[:_LONGEST]!r} is no {what}: give 1 to {_LONGEST} printable letters, no blank at either end"
        )


def _canonical(uuid: str) -> str:
    try:
        return str(uuids.UUID(uuid))
    except ValueError:
        raise InvalidAggregate(f"{uuid!r} is no uuid") from None


def _event(
    connection: Connection, code: str, message: str, aggregate: Aggregate, change: Mapping[str, object] | None = None
) -> StoreEvent:
    detail = {"id": aggregate.id, "uuid": aggregate.uuid, **(change or _told(aggregate))}
    return StoreEvent(code=code, message=message, detail=detail, at=now(connection))


def _told(aggregate: Aggregate) -> dict[str, object]:
    return {"name": aggregate.name, "metadata": dict(aggregate.metadata)}


def _tell(connection: Connection, event: StoreEvent) -> None:
    record_events(connection, None, None, [event])


def _uuid_of(connection: Connection, host: str) -> str | None:
    """Give the uuid of the host that has a name now: an older row may be of a machine that had it before."""
    query = select(HOSTS.c.uuid).where(HOSTS.c.host == host, HOSTS.c.retired_at.is_(None))
    newest = query.order_by(HOSTS.c.service_id.is_(None), HOSTS.c.id.desc()).limit(1)
    uuid: str | None = connection.execute(newest).scalar_one_or_none()
    return uuid
