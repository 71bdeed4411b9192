# SPDX-License-Identifier: Apache-2.0
"""How a host comes into the database: which row is its own, and whether this boot may keep it.

Rows are locked in one order, a host's row of ``compute_host`` before its row of ``services``. So two boots under one
uuid decide one after the other, whatever else they do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, or_, select, update

from host_agent.errors import AmbiguousHost, DuplicateHost, HostRetired, NameTaken
from host_agent.store.events import StoreEvent, record_events
from host_agent.store.inventories import serve_host
from host_agent.store.row import first_row, now, rows
from host_agent.store.schema import HOSTS, SERVICES
from host_agent.store.services import Lease, service_uuid
from host_agent.store.transaction import retry_temporary, transaction
from host_agent.store.upsert import utc_now

__all__ = ["Candidate", "Claim", "Registration", "recognise", "register"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a machine says about itself when it registers.

    Attributes:
        uuid: the one it has on disk.
        is_new: whether that was only just made, so that the machine may have had a row under another one.
        host: the name it wants in the ``host`` columns.
        hostname: what it is called.
        machine_id: what its operating system calls this installation.
        product_uuid: what the firmware calls the hardware; only root is told.
        boot_id: this boot; ``None`` where the system does not tell one boot from another.
        binary, topic: of its service.
        down_after_seconds: for how long a host that is not heard of still counts as alive.
        sequence: microseconds since the boot.
        silent_seconds: since this process was last heard, by the machine's own clock; ``None`` where it never was. The
            database's may have been set meanwhile: on an embedded file it is the machine's wall clock.
    """

    uuid: str
    is_new: bool
    host: str
    hostname: str
    machine_id: str | None
    product_uuid: str | None
    boot_id: str | None
    binary: str
    topic: str
    down_after_seconds: float
    sequence: int
    silent_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How the database knows this host.

    Attributes:
        uuid, host: the claimed ones, or those of the row that was found to be this machine's.
        lease: what the reports of this boot are written under.
        adopted: whether the machine had lost its uuid and got it back.
    """

    uuid: str
    host: str
    lease: Lease
    adopted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stored host that may be the machine that registers."""

    uuid: str
    host: str
    hostname: str
    machine_id: str | None
    product_uuid: str | None
    is_retired: bool = False


@retry_temporary
def register(engine: Engine, claim: Claim) -> Registration:
    """Make this boot the one that reports for its host; what changes by that is told in events.

    Raises:
        HostRetired: an operator retired the host.
        DuplicateHost: another boot reports for it and is alive.
        AmbiguousHost: a stored host resembles this new one and is not surely the same.
        NameTaken: another host that is alive has the name.
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        return _register(connection, claim)


def recognise(claim: Claim, candidates: Sequence[Candidate]) -> Candidate | None:
    """Tell which stored host a machine without a uuid is: the one with its machine id and product uuid.

    Where one of the product uuids is not known, the host name decides in its place.

    Raises:
        AmbiguousHost: none surely is, and one resembles it; or several are.
    """
    same = [candidate for candidate in candidates if _is_same(claim, candidate)]
    if len(same) == 1:
        return same[0]
    if same:
        reason = f"{len(same)} stored hosts have the machine id of this machine, {_and(_named(one) for one in same)}"
        raise AmbiguousHost(reason, same[0].uuid)
    for candidate in candidates:
        doubt = _doubt(claim, candidate)
        if doubt is not None:
            raise AmbiguousHost(doubt, candidate.uuid)
    return None


def _is_same(claim: Claim, candidate: Candidate) -> bool:
    has_same_product = _agree(claim.product_uuid, candidate.product_uuid)
    if has_same_product is None:
        has_same_product = claim.hostname == candidate.hostname
    return has_same_product and _agree(claim.machine_id, candidate.machine_id) is True


def _doubt(claim: Claim, candidate: Candidate) -> str | None:
    """Say in what a stored host that is not surely this machine resembles it; ``None`` where in nothing."""
    answers = {
        "machine id": _agree(claim.machine_id, candidate.machine_id),
        "product uuid": _agree(claim.product_uuid, candidate.product_uuid),
        "host name": claim.hostname == candidate.hostname or claim.host == candidate.host,
    }
    if not answers["machine id"] and (candidate.is_retired or not answers["host name"]):
        # An operator said that a retired host is gone: another machine may have its name. And a product uuid alone
        # proves nothing: some boards all have the same.
        return None
    common = _and(what for what, agree in answers.items() if agree)
    others = [f"another {what}" for what, agree in answers.items() if agree is False]
    unknown = [f"no {what} to compare" for what, agree in answers.items() if agree is None]
    return f"the stored host {_named(candidate)} has the {common} of this machine, but {_and(others or unknown)}"


def _agree(one: str | None, other: str | None) -> bool | None:
    return None if one is None or other is None else one == other


def _named(candidate: Candidate) -> str:
    return f"{candidate.host!r} ({candidate.uuid})"


def _and(words: Iterable[str]) -> str:
    return " and ".join(words)


def _register(connection: Connection, claim: Claim) -> Registration:
    host = _lock_host(connection, claim.uuid)
    adopted = None
    if host is None and claim.is_new:
        adopted = recognise(claim, _candidates(connection, claim))
    events = []
    if adopted is not None:
        host = _lock_host(connection, adopted.uuid)
        events.append(_adoption(claim, adopted, now(connection)))
        claim = replace(claim, uuid=adopted.uuid, host=adopted.host)
    if host is not None and host["retired_at"] is not None:
        raise HostRetired(claim.uuid)
    own = _lock_service(connection, SERVICES.c.uuid == service_uuid(claim.uuid, claim.binary))
    if own is not None:
        _refuse_second_boot(claim, own, str(own["host"] if host is None else host["hypervisor_hostname"]))
        events += _return(claim, own)
    elif host is None:
        events.append(_arrival(claim, now(connection)))
    if own is None or own["host"] != claim.host:
        own, taken = _take_name(connection, claim, own)
        events += taken
    lease = _write_lease(connection, claim, own)
    if host is not None:
        belongs = update(HOSTS).where(HOSTS.c.uuid == claim.uuid).values(service_id=lease.service_id)
        connection.execute(belongs)
        serve_host(connection, [host["id"]], lease.service_id)
    record_events(connection, claim.uuid, claim.host, events, boot_id=claim.boot_id, sequence=claim.sequence)
    return Registration(uuid=claim.uuid, host=claim.host, lease=lease, adopted=adopted is not None)


def _lock_host(connection: Connection, uuid: str) -> dict[str, Any] | None:
    columns = [HOSTS.c.id, HOSTS.c.uuid, HOSTS.c.hypervisor_hostname, HOSTS.c.retired_at]
    return first_row(connection, select(*columns).where(HOSTS.c.uuid == uuid).with_for_update())


def _lock_service(connection: Connection, which: ColumnElement[bool]) -> dict[str, Any] | None:
    return first_row(connection, select(SERVICES, utc_now().label("now")).where(which).with_for_update())


def _candidates(connection: Connection, claim: Claim) -> list[Candidate]:
    same_name = or_(HOSTS.c.host == claim.host, HOSTS.c.hypervisor_hostname == claim.hostname)
    which = same_name if claim.machine_id is None else or_(same_name, HOSTS.c.machine_id == claim.machine_id)
    columns = [HOSTS.c[name] for name in ("uuid", "host", "machine_id", "product_uuid")]
    query = select(
        *columns,
        HOSTS.c.hypervisor_hostname.label("hostname"),
        HOSTS.c.retired_at.is_not(None).label("is_retired"),
    )
    found = rows(connection, query.where(which).order_by(HOSTS.c.id))
    return [Candidate(**cast(dict[str, Any], row)) for row in found]


def _silent_seconds(service: dict[str, Any]) -> float:
    """Give for how long a service was not heard of; infinite where it never was."""
    seen = service["last_seen_up"]
    return math.inf if seen is None else (service["now"] - seen).total_seconds()


def _is_alive(claim: Claim, service: dict[str, Any]) -> bool:
    # Last seen in the future: the clock was set back since. Whoever is alive writes the new time within an interval.
    return abs(_silent_seconds(service)) <= claim.down_after_seconds


def _refuse_second_boot(claim: Claim, own: dict[str, Any], hostname: str) -> None:
    # A boot without an id is no other boot.
    is_other = None not in (claim.boot_id, own["boot_id"]) and claim.boot_id != own["boot_id"]
    if is_other and _is_alive(claim, own):
        raise DuplicateHost(claim.uuid, own["boot_id"], hostname, own["last_seen_up"])


def _adoption(claim: Claim, adopted: Candidate, at: datetime) -> StoreEvent:
    return StoreEvent(
        code="identity-adopted",
        message=f"{claim.hostname!r} had lost its uuid and took that of its row back, by its machine id",
        detail={"uuid": adopted.uuid, "lost_uuid": claim.uuid, "machine_id": claim.machine_id},
        at=at,
    )


def _arrival(claim: Claim, at: datetime) -> StoreEvent:
    return StoreEvent(
        code="host-registered",
        message=f"{claim.host!r} is in the table for the first time",
        detail={"host": claim.host, "hostname": claim.hostname},
        at=at,
    )


def _return(claim: Claim, own: dict[str, Any]) -> list[StoreEvent]:
    """Tell of a silence that is over; nobody wrote while it lasted."""
    silent, down_after = _silent_seconds(own), claim.down_after_seconds
    if not down_after < silent < math.inf:
        return []
    was_heard = claim.silent_seconds is not None and claim.silent_seconds <= down_after
    if was_heard and own["boot_id"] == claim.boot_id:
        return []  # it was the clock that moved
    seen: datetime = own["last_seen_up"]
    detail = {"last_seen_up": seen.isoformat(), "down_after_seconds": down_after}
    return [
        StoreEvent(
            code="host-down",
            message=f"{claim.host!r} was not heard of for {down_after:g} s",
            detail=detail,
            at=seen + timedelta(seconds=down_after),
        ),
        StoreEvent(
            code="host-up",
            message=f"{claim.host!r} is heard again, after {silent:.0f} s",
            detail=detail | {"silent_seconds": round(silent, 3)},
            at=own["now"],
        ),
    ]


def _take_name(
    connection: Connection, claim: Claim, own: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, list[StoreEvent]]:
    """Free the name in ``services`` if its holder is not heard of any more; give the row to go on in."""
    wanted = (SERVICES.c.host == claim.host) & (SERVICES.c.binary == claim.binary)
    # Our own row may have come since we looked for it: then the insertion fails, and all begins anew with it.
    other = SERVICES.c.uuid != service_uuid(claim.uuid, claim.binary)
    named = _lock_service(connection, wanted & other)
    if named is None:
        return own, []
    if _is_alive(claim, named):
        raise NameTaken(claim.host, named["uuid"])
    # Found first and changed by their keys: there is no index on service_id, and MySQL would lock all it looks at.
    theirs = connection.execute(select(HOSTS.c.id).where(HOSTS.c.service_id == named["id"])).scalars().all()
    leave = update(HOSTS).where(HOSTS.c.id.in_(theirs), HOSTS.c.service_id == named["id"])
    connection.execute(leave.values(service_id=None))
    serve_host(connection, theirs, None)
    if own is not None:
        connection.execute(delete(SERVICES).where(SERVICES.c.id == named["id"]))
    seen = named["last_seen_up"]
    event = StoreEvent(
        code="name-taken-over",
        message=f"took the name {claim.host!r} from a host that is not heard of any more",
        detail={"service_uuid": named["uuid"], "last_seen_up": None if seen is None else seen.isoformat()},
        at=named["now"],
    )
    return (named if own is None else own), [event]


def _write_lease(connection: Connection, claim: Claim, row: dict[str, Any] | None) -> Lease:
    uuid, moment = service_uuid(claim.uuid, claim.binary), utc_now()
    values: dict[str, Any] = {
        "uuid": uuid,
        "host": claim.host,
        "binary": claim.binary,
        "topic": claim.topic,
        "boot_id": claim.boot_id,
        "last_seen_up": moment,
        "updated_at": moment,
    }
    if row is None:
        created = connection.execute(insert(SERVICES).values(**values, report_count=1, created_at=moment))
        service_id: int = cast(Any, created.inserted_primary_key)[0]
        return Lease(service_id=service_id, service_uuid=uuid, boot_id=claim.boot_id)
    if claim.boot_id is None and row["uuid"] == uuid:
        del values["boot_id"]  # no boot of its own, so none to put in the place of another
    if row["contender_boot_id"] == claim.boot_id or row["uuid"] != uuid:
        values |= {"contender_boot_id": None, "contender_host": None, "contended_at": None}
    values["report_count"] = SERVICES.c.report_count + 1
    connection.execute(update(SERVICES).where(SERVICES.c.id == row["id"]).values(values))
    return Lease(service_id=row["id"], service_uuid=uuid, boot_id=claim.boot_id)
