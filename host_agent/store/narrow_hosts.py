# SPDX-License-Identifier: Apache-2.0
"""Chosen columns of the table ``compute_host``: of the hosts that a name means, or of one page in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, literal, or_, select

from host_agent.errors import UnknownMarker
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import HOSTS, SERVICES
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.upsert import utc_now

__all__ = ["hosts_named", "hosts_sorted"]

_LIVENESS = [SERVICES.c[name] for name in ("last_seen_up", "disabled", "forced_down")]
_WHO = ("uuid", "host", "hypervisor_hostname", "service_id", "retired_at", "updated_at")


@retry_temporary
def hosts_named(engine: Engine, name: str, columns: Sequence[str] = (), *, uuid: str | None = None) -> list[Row]:
    """Give the hosts that a name means, retired ones too, oldest first.

    Each has `columns`, its ``uuid``, ``host``, ``hypervisor_hostname``, ``service_id``, ``retired_at`` and
    ``updated_at``, and what `host_agent.liveness` tells its state from.

    Args:
        engine: the database.
        name: a ``hypervisor_hostname`` or ``host``.
        columns: what else is wanted of ``compute_host``.
        uuid: the host with this ``uuid`` as well.

    Raises:
        StoreError: one of its children.
    """
    wanted = or_(HOSTS.c.uuid == (uuid or name), HOSTS.c.hypervisor_hostname == name, HOSTS.c.host == name)
    chosen = [HOSTS.c[column] for column in dict.fromkeys([*_WHO, *columns])]
    joined = HOSTS.outerjoin(SERVICES, SERVICES.c.id == HOSTS.c.service_id)
    query = select(*chosen, *_LIVENESS, utc_now().label("now")).select_from(joined)
    with reading(engine) as connection:
        return rows(connection, query.where(wanted).order_by(HOSTS.c.id))


@retry_temporary
def hosts_sorted(
    engine: Engine,
    columns: Sequence[str],
    *,
    by: str,
    descending: bool = False,
    limit: int = 1000,
    marker: str | None = None,
) -> list[Row]:
    """Give one page of the hosts that are not retired, in the order of one column.

    Hosts with the same value follow each other in the order of their ``id``; those without one come last either way.

    Args:
        engine: the database.
        columns: what is wanted of ``compute_host``.
        by: the column.
        descending: whether the greatest value comes first, and of equal ones the greatest ``id``.
        limit: rows at most.
        marker: the uuid of the last row of the page before.

    Raises:
        UnknownMarker: no host has the uuid `marker`.
        StoreError: one of its children.
    """
    key, row_id = HOSTS.c[by], HOSTS.c.id
    order = [key.desc(), row_id.desc()] if descending else [key.asc(), row_id.asc()]
    # Whether there is a value comes first only where there may be none: no index would serve that.
    unknown_last = [key.is_(None)] if key.nullable else []
    query = select(*(HOSTS.c[column] for column in columns)).where(HOSTS.c.retired_at.is_(None))
    query = query.order_by(*unknown_last, *order).limit(limit)
    with reading(engine) as connection:
        if marker is not None:
            query = query.where(_after(_marked(connection, key, marker), key, descending))
        return rows(connection, query)


def _marked(connection: Connection, key: ColumnElement[Any], marker: str) -> Row:
    query: Select[Any] = select(key.label("value"), HOSTS.c.id).where(HOSTS.c.uuid == marker)
    row = first_row(connection, query)
    if row is None:
        raise UnknownMarker(marker)
    return row


def _after(last: Row, key: ColumnElement[Any], descending: bool) -> ColumnElement[bool]:
    """Give the condition of the rows behind `last`."""
    value, row_id = literal(last["value"], key.type), HOSTS.c.id
    is_later = row_id < last["id"] if descending else row_id > last["id"]
    if last["value"] is None:
        return and_(key.is_(None), is_later)
    is_further = key < value if descending else key > value
    # The first half is said again so that an index on the column serves.
    is_behind = and_(key <= value if descending else key >= value, or_(is_further, is_later))
    return or_(is_behind, key.is_(None)) if key.nullable else is_behind
