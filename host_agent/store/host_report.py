# SPDX-License-Identifier: Apache-2.0
"""Writes the rows of ``compute_host``: what agents report of their hosts, never older over newer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    and_,
    bindparam,
    case,
    func,
    literal,
    null,
    or_,
    select,
    update,
)

from host_agent.errors import HostRetired, LeaseLost
from host_agent.record import ComputeHost
from host_agent.store.found_workloads import store_found
from host_agent.store.host_locks import NEXT_GENERATION, hold_names
from host_agent.store.inventories import keep_trait_sets
from host_agent.store.row import Row
from host_agent.store.schema import HOSTS, SERVICES
from host_agent.store.services import Lease, is_held
from host_agent.store.transaction import retry_temporary, transaction
from host_agent.store.upsert import Incoming, upsert_statement, utc_now
from host_agent.store.usage import HostInputs, read_named, settle
from host_agent.workloads.discovery import Discovery

__all__ = ["upsert", "upsert_many"]

# Of what a host has by OpenStack's names a column tells only which set it is.
_COLUMNS = tuple("trait_set_id" if field.name == "traits" else field.name for field in fields(ComputeHost))
# SQLite takes 32,766 parameters in one statement, PostgreSQL 65,535.
_MOST_KEYS = 1000
_MOST_LATE_MICROSECONDS = 3600 * 1_000_000


@retry_temporary
def upsert(engine: Engine, record: ComputeHost, lease: Lease | None = None, discovery: Discovery | None = None) -> None:
    """Write one host: its row if there is one, a new row otherwise. Older facts never overwrite newer ones.

    Older are those of the same boot with a lower ``sequence``; they are left out without an error. The wide ``facts``
    and ``facts_at`` are written only when ``facts_digest`` moved, everything else each time. What was found on the
    host is written where it differs, and so is the usage.

    Args:
        engine: the database.
        record: the host.
        lease: what the host registered, which orders its boots.
        discovery: what runs there; ``None`` leaves what is stored of that.

    Raises:
        LeaseLost: the lease is not held by that boot any more. Nothing is written.
        HostRetired: an operator retired the host. Nothing is written.
        StoreError: one of its children.
    """
    discoveries = {} if discovery is None else {record.uuid: discovery}
    with transaction(engine) as connection:
        service_id = None if lease is None else lease.service_id
        names = {record.uuid: record.host}
        if not _update_narrow(connection, [record], discoveries, service_id):
            names, _ = _stored(connection, [record.uuid])
            _upsert_wide(connection, [record], discoveries, service_id)
        # Only now: whoever takes the lease locks the host's row first, so that nobody can any more.
        if lease is not None:
            _require_lease(connection, record.uuid, lease)
        for host in _settle(connection, [record], discoveries, names):
            if lease is None and host.uuid == record.uuid and host.row["retired_at"] is not None:
                raise HostRetired(record.uuid)


def upsert_many(
    engine: Engine, records: Iterable[ComputeHost], discoveries: Mapping[str, Discovery] | None = None
) -> None:
    """Write many hosts in one transaction; the same as `upsert` for each, and all or none.

    Rows of retired hosts are left as they are, without an error.

    Args:
        engine: the database.
        records: the hosts.
        discoveries: what runs there, by the hosts' uuids.

    Raises:
        StoreError: one of its children.
    """
    # Everybody locks rows in the order of their keys, or parallel writers deadlock.
    _upsert_ordered(engine, sorted(records, key=lambda record: record.uuid), discoveries or {})


def _require_lease(connection: Connection, uuid: str, lease: Lease) -> None:
    mine = (SERVICES.c.id == lease.service_id) & (SERVICES.c.uuid == lease.service_uuid)
    # Written, not only read: nodes of a Galera cluster know nothing of each other's locks, and a boot that registers on
    # another one at this moment is seen by a row that both have changed.
    keep = update(SERVICES).where(mine, is_held(lease.boot_id)).values(updated_at=utc_now())
    if connection.execute(keep).rowcount == 0:
        raise LeaseLost(uuid)


@retry_temporary
def _upsert_ordered(engine: Engine, records: Sequence[ComputeHost], discoveries: Mapping[str, Discovery]) -> None:
    with transaction(engine) as connection:
        names, digests = _stored(connection, [record.uuid for record in records])

        def is_settled(record: ComputeHost) -> bool:
            return digests.get(record.uuid) == record.facts_digest and names[record.uuid] == record.host

        # Runs of equal kind, not first all narrow updates and then all upserts: the order of the keys is kept.
        for are_settled, run in groupby(records, key=is_settled):
            hosts = list(run)
            # Rows that vanish or change between the reading and here, by another writer, are written whole.
            if not (are_settled and _update_narrow(connection, hosts, discoveries, None)):
                _upsert_wide(connection, hosts, discoveries, None)
        for start in range(0, len(records), _MOST_KEYS):
            _settle(connection, records[start : start + _MOST_KEYS], discoveries, names)


def _settle(
    connection: Connection,
    records: Sequence[ComputeHost],
    discoveries: Mapping[str, Discovery],
    old_names: Mapping[str, str],
) -> list[HostInputs]:
    """Write what was found on hosts whose rows were just written, and their usage; give what that is made of.

    `old_names` are those that the rows had before, by uuid: the usage of who has one now is written too.
    """
    sent = {record.uuid: record for record in records}
    names = {uuid: record.host for uuid, record in sent.items()}
    hold_names(connection, {name for uuid, name in names.items() if old_names.get(uuid) != name})
    concerned = {*names.values(), *(old_names[uuid] for uuid in names.keys() & old_names.keys())}
    hosts = read_named(connection, concerned, labels=bool(discoveries))
    # Facts that came too late leave the row as it was, and all that came with them goes the same way.
    taken = [host for host in hosts if host.uuid in sent and _is_stored(host.row, sent[host.uuid])]
    store_found(connection, taken, discoveries)
    unknown = [sent[host.uuid] for host in taken if not host.row["has_trait_set"]]
    keep_trait_sets(connection, {record.trait_set_id: record.traits for record in unknown})
    settle(connection, hosts, {host.uuid: sent[host.uuid].numa_topology for host in taken})
    return hosts


def _is_stored(row: Row, record: ComputeHost) -> bool:
    same_facts = row["boot_id"] == record.boot_id and row["sequence"] == record.sequence
    return same_facts and row["retired_at"] is None


def _stored(connection: Connection, uuids: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Give the stored hosts' names and the digests of their facts, by their uuids."""
    names: dict[str, str] = {}
    digests: dict[str, str] = {}
    for start in range(0, len(uuids), _MOST_KEYS):
        keys = uuids[start : start + _MOST_KEYS]
        query = select(HOSTS.c.uuid, HOSTS.c.host, HOSTS.c.facts_digest).where(HOSTS.c.uuid.in_(keys))
        for uuid, host, digest in connection.execute(query):
            names[uuid], digests[uuid] = host, digest
    return names, digests


def _update_narrow(
    connection: Connection,
    records: Sequence[ComputeHost],
    discoveries: Mapping[str, Discovery],
    service_id: int | None,
) -> bool:
    """Write everything but the facts and the usage; tell whether all rows had this name and these facts, none newer."""
    parameters = _parameters(_NARROW_NAMES, _NARROW_SOURCES, records, discoveries, service_id)
    return connection.execute(_NARROW_UPDATE, parameters).rowcount == len(records)


def _upsert_wide(
    connection: Connection,
    records: Sequence[ComputeHost],
    discoveries: Mapping[str, Discovery],
    service_id: int | None,
) -> None:
    statement = _wide_upsert(connection.dialect.name)
    parameters = _parameters(_COLUMNS, _COLUMNS, records, discoveries, service_id)
    if connection.dialect.name in ("mysql", "mariadb"):
        # PyMySQL's executemany sends an INSERT with function calls row by row anyway. Before 1.2 it found that out by
        # a regular expression that backtracks for ever over this many columns.
        for row in parameters:
            connection.execute(statement, row)
    else:
        connection.execute(statement, parameters)


def _parameters(
    names: Sequence[str],
    columns: Sequence[str],
    records: Sequence[ComputeHost],
    discoveries: Mapping[str, Discovery],
    service_id: int | None,
) -> list[dict[str, object]]:
    # Not asdict(), which copies every value and takes half of the time of a row in a batch.
    values = attrgetter(*columns)
    knowing = {uuid for uuid, discovery in discoveries.items() if discovery.knows_running}
    return [
        dict(zip(names, values(record), strict=True), service_id=service_id, is_known=record.uuid in knowing)
        for record in records
    ]


def _is_not_newer(boot_id: ColumnElement[Any], sequence: ColumnElement[Any]) -> ColumnElement[bool]:
    """Give the condition that a stored row may be changed by facts of this boot and sequence; never NULL.

    A boot without an id may be any boot, and sequences of two boots say nothing about each other. Nor do those of a
    virtual machine before and after it was set back to a snapshot; a late report is never late by so much.
    """
    return and_(
        HOSTS.c.retired_at.is_(None),
        or_(
            HOSTS.c.boot_id.is_(None),
            boot_id.is_(None),
            HOSTS.c.boot_id != boot_id,
            HOSTS.c.sequence.is_(None),
            HOSTS.c.sequence <= sequence,
            HOSTS.c.sequence > sequence + _MOST_LATE_MICROSECONDS,
        ),
    )


def _kept(name: str, new: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the new value of a column, or the stored one: not known now is no reason to forget it."""
    return func.coalesce(new, HOSTS.c[name])


_SERVICE_ID = _kept("service_id", bindparam("service_id", type_=HOSTS.c.service_id.type))
# `settle` writes what is pinned to the nodes, together with what was measured of them.
_NARROW_COLUMNS = tuple(name for name in _COLUMNS if name not in ("facts", "numa_topology"))
_IS_KNOWN: BindParameter[bool] = bindparam("is_known", type_=Boolean())
_SETTLED = {
    "workloads_at": case((_IS_KNOWN, utc_now()), else_=HOSTS.c.workloads_at),
    "usage_generation": NEXT_GENERATION,
    "service_id": _SERVICE_ID,
    "updated_at": utc_now(),
}
# SQLAlchemy wants parameters of a WHERE under other names than the columns an UPDATE sets.
_KEY_NAMES = {"uuid": "key_uuid", "host": "key_host", "facts_digest": "key_digest"}
_GUARD_NAMES = {"boot_id": "guard_boot_id", "sequence": "guard_sequence"}
_NARROW_SOURCES = (*_NARROW_COLUMNS, *_GUARD_NAMES)
_NARROW_NAMES = (*(_KEY_NAMES.get(name, name) for name in _NARROW_COLUMNS), *_GUARD_NAMES.values())
_NARROW_UPDATE = (
    update(HOSTS)
    .where(*(HOSTS.c[name] == bindparam(key) for name, key in _KEY_NAMES.items()))
    .where(_is_not_newer(*(bindparam(new, type_=HOSTS.c[name].type) for name, new in _GUARD_NAMES.items())))
    .values({name: bindparam(name) for name in _NARROW_COLUMNS if name not in _KEY_NAMES})
    # Only root may read the product uuid: who reports next may not know it.
    .values(product_uuid=_kept("product_uuid", bindparam("product_uuid")), **_SETTLED)
)


def _changes(incoming: Incoming) -> dict[str, ColumnElement[Any]]:
    is_same = HOSTS.c.facts_digest == incoming("facts_digest")
    return {
        "facts_at": case((is_same, HOSTS.c.facts_at), else_=utc_now()),
        "product_uuid": _kept("product_uuid", incoming("product_uuid")),
        **_SETTLED,
    }


@lru_cache
def _wide_upsert(dialect: str) -> Insert:
    now = utc_now()
    return upsert_statement(
        dialect,
        HOSTS,
        key=["uuid"],
        columns=_COLUMNS,
        on_insert={
            "service_id": bindparam("service_id"),
            "workloads_at": case((_IS_KNOWN, now), else_=null()),
            "usage_generation": literal(1),
            "created_at": now,
            "updated_at": now,
            "facts_at": now,
        },
        on_update=_changes,
        only_if=lambda incoming: _is_not_newer(incoming("boot_id"), incoming("sequence")),
        decided_by=["facts_digest", "sequence", "boot_id"],
    )
