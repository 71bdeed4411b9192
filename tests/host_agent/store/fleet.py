# SPDX-License-Identifier: Apache-2.0
"""Hosts that register, and time that has passed since."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Table, select, update

from host_agent import store
from host_agent.store.engine import Engine
from host_agent.store.inventories import copy_hosts
from host_agent.store.schema import HOSTS, SERVICES
from host_agent.store.upsert import utc_now
from tests.host_agent.facts import record, uuid

DOWN_AFTER = 60
BOOT, OTHER_BOOT = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"


def claim(number: int = 1, **changes: Any) -> store.Claim:
    """Give the claim of the machine whose facts `record` gives, with the uuid it has on disk."""
    facts = record(number)
    known = store.Claim(
        uuid=facts.uuid,
        is_new=False,
        host=facts.host,
        hostname=facts.hypervisor_hostname,
        machine_id=facts.machine_id,
        product_uuid=facts.product_uuid,
        boot_id=BOOT,
        binary="nova-compute",
        topic="compute",
        down_after_seconds=DOWN_AFTER,
        sequence=1000,
    )
    return replace(known, **changes)


def enlist(engine: Engine, number: int = 1, **changes: Any) -> store.Lease:
    """Register a host and store its facts."""
    claimed = claim(number, **changes)
    lease = store.register(engine, claimed).lease
    store.upsert(engine, record(number, boot_id=claimed.boot_id), lease)
    return lease


def beat(engine: Engine, lease: store.Lease) -> store.Beat | None:
    return store.heartbeat(
        engine, service_uuid=lease.service_uuid, boot_id=lease.boot_id, down_after_seconds=DOWN_AFTER
    )


def age(engine: Engine, column: str, seconds: float | None, table: Table = SERVICES, number: int | None = None) -> None:
    """Set a time of all rows, or of the host with this number, to so long ago by the database's clock."""
    change = update(table).values({column: None if seconds is None else utc_now(-seconds)})
    if number is not None:
        own = store.service_uuid(uuid(number), "nova-compute") if table is SERVICES else uuid(number)
        change = change.where(table.c.uuid == own)
    with engine.begin() as connection:
        connection.execute(change)


def codes(engine: Engine, number: int | None = None) -> list[object]:
    """Give the codes of the stored events, oldest first."""
    told = store.list_events(engine, host_uuid=None if number is None else uuid(number))
    return [event["code"] for event in reversed(told)]


def host(engine: Engine, number: int = 1) -> dict[str, Any]:
    row = store.get(engine, uuid(number))
    assert row is not None
    return row


def copy_all(connection: Connection) -> None:
    """Write the narrow rows of hosts that were written past the store."""
    copy_hosts(connection, connection.execute(select(HOSTS.c.id)).scalars().all())
