# SPDX-License-Identifier: Apache-2.0
"""Hosts as Nova's API has them: those that are not retired and have a service, with what runs there.

Nova leaves out a host whose service was deleted. Here that is a host whose name another one took over as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    Select,
    String,
    bindparam,
    exists,
    null,
    or_,
    select,
    union_all,
)

from host_agent.errors import UnknownMarker
from host_agent.store.row import Row, first_row, now, rows, wide_rows
from host_agent.store.schema import FOUND_WORKLOADS, HOSTS, SERVICES, WORKLOADS
from host_agent.store.services import is_alive
from host_agent.store.transaction import reading, retry_temporary
from host_agent.usage import RELEASED

__all__ = ["find_hypervisors", "get_hypervisor", "hypervisor_servers", "list_hypervisors"]


# SQLite takes 32,766 parameters in one statement, PostgreSQL 65,535; a host is two.
_MOST_HOSTS = 10_000
_NOW = "now"
# No name has it, and it is nobody's wildcard.
_ESCAPE = "/"


@retry_temporary
def list_hypervisors(
    engine: Engine,
    columns: tuple[str, ...],
    *,
    down_after_seconds: float,
    limit: int | None = None,
    marker: int | str | None = None,
) -> list[Row]:
    """Give one page of hosts, oldest first.

    Args:
        engine: the database.
        columns: those wanted: of ``compute_host``; of its service ``disabled``, ``disabled_reason``, ``service_uuid``
            and ``service_id``; ``is_alive``; ``now``, the database's time.
        down_after_seconds: for how long a host that is not heard of still counts as alive.
        limit: rows at most; ``None`` is all.
        marker: the id or the uuid of the last row of the page before.

    Raises:
        UnknownMarker: no row has it.
        StoreError: one of its children.
    """
    query = _all(columns, down_after_seconds)
    if marker is not None:
        query = query.where(HOSTS.c.id > _marked(marker).scalar_subquery())
    if limit is not None:
        query = query.limit(bindparam("most", limit, type_=Integer))
    with reading(engine) as connection:
        page = _read(connection, columns, query)
        if not page and marker is not None and first_row(connection, _marked(marker)) is None:
            raise UnknownMarker(str(marker))
    return page


@retry_temporary
def find_hypervisors(engine: Engine, columns: tuple[str, ...], pattern: str, *, down_after_seconds: float) -> list[Row]:
    """Give all hosts whose hypervisor host name contains a pattern, oldest first.

    Args:
        engine: the database.
        columns: as for `list_hypervisors`.
        pattern: in any case; ``_`` stands for any character, as it does with Nova.
        down_after_seconds: as for `list_hypervisors`.

    Raises:
        StoreError: one of its children.
    """
    literal = pattern.replace(_ESCAPE, _ESCAPE * 2).replace("%", f"{_ESCAPE}%")
    matches = HOSTS.c.hypervisor_hostname.ilike(bindparam("pattern", f"%{literal}%", String), escape=_ESCAPE)
    with reading(engine) as connection:
        return _read(connection, columns, _all(columns, down_after_seconds).where(matches))


@retry_temporary
def get_hypervisor(
    engine: Engine, columns: tuple[str, ...], wanted: int | str, *, down_after_seconds: float
) -> Row | None:
    """Give one host by its id or uuid; ``None`` where there is none.

    Args:
        engine: the database.
        columns: as for `list_hypervisors`.
        wanted: the id or the uuid.
        down_after_seconds: as for `list_hypervisors`.

    Raises:
        StoreError: one of its children.
    """
    column = HOSTS.c.id if isinstance(wanted, int) else HOSTS.c.uuid
    with reading(engine) as connection:
        found = _read(connection, columns, _all(columns, down_after_seconds).where(column == wanted))
    return found[0] if found else None


@retry_temporary
def hypervisor_servers(engine: Engine, hosts: Mapping[str, str]) -> dict[str, list[Row]]:
    """Give ``uuid`` and ``name`` of what runs on hosts, by the hosts' uuids and sorted by name.

    That is what is recorded for a host, and what its agent found there that is recorded nowhere.

    Args:
        engine: the database.
        hosts: uuid -> ``host``.

    Raises:
        StoreError: one of its children.
    """
    servers: dict[str, list[Row]] = defaultdict(list)
    uuids = {host: uuid for uuid, host in hosts.items()}
    remaining = iter(hosts.items())
    with reading(engine) as connection:
        while part := dict(islice(remaining, _MOST_HOSTS)):
            for row in rows(connection, _RUNNING, {"uuids": list(part), "hosts": list(part.values())}):
                uuid, host = cast("tuple[str | None, str | None]", (row.pop("host_uuid"), row.pop("host")))
                servers[uuid or uuids[host or ""]].append(row)
    for found in servers.values():
        found.sort(key=lambda row: (str(row["name"] or ""), str(row["uuid"])))
    return servers


@lru_cache(maxsize=64)
def _all(columns: tuple[str, ...], down_after_seconds: float) -> Select[Any]:
    """Make the query for every host, once: to make it takes longer than to find one."""
    others = {
        "disabled": SERVICES.c.disabled,
        "disabled_reason": SERVICES.c.disabled_reason,
        "service_id": SERVICES.c.id,
        "service_uuid": SERVICES.c.uuid,
        "is_alive": is_alive(down_after_seconds),
    }
    chosen = [others[name].label(name) if name in others else HOSTS.c[name] for name in columns if name != _NOW]
    joined = HOSTS.join(SERVICES, SERVICES.c.id == HOSTS.c.service_id)
    return select(*chosen).select_from(joined).where(HOSTS.c.retired_at.is_(None)).order_by(HOSTS.c.id)


def _read(connection: Connection, columns: tuple[str, ...], query: Select[Any]) -> list[Row]:
    found = wide_rows(connection, query)
    if _NOW in columns:
        # Asked once: to read a time takes drivers longer than anything else in a row.
        moment = now(connection)
        for row in found:
            row[_NOW] = moment
    return found


def _marked(marker: int | str) -> Select[Any]:
    """Give the query for the id of the last row of a page; that one may be retired since."""
    hosts = HOSTS.alias("marked")
    return select(hosts.c.id).where((hosts.c.id if isinstance(marker, int) else hosts.c.uuid) == marker)


_RUNNING = union_all(
    select(FOUND_WORKLOADS.c.host_uuid, null().label("host"), FOUND_WORKLOADS.c.uuid, FOUND_WORKLOADS.c.name).where(
        FOUND_WORKLOADS.c.host_uuid.in_(bindparam("uuids", expanding=True)),
        ~exists().where(WORKLOADS.c.uuid == FOUND_WORKLOADS.c.uuid),
    ),
    select(null().label("host_uuid"), WORKLOADS.c.host, WORKLOADS.c.uuid, WORKLOADS.c.name)
    .where(WORKLOADS.c.host.in_(bindparam("hosts", expanding=True)))
    .where(or_(WORKLOADS.c.state.is_(None), WORKLOADS.c.state.not_in(sorted(RELEASED)))),
)
