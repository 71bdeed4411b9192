# SPDX-License-Identifier: Apache-2.0
"""The rules of availability zones: a host is in one only, and does not leave it under its workloads.

A zone is a key in the metadata of aggregates; a host in none of them is in the default zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from host_agent.errors import AggregateConflict
from host_agent.store.row import first_row
from host_agent.store.schema import AggregateHostRow, AggregateMetadataRow, WorkloadRow
from host_agent.usage import RELEASED

__all__ = [
    "DEFAULT_ZONE",
    "ZONE_KEY",
    "refuse_move",
    "refuse_second_zone",
    "zone_elsewhere",
    "zone_of",
]

DEFAULT_ZONE = "nova"
ZONE_KEY = "availability_zone"

_WORKLOADS = cast(Table, WorkloadRow.__table__)
_MEMBERS = cast(Table, AggregateHostRow.__table__)
_METADATA = cast(Table, AggregateMetadataRow.__table__)


def zone_of(host: ColumnElement[str], default_zone: str = DEFAULT_ZONE) -> ColumnElement[str]:
    """Give the zone of the host whose name a column has."""
    named = _MEMBERS.join(_METADATA, _METADATA.c.aggregate_id == _MEMBERS.c.aggregate_id)
    # Asked host by host, by an index: MariaDB compares each with each where it joins what two queries gave.
    query = select(func.min(_METADATA.c.value)).select_from(named)
    zone = query.where(_METADATA.c.key == ZONE_KEY, _MEMBERS.c.host == host).scalar_subquery()
    return func.coalesce(zone, default_zone)


def zone_elsewhere(connection: Connection, host: str, aggregate_id: int) -> str:
    """Give the zone of a host but for this aggregate."""
    others = _elsewhere(aggregate_id).where(_MEMBERS.c.host == host).limit(1)
    found = first_row(connection, others)
    return DEFAULT_ZONE if found is None else found["value"]


def refuse_second_zone(connection: Connection, hosts: Sequence[str], zone: str, aggregate_id: int) -> None:
    """Refuse a zone for the hosts of an aggregate where one of them is in another by another aggregate.

    Raises:
        AggregateConflict: names the host and its zone.
    """
    query = _elsewhere(aggregate_id).where(_MEMBERS.c.host.in_(hosts), _METADATA.c.value != zone)
    found = first_row(connection, query.order_by(_MEMBERS.c.host).limit(1))
    if found is not None:
        raise AggregateConflict(
            f"host {found['host']!r} is in the availability zone {found['value']!r} by another aggregate, "
            f"and cannot be in {zone!r} as well"
        )


def refuse_move(connection: Connection, hosts: Sequence[str], zone: str) -> None:
    """Refuse to bring hosts into a zone where one of them is in another now and has workloads.

    Raises:
        AggregateConflict: names the host, its zone and how many workloads it has.
    """
    old = zone_of(_WORKLOADS.c.host)
    moved = select(_WORKLOADS.c.host, func.count().label("count"), func.min(old).label("zone"))
    query = (
        moved.where(_WORKLOADS.c.host.in_(hosts), func.coalesce(_WORKLOADS.c.state, "").not_in(RELEASED), old != zone)
        .group_by(_WORKLOADS.c.host)
        .order_by(_WORKLOADS.c.host)
        .limit(1)
    )
    found = first_row(connection, query)
    if found is not None:
        raise AggregateConflict(
            f"host {found['host']!r} has {found['count']} workloads in the availability zone {found['zone']!r}, "
            f"which cannot become {zone!r} under them"
        )


def _elsewhere(aggregate_id: int) -> Select[Any]:
    named = _MEMBERS.join(_METADATA, _METADATA.c.aggregate_id == _MEMBERS.c.aggregate_id)
    query = select(_MEMBERS.c.host, _METADATA.c.value).select_from(named)
    return query.where(_METADATA.c.key == ZONE_KEY, _MEMBERS.c.aggregate_id != aggregate_id)
