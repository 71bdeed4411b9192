# SPDX-License-Identifier: Apache-2.0
"""What zones, aggregates and the whole fleet have and use: one query each, however many hosts there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, cast

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, or_, select

from host_agent.errors import GroupNotFound
from host_agent.resource_usage import RESOURCES, GroupUsage, ResourceUsage, percent
from host_agent.store.inventory_sums import FIGURES, label
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import AGGREGATES, INVENTORIES, MEMBERS
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.usage_sums import COMPARED, COUNTS, fleet_sums, usage_sums
from host_agent.store.zones import DEFAULT_ZONE, hosts_in_zone, require_zone, zone_of

__all__ = ["aggregate_usage", "fleet_usage", "usage_by_aggregate", "usage_by_zone", "zone_usage"]


_Figures: TypeAlias = Mapping[str, Any]


@retry_temporary
def usage_by_zone(
    engine: Engine, *, down_after_seconds: float, only_available: bool = False, default_zone: str = DEFAULT_ZONE
) -> list[GroupUsage]:
    """Give the usage of every availability zone that has hosts, sorted by name.

    Args:
        engine: the database.
        down_after_seconds: for how long a host that is not heard of still counts as up.
        only_available: whether hosts that are enabled and up count alone; otherwise all but retired ones do.
        default_zone: what the zone of hosts in none is called.

    Raises:
        StoreError: one of its children.
    """
    zone = zone_of(INVENTORIES.c.host, default_zone)
    with reading(engine) as connection:
        return _usage(connection, zone, INVENTORIES, (), down_after_seconds, only_available)


@retry_temporary
def usage_by_aggregate(engine: Engine, *, down_after_seconds: float, only_available: bool = False) -> list[GroupUsage]:
    """Give the usage of every aggregate that has hosts, sorted by name; a host counts in each that it is in.

    Args:
        engine: the database.
        down_after_seconds: as for `usage_by_zone`.
        only_available: as for `usage_by_zone`.

    Raises:
        StoreError: one of its children.
    """
    hosts = INVENTORIES.join(MEMBERS, MEMBERS.c.host == INVENTORIES.c.host)
    hosts = hosts.join(AGGREGATES, AGGREGATES.c.id == MEMBERS.c.aggregate_id)
    with reading(engine) as connection:
        return _usage(connection, AGGREGATES.c.name, hosts, (), down_after_seconds, only_available)


@retry_temporary
def fleet_usage(engine: Engine, *, down_after_seconds: float, only_available: bool = False) -> GroupUsage:
    """Give the usage of all hosts together.

    Args:
        engine: the database.
        down_after_seconds: as for `usage_by_zone`.
        only_available: as for `usage_by_zone`.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        query = fleet_sums(down_after_seconds=down_after_seconds, only_available=only_available)
        return _group(None, rows(connection, query))


@retry_temporary
def zone_usage(
    engine: Engine,
    zone: str,
    *,
    down_after_seconds: float,
    only_available: bool = False,
    default_zone: str = DEFAULT_ZONE,
) -> GroupUsage:
    """Give the usage of one availability zone.

    Args:
        engine: the database.
        zone: its name.
        down_after_seconds: as for `usage_by_zone`.
        only_available: as for `usage_by_zone`.
        default_zone: as for `usage_by_zone`.

    Raises:
        GroupNotFound: there is none of that name.
        StoreError: one of its children.
    """
    which = hosts_in_zone(INVENTORIES.c.host, zone, default_zone)
    with reading(engine) as connection:
        require_zone(connection, zone, default_zone)
        (found,) = _usage(connection, None, INVENTORIES, (which,), down_after_seconds, only_available)
    return replace(found, name=zone)


@retry_temporary
def aggregate_usage(
    engine: Engine, name: str, *, down_after_seconds: float, only_available: bool = False
) -> GroupUsage:
    """Give the usage of one aggregate.

    Args:
        engine: the database.
        name: its name or its uuid.
        down_after_seconds: as for `usage_by_zone`.
        only_available: as for `usage_by_zone`.

    Raises:
        GroupNotFound: there is none.
        StoreError: one of its children.
    """
    named = select(AGGREGATES.c.id, AGGREGATES.c.name).where(_named(name))
    hosts = INVENTORIES.join(MEMBERS, MEMBERS.c.host == INVENTORIES.c.host)
    with reading(engine) as connection:
        aggregate = first_row(connection, named.order_by(AGGREGATES.c.name != name))
        if aggregate is None:
            raise GroupNotFound("aggregate", name)
        which = MEMBERS.c.aggregate_id == aggregate["id"]
        (found,) = _usage(connection, None, hosts, (which,), down_after_seconds, only_available)
    return replace(found, name=aggregate["name"])


def _named(name: str) -> ColumnElement[bool]:
    return or_(AGGREGATES.c.name == name, AGGREGATES.c.uuid == name)


def _usage(
    connection: Connection,
    group: ColumnElement[Any] | None,
    hosts: FromClause,
    which: Iterable[ColumnElement[bool]],
    down_after_seconds: float,
    only_available: bool,
) -> list[GroupUsage]:
    query = usage_sums(group, hosts, *which, down_after_seconds=down_after_seconds, only_available=only_available)
    if connection.dialect.name == "postgresql" and (connection.dialect.server_version_info or ()) >= (11,):
        # Compiling the many sums takes seconds, and saves none of them.
        connection.exec_driver_sql("SET LOCAL jit = off")
    parts: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows(connection, query):
        parts[cast("str | None", row["group_name"])].append(row)
    return [_group(name, parts[name]) for name in sorted(parts, key=lambda name: name or "")]


def _group(name: str | None, parts: Collection[Row]) -> GroupUsage:
    hosts, served, down, disabled = (sum(int(cast(Any, part[count])) for part in parts) for count in COUNTS)
    resources = {resource: _resource(_added(parts, resource)) for resource in RESOURCES}
    return GroupUsage(name=name, hosts=hosts, up=served - down, enabled=hosts - disabled, resources=resources)


def _added(parts: Iterable[Row], resource: str) -> _Figures:
    """Add up the figures of a resource; what is known of none is ``None``."""
    figures: dict[str, Any] = dict.fromkeys((*FIGURES, *COMPARED))
    for part in parts:
        for figure, value in _figures(part, resource).items():
            if value is not None:
                figures[figure] = value + (figures[figure] or 0)
    # Floats that are added and taken away again leave a trace.
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}


def _figures(part: Row, resource: str) -> _Figures:
    def number(figure: str) -> Any:
        # Sums of whole numbers are decimals on two of the servers.
        value: Any = part[label(resource, figure)]
        return None if value is None else float(value) if "capacity" in figure else int(value)

    figures = {figure: number(figure) for figure in (*FIGURES, *COMPARED)}
    if figures["unknown"] is None:
        total, reserved, capacity, used = (figures[figure] for figure in FIGURES)
        figures["total_of_used"] = None if used is None else total
        figures["used_of_total"] = None if total is None else used
        figures["capacity_of_held"] = None if used is None else capacity
        figures["held_of_capacity"] = None if capacity is None or used is None else used - reserved
    return figures


def _resource(figures: _Figures) -> ResourceUsage:
    capacity, held = figures["capacity_of_held"], figures["held_of_capacity"]
    return ResourceUsage(
        total=figures["total"],
        reserved=figures["reserved"],
        capacity=figures["capacity"],
        used=figures["used"],
        free=None if capacity is None else capacity - held,
        used_percent=percent(figures["used_of_total"], figures["total_of_used"]),
        capacity_used_percent=percent(held, capacity),
        unknown=figures["unknown"] or 0,
    )
