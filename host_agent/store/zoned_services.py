# SPDX-License-Identifier: Apache-2.0
"""Services as operators see them: each with its availability zone; and the zones that services make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, case, false, func, select

from host_agent.store.row import Row, rows
from host_agent.store.schema import SERVICES
from host_agent.store.services import is_alive
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.zones import DEFAULT_ZONE, zone_of

__all__ = ["ServiceZone", "service_zones", "zoned_services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceZone:
    """An availability zone that has services.

    Attributes:
        is_available: whether one of them is enabled.
    """

    name: str
    is_available: bool


@retry_temporary
def zoned_services(
    engine: Engine,
    columns: tuple[str, ...],
    *,
    down_after_seconds: float,
    uuid: str | None = None,
    host: str | None = None,
    binary: str | None = None,
) -> list[Row]:
    """Give services, oldest first.

    Args:
        engine: the database.
        columns: those wanted: of ``services``, where ``updated_at`` is when it was heard of or changed last;
            ``is_alive``; ``zone``.
        down_after_seconds: for how long a service that is not heard of still counts as alive.
        uuid: only the one with this uuid.
        host: only those of this host.
        binary: only those of this kind.

    Raises:
        StoreError: one of its children.
    """
    query = _zoned(columns, down_after_seconds)
    for column, value in ((SERVICES.c.uuid, uuid), (SERVICES.c.host, host), (SERVICES.c.binary, binary)):
        if value is not None:
            # PostgreSQL takes no such text, and no service has it.
            query = query.where(false() if "\0" in value else column == value)
    with reading(engine) as connection:
        return rows(connection, query)


@retry_temporary
def service_zones(engine: Engine) -> list[ServiceZone]:
    """Give the availability zones that have services, sorted by name; the default one among them where it has.

    Raises:
        StoreError: one of its children.
    """
    zone = zone_of(SERVICES.c.host, DEFAULT_ZONE).label("zone")
    query = select(zone, func.count(case((~SERVICES.c.disabled, 1)))).group_by(zone)
    with reading(engine) as connection:
        found = connection.execute(query).all()
    return [ServiceZone(name=name, is_available=enabled > 0) for name, enabled in sorted(found)]


@lru_cache(maxsize=64)
def _zoned(columns: tuple[str, ...], down_after_seconds: float) -> Select[Any]:
    """Make the query for every service, once: to make it takes longer than to find one."""
    seen, changed = SERVICES.c.last_seen_up, SERVICES.c.updated_at
    others: dict[str, ColumnElement[Any]] = {
        "is_alive": is_alive(down_after_seconds),
        "zone": zone_of(SERVICES.c.host, DEFAULT_ZONE),
        "updated_at": case((seen > changed, seen), else_=func.coalesce(changed, seen)),
    }
    return select(*((others[name] if name in others else SERVICES.c[name]).label(name) for name in columns)).order_by(
        SERVICES.c.id
    )
