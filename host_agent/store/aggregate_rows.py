# SPDX-License-Identifier: Apache-2.0
"""Aggregates and availability zones as they are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine, Select, select

from host_agent.errors import AggregateNotFound, UnknownMarker
from host_agent.store.row import rows
from host_agent.store.schema import AGGREGATE_METADATA, AGGREGATES, HOSTS, MEMBERS
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.zones import DEFAULT_ZONE, ZONE_KEY, zone_of

__all__ = [
    "Aggregate",
    "AvailabilityZone",
    "aggregates_of_host",
    "availability_zones",
    "get_aggregate",
    "list_aggregates",
    "read_aggregate",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A group of hosts.

    Attributes:
        id, uuid, name: of these, the name alone can change.
        availability_zone: what its hosts are in by it; ``None`` where it is no zone.
        hosts: as in ``compute_host.host``, sorted; one that was pruned stays until it is removed.
        metadata: key -> value, the availability zone among them.
        created_at, updated_at: by the database's clock.
    """

    id: int
    uuid: str
    name: str
    availability_zone: str | None
    hosts: tuple[str, ...]
    metadata: Mapping[str, str] = field(hash=False)
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityZone:
    """A zone and the hosts in it, sorted, without those that are retired."""

    name: str
    hosts: tuple[str, ...]


@retry_temporary
def get_aggregate(engine: Engine, aggregate_id: int) -> Aggregate:
    """Give one aggregate.

    Raises:
        AggregateNotFound: there is none.
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return read_aggregate(connection, aggregate_id)


@retry_temporary
def list_aggregates(engine: Engine, *, limit: int | None = 1000, marker: str | None = None) -> list[Aggregate]:
    """Give one page of aggregates, oldest first.

    Args:
        engine: the database.
        limit: aggregates at most; ``None`` is all.
        marker: the uuid of the last one of the page before.

    Raises:
        UnknownMarker: no aggregate has the uuid `marker`.
        StoreError: one of its children.
    """
    query = select(AGGREGATES).order_by(AGGREGATES.c.id).limit(limit)
    with reading(engine) as connection:
        if marker is not None:
            last = connection.execute(select(AGGREGATES.c.id).where(AGGREGATES.c.uuid == marker)).scalar_one_or_none()
            if last is None:
                raise UnknownMarker(marker, "aggregate")
            query = query.where(AGGREGATES.c.id > last)
        return _aggregates(connection, query)


@retry_temporary
def aggregates_of_host(engine: Engine, host: str) -> list[Aggregate]:
    """Give the aggregates that a host is in, oldest first.

    Raises:
        StoreError: one of its children.
    """
    ids = select(MEMBERS.c.aggregate_id).where(MEMBERS.c.host == host)
    with reading(engine) as connection:
        return _aggregates(connection, select(AGGREGATES).where(AGGREGATES.c.id.in_(ids)).order_by(AGGREGATES.c.id))


@retry_temporary
def availability_zones(engine: Engine, default_zone: str = DEFAULT_ZONE) -> list[AvailabilityZone]:
    """Give every zone, sorted by name; that of hosts in none of them only where there are such hosts.

    Args:
        engine: the database.
        default_zone: what that is called.

    Raises:
        StoreError: one of its children.
    """
    hosts = select(HOSTS.c.host, zone_of(HOSTS.c.host, default_zone))
    named = select(AGGREGATE_METADATA.c.value).where(AGGREGATE_METADATA.c.key == ZONE_KEY)
    with reading(engine) as connection:
        names: dict[str, set[str]] = {name: set() for name in connection.execute(named).scalars()}
        for host, name in connection.execute(hosts.where(HOSTS.c.retired_at.is_(None))):
            names.setdefault(name, set()).add(host)
    return [AvailabilityZone(name=name, hosts=tuple(sorted(names[name]))) for name in sorted(names)]


def read_aggregate(connection: Connection, aggregate_id: int) -> Aggregate:
    """Give one aggregate, in the transaction of the caller.

    Raises:
        AggregateNotFound: there is none.
    """
    found = _aggregates(connection, select(AGGREGATES).where(AGGREGATES.c.id == aggregate_id))
    if not found:
        raise AggregateNotFound(aggregate_id)
    return found[0]


def _aggregates(connection: Connection, query: Select[Any]) -> list[Aggregate]:
    found = cast(list[dict[str, Any]], rows(connection, query))
    # Joined, not listed: no server takes as many ids as there may be.
    wanted = query.with_only_columns(AGGREGATES.c.id).subquery("wanted")
    hosts: defaultdict[int, list[str]] = defaultdict(list)
    members = MEMBERS.join(wanted, wanted.c.id == MEMBERS.c.aggregate_id)
    for aggregate_id, host in connection.execute(select(MEMBERS.c.aggregate_id, MEMBERS.c.host).select_from(members)):
        hosts[aggregate_id].append(host)
    metadata: defaultdict[int, dict[str, str]] = defaultdict(dict)
    keys = AGGREGATE_METADATA.join(wanted, wanted.c.id == AGGREGATE_METADATA.c.aggregate_id)
    for aggregate_id, key, value in connection.execute(
        select(AGGREGATE_METADATA.c.aggregate_id, AGGREGATE_METADATA.c.key, AGGREGATE_METADATA.c.value)
        .select_from(keys)
        .order_by(AGGREGATE_METADATA.c.key)
    ):
        metadata[aggregate_id][key] = value
    return [
        Aggregate(
            **{name: row[name] for name in ("id", "uuid", "name", "created_at", "updated_at")},
            availability_zone=metadata[row["id"]].get(ZONE_KEY),
            hosts=tuple(sorted(hosts[row["id"]])),
            metadata=metadata[row["id"]],
        )
        for row in found
    ]
