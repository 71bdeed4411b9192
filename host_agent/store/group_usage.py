# SPDX-License-Identifier: Apache-2.0
"""What zones, aggregates and the whole fleet have and use: one query each, however many hosts there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Engine,
    FromClause,
    Select,
    Subquery,
    Table,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from host_agent.resource_usage import DISK, MEMORY, PCPU, RESOURCES, VCPU, GroupUsage, ResourceUsage, percent
from host_agent.store.row import Row, rows
from host_agent.store.schema import AggregateHostRow, AggregateRow, ComputeHostRow, ServiceRow
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.upsert import utc_now
from host_agent.store.zones import DEFAULT_ZONE, zone_of

__all__ = ["fleet_usage", "usage_by_aggregate", "usage_by_zone"]

_HOSTS = cast(Table, ComputeHostRow.__table__)
_SERVICES = cast(Table, ServiceRow.__table__)
_AGGREGATES = cast(Table, AggregateRow.__table__)
_MEMBERS = cast(Table, AggregateHostRow.__table__)

_COUNTS = ("hosts", "up", "enabled")
# Of one resource.
_FIGURES = ("total", "reserved", "ratio", "used")


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
    return _usage(engine, zone_of(_HOSTS.c.host, default_zone), _HOSTS, down_after_seconds, only_available)


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
    hosts = _HOSTS.join(_MEMBERS, _MEMBERS.c.host == _HOSTS.c.host)
    hosts = hosts.join(_AGGREGATES, _AGGREGATES.c.id == _MEMBERS.c.aggregate_id)
    return _usage(engine, _AGGREGATES.c.name, hosts, down_after_seconds, only_available)


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
    (fleet,) = _usage(engine, None, _HOSTS, down_after_seconds, only_available)
    return fleet


def _usage(
    engine: Engine,
    group: ColumnElement[Any] | None,
    hosts: FromClause,
    down_after_seconds: float,
    only_available: bool,
) -> list[GroupUsage]:
    found = _hosts(group, hosts, down_after_seconds)
    if only_available:
        found = found.where(*_availability(down_after_seconds).values())
    query = _groups(_storages(found.subquery("hosts")).subquery("storages"))
    with reading(engine) as connection:
        return [_group(row) for row in rows(connection, query)]


def _availability(down_after_seconds: float) -> dict[str, ColumnElement[bool]]:
    is_up = and_(_SERVICES.c.last_seen_up >= utc_now(-down_after_seconds), ~_SERVICES.c.forced_down)
    return {"up": is_up, "enabled": ~func.coalesce(_SERVICES.c.disabled, false())}


def _hosts(group: ColumnElement[Any] | None, hosts: FromClause, down_after_seconds: float) -> Select[Any]:
    """Give each host that is not retired, in the name of its group, with what it has of each resource."""
    counted = {"hosts": true(), **_availability(down_after_seconds)}
    figures = {_label(name, figure): value for name, one in _COLUMNS.items() for figure, value in one.items()}
    return (
        select(
            *([] if group is None else [group.label("name")]),
            *(case((counts, 1), else_=0).label(name) for name, counts in counted.items()),
            *(value.label(label) for label, value in figures.items()),
            _HOSTS.c.shared_storage,
            # A host with disks of its own is alone with them.
            case((_HOSTS.c.shared_storage.is_(None), _HOSTS.c.id)).label("alone"),
        )
        .select_from(hosts.outerjoin(_SERVICES, _SERVICES.c.id == _HOSTS.c.service_id))
        .where(_HOSTS.c.retired_at.is_(None))
    )


def _storages(hosts: Subquery) -> Select[Any]:
    """Give sums over the hosts of each group that share a storage; of the storage itself each tells the same."""
    summed: dict[str, ColumnElement[Any]] = {name: hosts.c[name] for name in _COUNTS}
    for resource in (VCPU, PCPU, MEMORY):
        summed |= {_label(resource, name): figure for name, figure in _figures(hosts, resource).items()}
    summed[_label(DISK, "unknown")] = _figures(hosts, DISK)["unknown"]
    disk = {name: hosts.c[_label(DISK, name)] for name in _FIGURES}
    # What workloads hold of a storage is each host's own; what is reserved of it is so once.
    held = func.sum(disk["used"] - func.coalesce(disk["reserved"], 0))
    once: dict[str, ColumnElement[Any]] = {name: func.max(disk[name]) for name in ("total", "reserved", "ratio")}
    once["used"] = held + func.coalesce(once["reserved"], 0)
    keys = [hosts.c[name] for name in ("name", "shared_storage", "alone") if name in hosts.c]
    return select(
        *(key for key in keys if key.name == "name"),
        *(func.sum(value).label(label) for label, value in summed.items()),
        *(value.label(_label(DISK, name)) for name, value in once.items()),
    ).group_by(*keys)


def _groups(storages: Subquery) -> Select[Any]:
    shared = _figures(storages, DISK) | {"unknown": storages.c[_label(DISK, "unknown")]}
    summed = {_label(DISK, name): figure for name, figure in shared.items()}
    for resource in (VCPU, PCPU, MEMORY):
        summed |= {label: storages.c[label] for label in (_label(resource, name) for name in shared)}
    summed |= {name: storages.c[name] for name in _COUNTS}
    sums = [func.sum(value).label(label) for label, value in summed.items()]
    if "name" not in storages.c:
        return select(*sums)
    return select(storages.c.name, *sums).group_by(storages.c.name).order_by(storages.c.name)


def _figures(hosts: Subquery, resource: str) -> dict[str, ColumnElement[Any]]:
    """Give what is summed of a resource; whatever an unknown takes part in is NULL, and no part of the sum."""
    total, reserved, ratio, used = (hosts.c[_label(resource, name)] for name in _FIGURES)
    # Where more is reserved than there is nothing is left: not less than that.
    capacity = case((total > reserved, (total - reserved) * ratio), (total <= reserved, ratio * 0))
    return {
        "total": total,
        "reserved": reserved,
        "capacity": capacity,
        "used": used,
        # A part is compared with a whole over the hosts alone of which both are known.
        "total_of_used": case((used.is_not(None), total)),
        "used_of_total": case((total.is_not(None), used)),
        "capacity_of_held": case((used.is_not(None), capacity)),
        "held_of_capacity": case((capacity.is_not(None), used - reserved)),
        "unknown": case((or_(total.is_(None), used.is_(None)), 1), else_=0),
    }


def _group(row: Row) -> GroupUsage:
    hosts, up, enabled = (int(cast(Any, row[name] or 0)) for name in ("hosts", "up", "enabled"))
    resources = {resource: _resource(row, resource) for resource in RESOURCES}
    return GroupUsage(name=cast(str, row.get("name")), hosts=hosts, up=up, enabled=enabled, resources=resources)


def _resource(row: Row, resource: str) -> ResourceUsage:
    def figure(name: str) -> Any:
        # Sums of whole numbers are decimals on two of the servers.
        value: Any = row[_label(resource, name)]
        return None if value is None else float(value) if "capacity" in name else int(value)

    capacity, held = figure("capacity_of_held"), figure("held_of_capacity")
    return ResourceUsage(
        total=figure("total"),
        reserved=figure("reserved"),
        capacity=figure("capacity"),
        used=figure("used"),
        free=None if capacity is None else capacity - held,
        used_percent=percent(figure("used_of_total"), figure("total_of_used")),
        capacity_used_percent=percent(held, capacity),
        unknown=figure("unknown") or 0,
    )


def _label(resource: str, figure: str) -> str:
    return f"{resource}_{figure}".lower()


def _columns() -> dict[str, Mapping[str, ColumnElement[Any]]]:
    """Give what `resources_of` gives of a row, in SQL."""
    row = _HOSTS.c
    has_dedicated = row.pcpus > 0
    return {
        VCPU: {
            "total": case((has_dedicated, row.vcpus - row.pcpus), else_=row.vcpus),
            "reserved": row.reserved_host_cpus,
            "ratio": row.cpu_allocation_ratio,
            "used": case((has_dedicated, row.vcpus_used - row.pcpus_used), else_=row.vcpus_used),
        },
        PCPU: {
            "total": row.pcpus,
            "reserved": literal(0),
            "ratio": literal(1.0),
            "used": case((row.pcpus == 0, 0), else_=row.pcpus_used),
        },
        MEMORY: {
            "total": row.memory_mb,
            "reserved": row.reserved_host_memory_mb,
            "ratio": row.ram_allocation_ratio,
            "used": row.memory_mb_used,
        },
        DISK: {
            "total": row.local_gb,
            "reserved": (row.reserved_host_disk_mb + 1023) // 1024,
            "ratio": row.disk_allocation_ratio,
            "used": row.local_gb_used,
        },
    }


_COLUMNS = _columns()
