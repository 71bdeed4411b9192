# SPDX-License-Identifier: Apache-2.0
"""What operators do to services: disable and enable them, force them down, delete them with their hosts.

Each change is told in an event, in its own transaction. To make one that is made already changes and tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Engine, SelectBase, delete, func, select, union, update

from host_agent.errors import ServiceInUse, ServiceNotFound, StoreBusy
from host_agent.store.engine import shown_url
from host_agent.store.events import StoreEvent, record_events
from host_agent.store.host_locks import hold
from host_agent.store.hosts import forget
from host_agent.store.row import Row, first_row, rows
from host_agent.store.schema import HOSTS, MEMBERS, MIGRATIONS, SERVICES, WORKLOADS
from host_agent.store.transaction import retry_temporary, transaction
from host_agent.store.upsert import utc_now
from host_agent.usage import FINISHED, RELEASED

__all__ = ["change_service", "delete_service"]


@retry_temporary
def change_service(
    engine: Engine,
    service: int | str,
    *,
    disabled: bool | None = None,
    disabled_reason: str | None = None,
    forced_down: bool | None = None,
) -> None:
    """Disable a service or enable it, force it down or no more; ``None`` leaves what is.

    Args:
        engine: the database.
        service: its id or its uuid.
        disabled: whether nothing new shall come to its host.
        disabled_reason: why; it goes when the service is enabled.
        forced_down: whether it counts as down whatever is heard of it.

    Raises:
        ServiceNotFound: there is none.
        StoreError: one of its children.
    """
    wanted: dict[str, object] = {}
    if disabled is not None:
        wanted |= {"disabled": disabled, "disabled_reason": disabled_reason if disabled else None}
    if forced_down is not None:
        wanted["forced_down"] = forced_down
    with transaction(engine) as connection:
        before = _found(connection, service, lock=True)
        changes = {name: value for name, value in wanted.items() if before[name] != value}
        if changes:
            mine = SERVICES.c.id == before["id"]
            connection.execute(update(SERVICES).where(mine).values(**changes, updated_at=utc_now()))
            events = [
                StoreEvent(code=code, message=message, detail={"binary": before["binary"], **detail}, at=before["now"])
                for code, message, detail in _told({**before, **changes}, changes)
            ]
            _record(connection, _hosts_of(connection, before), before["host"], events)


@retry_temporary
def delete_service(engine: Engine, service: int | str) -> None:
    """Remove a service with its host's row, what was found and told there, and its places in aggregates.

    A host that is alive registers again, as a new one. A name that has another service as well keeps its aggregates.

    Args:
        engine: the database.
        service: its id or its uuid.

    Raises:
        ServiceNotFound: there is none.
        ServiceInUse: workloads are recorded for its host, or a migration from or to it is in progress.
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        # Hosts are locked before services, and which host it is only the service tells.
        host = _found(connection, service)["host"]
        hold(connection, [host])
        held = _found(connection, service, lock=True)
        if held["host"] != host:
            raise StoreBusy(shown_url(engine.url), "the service took another name meanwhile")
        _refuse_in_use(connection, host)
        removed = _hosts_of(connection, held)
        connection.execute(delete(SERVICES).where(SERVICES.c.id == held["id"]))
        forget(connection, removed)
        if _count(connection, select(SERVICES.c.id).where(SERVICES.c.host == host)) == 0:
            connection.execute(delete(MEMBERS).where(MEMBERS.c.host == host))
        event = StoreEvent(
            code="host-deleted",
            message=f"an operator deleted its service {held['binary']!r}, and all that was kept of it",
            detail={"binary": held["binary"], "service_uuid": held["uuid"]},
            at=held["now"],
        )
        _record(connection, removed, host, [event])


def _found(connection: Connection, service: int | str, *, lock: bool = False) -> dict[str, Any]:
    mine = (SERVICES.c.id if isinstance(service, int) else SERVICES.c.uuid) == service
    query = select(SERVICES, utc_now().label("now")).where(mine)
    row = first_row(connection, query.with_for_update() if lock else query)
    if row is None:
        raise ServiceNotFound(service)
    return row


def _hosts_of(connection: Connection, service: Row) -> list[Row]:
    """Give the row of a service's host; by its name, which has an index."""
    mine = (HOSTS.c.host == service["host"]) & (HOSTS.c.service_id == service["id"])
    return rows(connection, select(*(HOSTS.c[name] for name in ("id", "uuid", "host", "service_id"))).where(mine))


def _refuse_in_use(connection: Connection, host: str) -> None:
    recorded = select(WORKLOADS.c.id).where(WORKLOADS.c.host == host)
    workloads = _count(connection, recorded.where(func.coalesce(WORKLOADS.c.state, "").not_in(RELEASED)))
    # Each column is asked apart: for `or` no server uses both indexes.
    moves = union(
        *(
            select(MIGRATIONS.c.id).where(column == host, MIGRATIONS.c.status.not_in(sorted(FINISHED)))
            for column in (MIGRATIONS.c.source_host, MIGRATIONS.c.dest_host)
        )
    )
    migrations = _count(connection, moves)
    if workloads or migrations:
        raise ServiceInUse(host, workloads=workloads, migrations=migrations)


def _count(connection: Connection, query: SelectBase) -> int:
    count: int = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return count


def _told(service: Row, changes: Row) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Give code, message and detail of what changed; `service` is as it is now."""
    name, reason = f"its service {service['binary']!r}", service["disabled_reason"]
    if "forced_down" in changes:
        if changes["forced_down"]:
            yield "service-forced-down", f"an operator forced {name} down", {}
        else:
            yield "service-forced-up", f"an operator no longer forces {name} down", {}
    if "disabled" in changes or "disabled_reason" in changes:
        if service["disabled"]:
            why = "" if reason is None else f": {reason}"
            yield "service-disabled", f"an operator disabled {name}{why}", {"reason": reason}
        else:
            yield "service-enabled", f"an operator enabled {name}", {}


def _record(connection: Connection, hosts: Sequence[Row], host: str, events: Sequence[StoreEvent]) -> None:
    uuid = cast("str | None", next((row["uuid"] for row in hosts), None))
    record_events(connection, uuid, host, events)
