# SPDX-License-Identifier: Apache-2.0
"""The table ``compute_host``: one row for each host, found by its uuid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias, cast

from sqlalchemy import ColumnElement, Connection, Engine, Insert, Table, bindparam, func, or_, select, update

from host_agent.errors import UnknownMarker
from host_agent.record import ComputeHost
from host_agent.store.schema import ComputeHostRow
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.upsert import upsert_statement, utc_now

__all__ = ["Row", "find", "get", "list_hosts", "upsert", "upsert_many"]

# By column name.
Row: TypeAlias = dict[str, object]

_TABLE = cast(Table, ComputeHostRow.__table__)
_COLUMNS = tuple(field.name for field in fields(ComputeHost))
_LISTED = [column for column in _TABLE.columns if column.name != "facts"]
# SQLite takes 32,766 parameters in one statement, PostgreSQL 65,535.
_MOST_KEYS = 1000


@retry_temporary
def upsert(engine: Engine, record: ComputeHost, service_id: int | None = None) -> None:
    """Write one host: its row if there is one, a new row otherwise.

    The wide ``facts`` and ``facts_at`` are written only when ``facts_digest`` moved, everything else each time.

    Raises:
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        if not _update_narrow(connection, [record], service_id):
            _upsert_wide(connection, [record], service_id)


def upsert_many(engine: Engine, records: Iterable[ComputeHost]) -> None:
    """Write many hosts in one transaction; the same as `upsert` for each, and all or none.

    Raises:
        StoreError: one of its children.
    """
    # Everybody locks rows in the order of their keys, or parallel writers deadlock.
    _upsert_ordered(engine, sorted(records, key=lambda record: record.uuid))


@retry_temporary
def get(engine: Engine, uuid: str) -> Row | None:
    """Give the whole row of a host, the document ``facts`` too.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        row = connection.execute(select(_TABLE).where(_TABLE.c.uuid == uuid)).mappings().one_or_none()
    return None if row is None else dict(row)


@retry_temporary
def find(engine: Engine, name: str) -> list[Row]:
    """Give the rows, without ``facts``, whose uuid, hypervisor host name or host is `name`, oldest first.

    Raises:
        StoreError: one of its children.
    """
    wanted = or_(_TABLE.c.uuid == name, _TABLE.c.hypervisor_hostname == name, _TABLE.c.host == name)
    with reading(engine) as connection:
        return [
            dict(row) for row in connection.execute(select(*_LISTED).where(wanted).order_by(_TABLE.c.id)).mappings()
        ]


@retry_temporary
def list_hosts(engine: Engine, *, limit: int = 1000, marker: str | None = None) -> list[Row]:
    """Give one page of rows, without ``facts``, oldest first.

    Args:
        engine: the database.
        limit: rows at most.
        marker: the uuid of the last row of the page before.

    Raises:
        UnknownMarker: no row has the uuid `marker`.
        StoreError: one of its children.
    """
    query = select(*_LISTED).order_by(_TABLE.c.id).limit(limit)
    with reading(engine) as connection:
        if marker is not None:
            last = connection.execute(select(_TABLE.c.id).where(_TABLE.c.uuid == marker)).scalar_one_or_none()
            if last is None:
                raise UnknownMarker(marker)
            query = query.where(_TABLE.c.id > last)
        return [dict(row) for row in connection.execute(query).mappings()]


@retry_temporary
def _upsert_ordered(engine: Engine, records: Sequence[ComputeHost]) -> None:
    with transaction(engine) as connection:
        stored = _stored_digests(connection, [record.uuid for record in records])
        # Runs of equal kind, not first all narrow updates and then all upserts: the order of the keys is kept.
        for is_settled, run in groupby(records, key=lambda record: stored.get(record.uuid) == record.facts_digest):
            hosts = list(run)
            # Rows that vanish or change between the reading and here, by another writer, are written whole.
            if not (is_settled and _update_narrow(connection, hosts, None)):
                _upsert_wide(connection, hosts, None)


def _stored_digests(connection: Connection, uuids: Sequence[str]) -> dict[str, str]:
    digests: dict[str, str] = {}
    for start in range(0, len(uuids), _MOST_KEYS):
        keys = uuids[start : start + _MOST_KEYS]
        query = select(_TABLE.c.uuid, _TABLE.c.facts_digest).where(_TABLE.c.uuid.in_(keys))
        digests.update((uuid, digest) for uuid, digest in connection.execute(query))
    return digests


def _update_narrow(connection: Connection, records: Sequence[ComputeHost], service_id: int | None) -> bool:
    """Write everything but the facts; tell whether all rows were there with these very facts."""
    parameters = _parameters(_NARROW_NAMES, _NARROW_COLUMNS, records, service_id)
    return connection.execute(_NARROW_UPDATE, parameters).rowcount == len(records)


def _upsert_wide(connection: Connection, records: Sequence[ComputeHost], service_id: int | None) -> None:
    statement = _wide_upsert(connection.dialect.name)
    parameters = _parameters(_COLUMNS, _COLUMNS, records, service_id)
    if connection.dialect.name in ("mysql", "mariadb"):
        # PyMySQL's executemany sends an INSERT with function calls row by row anyway. Before 1.2 it found that out by
        # a regular expression that backtracks for ever over this many columns.
        for row in parameters:
            connection.execute(statement, row)
    else:
        connection.execute(statement, parameters)


def _parameters(
    names: Sequence[str], columns: Sequence[str], records: Sequence[ComputeHost], service_id: int | None
) -> list[dict[str, object]]:
    # Not asdict(), which copies every value and takes half of the time of a row in a batch.
    values = attrgetter(*columns)
    return [dict(zip(names, values(record), strict=True), service_id=service_id) for record in records]


# Not known now is no reason to forget it.
_SERVICE_ID: ColumnElement[int | None] = func.coalesce(bindparam("service_id"), _TABLE.c.service_id)
_NARROW_COLUMNS = tuple(name for name in _COLUMNS if name != "facts")
# SQLAlchemy wants parameters of a WHERE under other names than the columns an UPDATE sets.
_KEY_NAMES = {"uuid": "key_uuid", "facts_digest": "key_digest"}
_NARROW_NAMES = tuple(_KEY_NAMES.get(name, name) for name in _NARROW_COLUMNS)
_NARROW_UPDATE = (
    update(_TABLE)
    .where(_TABLE.c.uuid == bindparam("key_uuid"), _TABLE.c.facts_digest == bindparam("key_digest"))
    .values({name: bindparam(name) for name in _NARROW_COLUMNS if name not in _KEY_NAMES})
    .values(service_id=_SERVICE_ID, updated_at=utc_now())
)


@lru_cache
def _wide_upsert(dialect: str) -> Insert:
    now = utc_now()
    return upsert_statement(
        dialect,
        _TABLE,
        key=["uuid"],
        columns=_COLUMNS,
        on_insert={"service_id": bindparam("service_id"), "created_at": now, "updated_at": now, "facts_at": now},
        on_update={"service_id": _SERVICE_ID, "updated_at": now, "facts_at": now},
    )
