# SPDX-License-Identifier: Apache-2.0
"""The rules of availability zones: a host is in one only, and does not leave it under its workloads.

A zone is a key in the metadata of aggregates; a host in none of them is in the default zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from host_agent.errors import AggregateConflict, GroupNotFound
from host_agent.store.row import first_row
from host_agent.store.schema import AGGREGATE_METADATA, MEMBERS, WORKLOADS
from host_agent.usage import RELEASED

__all__ = [
    "DEFAULT_ZONE",
    "ZONE_KEY",
    "hosts_in_zone",
    "hosts_of",
    "refuse_move",
    "refuse_second_zone",
    "require_zone",
    "zone_elsewhere",
    "zone_of",
]

DEFAULT_ZONE = "nova"
ZONE_KEY = "availability_zone"


def zone_of(host: ColumnElement[str], default_zone: str = DEFAULT_ZONE) -> ColumnElement[str]:
    """Give the zone of the host whose name a column has."""
    named = MEMBERS.join(AGGREGATE_METADATA, AGGREGATE_METADATA.c.aggregate_id == MEMBERS.c.aggregate_id)
    # Asked host by host, by an index: MariaDB compares each with each where it joins what two queries gave.
    query = select(func.min(AGGREGATE_METADATA.c.value)).select_from(named)
    zone = query.where(AGGREGATE_METADATA.c.key == ZONE_KEY, MEMBERS.c.host == host).scalar_subquery()
    return func.coalesce(zone, default_zone)


def hosts_in_zone(host: ColumnElement[str], zone: str, default_zone: str = DEFAULT_ZONE) -> ColumnElement[bool]:
    """Give the condition that the host whose name a column has is in a zone; asked once, not host by host."""
    named = MEMBERS.join(AGGREGATE_METADATA, AGGREGATE_METADATA.c.aggregate_id == MEMBERS.c.aggregate_id)
    members = select(MEMBERS.c.host).select_from(named).where(AGGREGATE_METADATA.c.key == ZONE_KEY)
    is_member = host.in_(members.where(AGGREGATE_METADATA.c.value == zone))
    return is_member if zone != default_zone else or_(is_member, host.not_in(members))


def require_zone(connection: Connection, zone: str, default_zone: str = DEFAULT_ZONE) -> None:
    """Make sure that there is a zone; the default one always is.

    Raises:
        GroupNotFound: no aggregate makes it.
    """
    made = (
        select(AGGREGATE_METADATA.c.id)
        .where(AGGREGATE_METADATA.c.key == ZONE_KEY, AGGREGATE_METADATA.c.value == zone)
        .limit(1)
    )
    if zone != default_zone and first_row(connection, made) is None:
        raise GroupNotFound("availability zone", zone)


def zone_elsewhere(connection: Connection, host: str, aggregate_id: int) -> str:
    """Give the zone of a host but for this aggregate."""
    others = _elsewhere(aggregate_id).where(MEMBERS.c.host == host).limit(1)
    found = first_row(connection, others)
    return DEFAULT_ZONE if found is None else found["value"]


def hosts_of(aggregate_id: int) -> Select[Any]:
    """Give the query for the hosts of an aggregate: no server takes as many names as there may be."""
    members = MEMBERS.alias("its_hosts")
    return select(members.c.host).where(members.c.aggregate_id == aggregate_id)


def refuse_second_zone(
    connection: Connection, hosts: Sequence[str] | Select[Any], zone: str, aggregate_id: int
) -> None:
    """Refuse a zone for the hosts of an aggregate where one of them is in another by another aggregate.

    Args:
        connection: in a transaction.
        hosts: a few names, or the query for them.
        zone: what they shall be in.
        aggregate_id: the aggregate.

    Raises:
        AggregateConflict: names the host and its zone.
    """
    query = _elsewhere(aggregate_id).where(MEMBERS.c.host.in_(hosts), AGGREGATE_METADATA.c.value != zone)
    found = first_row(connection, query.order_by(MEMBERS.c.host).limit(1))
    if found is not None:
        raise AggregateConflict(
            f"host {found['host']!r} is in the availability zone {found['value']!r} by another aggregate, "
            f"and cannot be in {zone!r} as well"
        )


def refuse_move(connection: Connection, hosts: Sequence[str] | Select[Any], zone: str) -> None:
    """Refuse to bring hosts into a zone where one of them is in another now and has workloads.

    Args:
        connection: in a transaction.
        hosts: a few names, or the query for them.
        zone: what they shall be in.

    Raises:
        AggregateConflict: names the host, its zone and how many workloads it has.
    """
    old = zone_of(WORKLOADS.c.host)
    moved = select(WORKLOADS.c.host, func.count().label("count"), func.min(old).label("zone"))
    query = (
        moved.where(WORKLOADS.c.host.in_(hosts), func.coalesce(WORKLOADS.c.state, "").not_in(RELEASED), old != zone)
        .group_by(WORKLOADS.c.host)
        .order_by(WORKLOADS.c.host)
        .limit(1)
    )
    found = first_row(connection, query)
    if found is not None:
        raise AggregateConflict(
            f"host {found['host']!r} has {found['count']} workloads in the availability zone {found['zone']!r}, "
            f"which cannot become {zone!r} under them"
        )


def _elsewhere(aggregate_id: int) -> Select[Any]:
    named = MEMBERS.join(AGGREGATE_METADATA, AGGREGATE_METADATA.c.aggregate_id == MEMBERS.c.aggregate_id)
    query = select(MEMBERS.c.host, AGGREGATE_METADATA.c.value).select_from(named)
    return query.where(AGGREGATE_METADATA.c.key == ZONE_KEY, MEMBERS.c.aggregate_id != aggregate_id)
