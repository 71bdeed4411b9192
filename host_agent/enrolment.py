# SPDX-License-Identifier: Apache-2.0
"""Registers this machine in the database, and writes down what the database answered."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timezone

from host_agent import store
from host_agent.event import Event
from host_agent.identity import LocalIdentity
from host_agent.record import Identity
from host_agent.settings import Settings
from host_agent.store import Claim, Lease, Registration
from host_agent.store.engine import Engine
from host_agent.uptime import sequence
from os_capability import Host, MachineIdentity

__all__ = ["enrol"]

_GIVEN = {
    "identity-reset": "an operator gave this host a uuid of its own",
    "identity-adopted": "an operator gave this host the uuid of this row",
}


def enrol(
    engine: Engine,
    settings: Settings,
    identity: LocalIdentity,
    machine: MachineIdentity | Host,
    silent_seconds: float | None = None,
) -> tuple[Identity, Lease]:
    """Make this boot the one that reports for its host.

    Args:
        engine: the database.
        settings: all of them.
        identity: what this host has on its disk.
        machine: what the machine calls itself.
        silent_seconds: since the last heartbeat of this process, if there was one.

    Raises:
        ReportRefused: one of its children: the database does not take this host.
        StoreError: one of its children.
        IdentityError: this host has no name, or what the database answered cannot be written down.
    """
    claimed = _claim(settings, identity, machine, _stored_name(engine, identity))
    claimed = replace(claimed, silent_seconds=silent_seconds)
    registration = store.register(engine, claimed)
    if identity.given is not None:
        _tell_given(engine, settings, registration, claimed, identity.given)
    return identity.confirm(registration.uuid, registration.host), registration.lease


def _claim(settings: Settings, identity: LocalIdentity, machine: MachineIdentity | Host, name: str | None) -> Claim:
    """Say who this machine is; `name` is the one it has in the database, where it has none on its disk.

    Raises:
        IdentityError: this host has no name.
    """
    host = identity.wanted_name(name or machine.hostname)
    return Claim(
        uuid=identity.uuid,
        is_new=identity.is_new,
        host=host,
        hostname=machine.hostname or host,
        machine_id=machine.machine_id,
        product_uuid=machine.product_uuid,
        boot_id=machine.boot_id,
        binary=settings.agent.binary,
        topic=settings.agent.topic,
        down_after_seconds=settings.agent.down_after,
        sequence=sequence(),
    )


def _stored_name(engine: Engine, identity: LocalIdentity) -> str | None:
    """Give the name that aggregates know this host by, where only its row tells: it was adopted, or lost a file."""
    if identity.current() is not None:
        return None
    row = store.get(engine, identity.uuid)
    return None if row is None else str(row["host"])


def _tell_given(
    engine: Engine, settings: Settings, registration: Registration, claimed: Claim, given: tuple[str, str]
) -> None:
    code, before = given
    event = Event(
        # The same at the next try, if this one is cut off before the file that says so is gone.
        uuid=str(uuid.uuid5(uuid.UUID(registration.uuid), f"{code} {before}")),
        code=code,
        message=_GIVEN[code],
        detail={"before": before},
        at=datetime.now(timezone.utc),
        boot_id=claimed.boot_id,
        sequence=claimed.sequence,
    )
    store.add_events(
        engine,
        registration.uuid,
        registration.host,
        [event],
        boot_id=claimed.boot_id,
        sequence=sequence(),
        max_age_days=settings.events.max_age_days,
        max_per_host=settings.events.max_per_host,
    )
