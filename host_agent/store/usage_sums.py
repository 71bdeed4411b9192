# SPDX-License-Identifier: Apache-2.0
"""What the hosts of each group have and use together: one query, in parts that are added up afterwards.

Nearly every host tells everything, and needs four sums for each resource. Hosts of which something is not known need
nine, and are asked apart; so are storages that several hosts share, each of which tells the same of them, and the few
hosts that are not available. To ask all of all would take several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    case,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from host_agent.resource_usage import DISK, RESOURCES
from host_agent.store.inventory_sums import FIGURES, complete_sums, label
from host_agent.store.resource_columns import RESOURCE_COLUMNS, ResourceColumns, in_this_order
from host_agent.store.schema import INVENTORIES, SERVICES, SUMS
from host_agent.store.services import is_alive

__all__ = ["COMPARED", "COUNTS", "fleet_sums", "usage_sums"]

_HOST = INVENTORIES.c

# Hosts; those with a service; of these the ones that are down, and disabled.
COUNTS = ("hosts", "served", "down", "disabled")
# Where something is not known, a part is compared with a whole over the hosts alone of which both are known.
COMPARED = ("total_of_used", "used_of_total", "capacity_of_held", "held_of_capacity", "unknown")

_Sums = Mapping[str, ColumnElement[Any]]


def usage_sums(
    group: ColumnElement[Any] | None,
    hosts: FromClause,
    *which: ColumnElement[bool],
    down_after_seconds: float,
    only_available: bool,
) -> CompoundSelect[Any]:
    """Give the query: several rows for each group, with its ``group_name``, the counts, and figures of each resource.

    A figure in which nothing known takes part is NULL. Where a row leaves out `COMPARED`, all is known that it counts.

    Args:
        group: the name of a host's group; ``None`` is all hosts together, in a group without a name.
        hosts: the narrow rows of hosts, once for each group that a host is in.
        which: the conditions under which a host counts.
        down_after_seconds: for how long a host that is not heard of still counts as up.
        only_available: whether hosts that are enabled and up count alone.
    """
    is_up = is_alive(down_after_seconds)
    counted = [*which, *(_available(is_up) if only_available else ())]
    parts = [
        # First the one that has all figures: their types are those of all.
        _part(group, hosts, _of_incomplete(), ~_HOST.is_complete, *counted),
        _part(group, hosts, _of_complete(), _HOST.is_complete, *counted),
        _part(group, hosts, _of_storage(), ~_HAS_OWN_DISKS, *counted).group_by(_HOST.shared_storage),
    ]
    if not only_available:
        parts.append(_of_services(group, hosts, _of_unavailable(is_up), _is_unavailable(is_up), *which))
    return union_all(*parts)


@lru_cache(maxsize=8)
def fleet_sums(*, down_after_seconds: float, only_available: bool) -> CompoundSelect[Any]:
    """Give the same query for all hosts together, out of sums that are there already; see `usage_sums`.

    It is kept: to put it together takes as long as to ask it.
    """
    is_up = is_alive(down_after_seconds)
    counted = _available(is_up) if only_available else ()
    parts = [
        _part(None, INVENTORIES, _of_incomplete(), ~_HOST.is_complete, *counted),
        _part(None, SUMS, _of_neighbours()),
        _part(None, INVENTORIES, _of_storage(), ~_HAS_OWN_DISKS, *counted).group_by(_HOST.shared_storage),
    ]
    if only_available:
        less = {name: -value for name, value in _of_complete().items()}
        parts.append(_part(None, INVENTORIES, less, _HOST.is_complete, _HOST.service_id.is_(None)))
        parts.append(_of_services(None, INVENTORIES, less, _HOST.is_complete, _is_unavailable(is_up)))
    else:
        parts.append(_of_services(None, INVENTORIES, _of_unavailable(is_up), _is_unavailable(is_up)))
    return union_all(*parts)


def _of_services(
    group: ColumnElement[Any] | None, hosts: FromClause, sums: _Sums, *which: ColumnElement[bool]
) -> Select[Any]:
    """Give a part over those services alone for which `which` holds."""
    return in_this_order(_part(group, SERVICES.join(hosts, SERVICES.c.id == _HOST.service_id), sums, *which))


def _is_unavailable(is_up: ColumnElement[bool]) -> ColumnElement[bool]:
    return or_(~is_up, SERVICES.c.disabled)


def _available(is_up: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    # By the few that are not: to look each one up takes longer than all the rest.
    others = select(SERVICES.c.id).where(_is_unavailable(is_up))
    return _HOST.service_id.is_not(None), _HOST.service_id.not_in(others)


def _part(group: ColumnElement[Any] | None, hosts: FromClause, sums: _Sums, *which: ColumnElement[bool]) -> Select[Any]:
    counts = (func.coalesce(sums.get(name, literal(0)), 0).label(name) for name in COUNTS)
    figures = (sums.get(name, null()).label(name) for name in _ALL_FIGURES)
    name = (null() if group is None else group).label("group_name")
    part = select(name, *counts, *figures).select_from(hosts).where(*which)
    # By the name: on PostgreSQL two parameters of equal value do not make two expressions equal.
    return part if group is None else part.group_by("group_name")


def _of_incomplete() -> _Sums:
    sums = {key: func.sum(value) for key, value in _each_figure()}
    return {"hosts": func.count(), "served": func.count(_HOST.service_id), **sums}


def _each_figure() -> Iterator[tuple[str, ColumnElement[Any]]]:
    for name, one in RESOURCE_COLUMNS.items():
        known = _basic(one)
        total, reserved, given, used = known.values()
        known |= {
            "total_of_used": case((used.is_not(None), total)),
            "used_of_total": case((total.is_not(None), used)),
            "capacity_of_held": case((used.is_not(None), given)),
            "held_of_capacity": case((given.is_not(None), used - reserved)),
        }
        for figure, value in known.items():
            yield label(name, figure), case((_HAS_OWN_DISKS, value)) if name == DISK else value
        yield label(name, "unknown"), case((or_(total.is_(None), used.is_(None)), 1), else_=0)


def _of_complete() -> _Sums:
    sums = complete_sums()
    return sums | {"served": sums["complete_served"]}


def _of_neighbours() -> _Sums:
    sums: dict[str, ColumnElement[Any]] = {name: func.sum(SUMS.c[name]) for name in complete_sums()}
    return sums | {"served": sums["complete_served"]}


def _of_storage() -> _Sums:
    """Give the figures of a storage: each of its hosts tells the same, but for what its workloads hold of it."""
    disk = RESOURCE_COLUMNS[DISK]
    total, reserved, ratio = (func.max(value) for value in (disk.total, disk.reserved, disk.ratio))
    held = func.sum(disk.used - func.coalesce(disk.reserved, 0))
    once = ResourceColumns(total=total, reserved=reserved, ratio=ratio, used=held + func.coalesce(reserved, 0))
    return {label(DISK, figure): value for figure, value in _basic(once).items()}


def _of_unavailable(is_up: ColumnElement[bool]) -> _Sums:
    return {"down": func.count(case((~is_up, 1))), "disabled": func.count(case((SERVICES.c.disabled, 1)))}


def _basic(one: ResourceColumns) -> dict[str, ColumnElement[Any]]:
    return {figure: getattr(one, figure) for figure in FIGURES}


_HAS_OWN_DISKS = _HOST.shared_storage.is_(None)
_ALL_FIGURES = tuple(label(name, figure) for name in RESOURCES for figure in (*FIGURES, *COMPARED))
