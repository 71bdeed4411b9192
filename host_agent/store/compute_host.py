# SPDX-License-Identifier: Apache-2.0
"""The table ``compute_host``: one row for each host, found by its uuid."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, or_, select

from host_agent.errors import UnknownMarker
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import HOSTS, SERVICES
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.upsert import utc_now

__all__ = ["find", "get", "known_facts", "list_hosts", "listed"]

# The lock on the usage and a key of ours are nobody's business outside.
_WHOLE = [column for column in HOSTS.columns if column.name not in ("usage_generation", "trait_set_id")]
_NARROW = [column for column in _WHOLE if column.name != "facts"]
_LIVENESS = [SERVICES.c[name] for name in ("last_seen_up", "disabled", "disabled_reason", "forced_down")]


@retry_temporary
def get(engine: Engine, uuid: str) -> Row | None:
    """Give the whole row of a host, the document ``facts`` too; see `list_hosts` for what comes with it.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return first_row(connection, _with_liveness(*_WHOLE).where(HOSTS.c.uuid == uuid))


@retry_temporary
def find(engine: Engine, name: str) -> list[Row]:
    """Give the rows, as `list_hosts` does, whose uuid, hypervisor host name or host is `name`, oldest first.

    Raises:
        StoreError: one of its children.
    """
    wanted = or_(HOSTS.c.uuid == name, HOSTS.c.hypervisor_hostname == name, HOSTS.c.host == name)
    with reading(engine) as connection:
        return rows(connection, listed().where(wanted).order_by(HOSTS.c.id))


@retry_temporary
def list_hosts(engine: Engine, *, limit: int = 1000, marker: str | None = None) -> list[Row]:
    """Give one page of rows, without ``facts``, oldest first.

    Each has its service's ``last_seen_up``, ``disabled``, ``disabled_reason`` and ``forced_down`` (``None`` where it
    has no service), and ``now``, the database's time of the reading: `host_agent.liveness` tells the state from them.

    Args:
        engine: the database.
        limit: rows at most.
        marker: the uuid of the last row of the page before.

    Raises:
        UnknownMarker: no row has the uuid `marker`.
        StoreError: one of its children.
    """
    query = listed().order_by(HOSTS.c.id).limit(limit)
    with reading(engine) as connection:
        if marker is not None:
            last = connection.execute(select(HOSTS.c.id).where(HOSTS.c.uuid == marker)).scalar_one_or_none()
            if last is None:
                raise UnknownMarker(marker)
            query = query.where(HOSTS.c.id > last)
        return rows(connection, query)


@retry_temporary
def known_facts(engine: Engine, uuid: str) -> str | None:
    """Give the document that is stored of a host, as JSON text; ``None`` where there is no such host.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        facts: str | None = connection.execute(select(HOSTS.c.facts).where(HOSTS.c.uuid == uuid)).scalar_one_or_none()
    return facts


def listed() -> Select[Any]:
    """Give the query for every host, without ``facts``, with its service's liveness."""
    return _with_liveness(*_NARROW)


def _with_liveness(*columns: ColumnElement[Any]) -> Select[Any]:
    joined = HOSTS.outerjoin(SERVICES, SERVICES.c.id == HOSTS.c.service_id)
    return select(*columns, *_LIVENESS, utc_now().label("now")).select_from(joined)
