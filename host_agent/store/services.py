# SPDX-License-Identifier: Apache-2.0
"""The table ``services``: the small heartbeat of each agent, and the lease of the boot that keeps it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Update,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    true,
    update,
)

from host_agent.store.events import StoreEvent, record_events
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import HOSTS, SERVICES
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.upsert import utc_now

__all__ = ["Beat", "Lease", "contend", "heartbeat", "is_alive", "is_held", "list_services", "release", "service_uuid"]

# The most that down_after can be: a machine that claims a row says so again at least that often.
_CONTENDED_SECONDS = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A row of ``services`` that one boot of one host keeps alive.

    Attributes:
        service_id: the row's id.
        service_uuid: the row's uuid.
        boot_id: the boot; ``None`` where the system does not tell one boot from another. That never keeps anybody out.
    """

    service_id: int
    service_uuid: str
    boot_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A heartbeat that was taken.

    Attributes:
        lease: as registered.
        contender: host name and boot id of another machine that claims the same uuid just now, if one does.
    """

    lease: Lease
    contender: str | None


def service_uuid(host_uuid: str, binary: str) -> str:
    """Give the uuid of a host's service: one host may run several, and each keeps its own after every restart."""
    return str(uuid.uuid5(uuid.UUID(host_uuid), binary))


@retry_temporary
def heartbeat(engine: Engine, *, service_uuid: str, boot_id: str | None, down_after_seconds: float) -> Beat | None:
    """Say that the service is alive, at the database's time.

    Returns:
        ``None`` if the host has to register: its row is gone, another boot holds it, or it was silent for so long that
        everybody took it for down.

    Raises:
        StoreError: one of its children.
    """
    beat, answer = _beat_statements(down_after_seconds, has_boot_id=boot_id is not None)
    parameters = {"service_uuid": service_uuid, "held_by": boot_id}
    with transaction(engine) as connection:
        if connection.execute(beat, parameters).rowcount == 0:
            return None
        row = connection.execute(answer, parameters).one()
    lease = Lease(service_id=row.id, service_uuid=service_uuid, boot_id=boot_id)
    contender = f"{row.contender_host}, boot id {row.contender_boot_id}" if row.is_contended else None
    return Beat(lease=lease, contender=contender)


@retry_temporary
def release(engine: Engine, lease: Lease) -> None:
    """Give the lease back at an orderly stop, so that the next boot need not wait until this one counts as down.

    A row that another machine claimed lately is kept: that machine would have it before an agent that only restarts.

    Raises:
        StoreError: one of its children.
    """
    if lease.boot_id is None:
        return
    with transaction(engine) as connection:
        connection.execute(
            update(SERVICES)
            .where(SERVICES.c.id == lease.service_id, SERVICES.c.uuid == lease.service_uuid, is_held(lease.boot_id))
            .where(or_(SERVICES.c.contended_at.is_(None), SERVICES.c.contended_at < utc_now(-_CONTENDED_SECONDS)))
            .values(boot_id=None, updated_at=utc_now())
        )


@retry_temporary
def contend(engine: Engine, *, service_uuid: str, boot_id: str | None, host: str) -> None:
    """Note in the row that another machine claims it while its holder is alive, so that the holder tells it too.

    The host's event comes with the first note of each such machine, in the same transaction.

    Args:
        engine: the database.
        service_uuid: the row.
        boot_id: the boot that was refused.
        host: the host name of the machine that was refused.

    Raises:
        StoreError: one of its children.
    """
    if boot_id is None:
        return
    refused = (SERVICES.c.uuid == service_uuid) & SERVICES.c.boot_id.is_not(None) & (SERVICES.c.boot_id != boot_id)
    is_known = SERVICES.c.contender_boot_id == boot_id
    note = (
        update(SERVICES).where(refused).values(contended_at=utc_now(), contender_host=host, contender_boot_id=boot_id)
    )
    with transaction(engine) as connection:
        if connection.execute(note.where(is_known)).rowcount == 0 and connection.execute(note).rowcount > 0:
            _tell_of_contender(connection, service_uuid, boot_id, host)


@retry_temporary
def list_services(engine: Engine) -> list[Row]:
    """Give all rows, oldest first.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return rows(connection, select(SERVICES).order_by(SERVICES.c.id))


@lru_cache
def _beat_statements(down_after_seconds: float, *, has_boot_id: bool) -> tuple[Update, Select[Any]]:
    """Make the heartbeat and the question for its answer, once: to make them takes longer than to execute them."""
    mine = SERVICES.c.uuid == bindparam("service_uuid")
    held = SERVICES.c.boot_id == bindparam("held_by") if has_boot_id else true()
    recently = utc_now(-down_after_seconds)
    beat = (
        update(SERVICES)
        .where(mine, held, SERVICES.c.last_seen_up >= recently)
        .values(report_count=SERVICES.c.report_count + 1, last_seen_up=utc_now(), updated_at=utc_now())
    )
    is_contended = (SERVICES.c.contended_at >= recently).label("is_contended")
    return beat, select(SERVICES.c.id, SERVICES.c.contender_host, SERVICES.c.contender_boot_id, is_contended).where(
        mine
    )


def is_alive(down_after_seconds: float) -> ColumnElement[bool]:
    """Give the condition that a service is heard of, as `host_agent.liveness` has it; never NULL."""
    is_heard = SERVICES.c.last_seen_up >= utc_now(-down_after_seconds)
    return func.coalesce(and_(is_heard, ~SERVICES.c.forced_down), false())


def is_held(boot_id: str | None) -> ColumnElement[bool]:
    """Give the condition that a row of ``services`` is held by this boot; one that has no id is never kept out."""
    return true() if boot_id is None else SERVICES.c.boot_id == boot_id


def _tell_of_contender(connection: Connection, service_uuid: str, boot_id: str, host: str) -> None:
    joined = HOSTS.join(SERVICES, HOSTS.c.service_id == SERVICES.c.id)
    query = select(HOSTS.c.uuid, HOSTS.c.host, utc_now().label("now")).select_from(joined)
    holder = first_row(connection, query.where(SERVICES.c.uuid == service_uuid))
    if holder is None:  # it has not stored its facts yet
        return
    event = StoreEvent(
        code="identity-duplicate",
        message=f"another machine that is alive, {host!r} with boot id {boot_id}, claims the uuid of this host",
        detail={"host": host, "boot_id": boot_id},
        at=holder["now"],
    )
    record_events(connection, holder["uuid"], holder["host"], [event])
