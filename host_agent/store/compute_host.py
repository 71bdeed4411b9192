# SPDX-License-Identifier: Apache-2.0
"""The table ``compute_host``: one row for each host, found by its uuid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from host_agent.errors import HostRetired, LeaseLost, UnknownMarker
from host_agent.record import ComputeHost
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import ComputeHostRow, ServiceRow
from host_agent.store.services import Lease, is_held
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.upsert import Incoming, upsert_statement, utc_now

__all__ = ["find", "get", "known_facts", "list_hosts", "listed", "upsert", "upsert_many"]

_TABLE = cast(Table, ComputeHostRow.__table__)
_SERVICES = cast(Table, ServiceRow.__table__)
_COLUMNS = tuple(field.name for field in fields(ComputeHost))
_NARROW = [column for column in _TABLE.columns if column.name != "facts"]
_LIVENESS = [_SERVICES.c[name] for name in ("last_seen_up", "disabled", "disabled_reason", "forced_down")]
# SQLite takes 32,766 parameters in one statement, PostgreSQL 65,535.
_MOST_KEYS = 1000
_MOST_LATE_MICROSECONDS = 3600 * 1_000_000


@retry_temporary
def upsert(engine: Engine, record: ComputeHost, lease: Lease | None = None) -> None:
    """Write one host: its row if there is one, a new row otherwise. Older facts never overwrite newer ones.

    Older are those of the same boot with a lower ``sequence``; they are left out without an error. The wide ``facts``
    and ``facts_at`` are written only when ``facts_digest`` moved, everything else each time.

    Args:
        engine: the database.
        record: the host.
        lease: what the host registered, which orders its boots.

    Raises:
        LeaseLost: the lease is not held by that boot any more. Nothing is written.
        HostRetired: an operator retired the host. Nothing is written.
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        service_id = None if lease is None else lease.service_id
        if not _update_narrow(connection, [record], service_id):
            _upsert_wide(connection, [record], service_id)
        # Only now: whoever takes the lease locks the host's row first, so that nobody can any more.
        if lease is None:
            _refuse_retired(connection, record.uuid)
        else:
            _require_lease(connection, record.uuid, lease)


def upsert_many(engine: Engine, records: Iterable[ComputeHost]) -> None:
    """Write many hosts in one transaction; the same as `upsert` for each, and all or none.

    Rows of retired hosts are left as they are, without an error.

    Raises:
        StoreError: one of its children.
    """
    # Everybody locks rows in the order of their keys, or parallel writers deadlock.
    _upsert_ordered(engine, sorted(records, key=lambda record: record.uuid))


@retry_temporary
def get(engine: Engine, uuid: str) -> Row | None:
    """Give the whole row of a host, the document ``facts`` too; see `list_hosts` for what comes with it.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return first_row(connection, _with_liveness(*_TABLE.columns).where(_TABLE.c.uuid == uuid))


@retry_temporary
def find(engine: Engine, name: str) -> list[Row]:
    """Give the rows, as `list_hosts` does, whose uuid, hypervisor host name or host is `name`, oldest first.

    Raises:
        StoreError: one of its children.
    """
    wanted = or_(_TABLE.c.uuid == name, _TABLE.c.hypervisor_hostname == name, _TABLE.c.host == name)
    with reading(engine) as connection:
        return rows(connection, listed().where(wanted).order_by(_TABLE.c.id))


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
    query = listed().order_by(_TABLE.c.id).limit(limit)
    with reading(engine) as connection:
        if marker is not None:
            last = connection.execute(select(_TABLE.c.id).where(_TABLE.c.uuid == marker)).scalar_one_or_none()
            if last is None:
                raise UnknownMarker(marker)
            query = query.where(_TABLE.c.id > last)
        return rows(connection, query)


@retry_temporary
def known_facts(engine: Engine, uuid: str) -> str | None:
    """Give the document that is stored of a host, as JSON text; ``None`` where there is no such host.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        facts: str | None = connection.execute(select(_TABLE.c.facts).where(_TABLE.c.uuid == uuid)).scalar_one_or_none()
    return facts


def listed() -> Select[Any]:
    """Give the query for every host, without ``facts``, with its service's liveness."""
    return _with_liveness(*_NARROW)


def _with_liveness(*columns: ColumnElement[Any]) -> Select[Any]:
    joined = _TABLE.outerjoin(_SERVICES, _SERVICES.c.id == _TABLE.c.service_id)
    return select(*columns, *_LIVENESS, utc_now().label("now")).select_from(joined)


def _require_lease(connection: Connection, uuid: str, lease: Lease) -> None:
    mine = (_SERVICES.c.id == lease.service_id) & (_SERVICES.c.uuid == lease.service_uuid)
    # Written, not only read: nodes of a Galera cluster know nothing of each other's locks, and a boot that registers on
    # another one at this moment is seen by a row that both have changed.
    keep = update(_SERVICES).where(mine, is_held(lease.boot_id)).values(updated_at=utc_now())
    if connection.execute(keep).rowcount == 0:
        raise LeaseLost(uuid)


def _refuse_retired(connection: Connection, uuid: str) -> None:
    retired = select(_TABLE.c.id).where(_TABLE.c.uuid == uuid, _TABLE.c.retired_at.is_not(None))
    if first_row(connection, retired) is not None:
        raise HostRetired(uuid)


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
    """Write everything but the facts; tell whether all rows were there with these very facts, and none newer."""
    parameters = _parameters(_NARROW_NAMES, _NARROW_SOURCES, records, service_id)
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


def _is_not_newer(boot_id: ColumnElement[Any], sequence: ColumnElement[Any]) -> ColumnElement[bool]:
    """Give the condition that a stored row may be changed by facts of this boot and sequence; never NULL.

    A boot without an id may be any boot, and sequences of two boots say nothing about each other. Nor do those of a
    virtual machine before and after it was set back to a snapshot; a late report is never late by so much.
    """
    return and_(
        _TABLE.c.retired_at.is_(None),
        or_(
            _TABLE.c.boot_id.is_(None),
            boot_id.is_(None),
            _TABLE.c.boot_id != boot_id,
            _TABLE.c.sequence.is_(None),
            _TABLE.c.sequence <= sequence,
            _TABLE.c.sequence > sequence + _MOST_LATE_MICROSECONDS,
        ),
    )


def _kept(name: str, new: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the new value of a column, or the stored one: not known now is no reason to forget it."""
    return func.coalesce(new, _TABLE.c[name])


_SERVICE_ID = _kept("service_id", bindparam("service_id", type_=_TABLE.c.service_id.type))
_NARROW_COLUMNS = tuple(name for name in _COLUMNS if name != "facts")
# SQLAlchemy wants parameters of a WHERE under other names than the columns an UPDATE sets.
_KEY_NAMES = {"uuid": "key_uuid", "facts_digest": "key_digest"}
_GUARD_NAMES = {"boot_id": "guard_boot_id", "sequence": "guard_sequence"}
_NARROW_SOURCES = (*_NARROW_COLUMNS, *_GUARD_NAMES)
_NARROW_NAMES = (*(_KEY_NAMES.get(name, name) for name in _NARROW_COLUMNS), *_GUARD_NAMES.values())
_NARROW_UPDATE = (
    update(_TABLE)
    .where(_TABLE.c.uuid == bindparam("key_uuid"), _TABLE.c.facts_digest == bindparam("key_digest"))
    .where(_is_not_newer(*(bindparam(new, type_=_TABLE.c[name].type) for name, new in _GUARD_NAMES.items())))
    .values({name: bindparam(name) for name in _NARROW_COLUMNS if name not in _KEY_NAMES})
    # Only root may read the product uuid: who reports next may not know it.
    .values(product_uuid=_kept("product_uuid", bindparam("product_uuid")), service_id=_SERVICE_ID, updated_at=utc_now())
)


def _changes(incoming: Incoming) -> dict[str, ColumnElement[Any]]:
    is_same = _TABLE.c.facts_digest == incoming("facts_digest")
    return {
        "facts_at": case((is_same, _TABLE.c.facts_at), else_=utc_now()),
        "product_uuid": _kept("product_uuid", incoming("product_uuid")),
        "service_id": _SERVICE_ID,
        "updated_at": utc_now(),
    }


@lru_cache
def _wide_upsert(dialect: str) -> Insert:
    now = utc_now()
    return upsert_statement(
        dialect,
        _TABLE,
        key=["uuid"],
        columns=_COLUMNS,
        on_insert={"service_id": bindparam("service_id"), "created_at": now, "updated_at": now, "facts_at": now},
        on_update=_changes,
        only_if=lambda incoming: _is_not_newer(incoming("boot_id"), incoming("sequence")),
        decided_by=["facts_digest", "sequence", "boot_id"],
    )
