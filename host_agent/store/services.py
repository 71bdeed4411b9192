# SPDX-License-Identifier: Apache-2.0
"""The table ``services``: the small heartbeat of each agent."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, insert, select, update

from host_agent.store.compute_host import Row
from host_agent.store.schema import ServiceRow
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.upsert import utc_now

__all__ = ["heartbeat", "list_services"]

_TABLE = cast(Table, ServiceRow.__table__)


@retry_temporary
def heartbeat(engine: Engine, *, uuid: str, host: str, binary: str, topic: str, version: int | None = None) -> int:
    """Say that the service is alive, at the database's time, and give its id.

    A service is its (`host`, `binary`), as in Nova: a host installed anew goes on in the row of old, which keeps its
    uuid. Where there is no such row, one with this `uuid` is the same agent under a changed option, and is renamed.

    Raises:
        StoreError: one of its children.
    """
    named = (_TABLE.c.host == host) & (_TABLE.c.binary == binary)
    values = {"host": host, "binary": binary, "topic": topic, "version": version}
    with transaction(engine) as connection:
        if not _beat(connection, named, values) and not _beat(connection, _TABLE.c.uuid == uuid, values):
            now = utc_now()
            connection.execute(
                insert(_TABLE).values(
                    **values, uuid=uuid, report_count=1, last_seen_up=now, created_at=now, updated_at=now
                )
            )
        service_id: int = connection.execute(select(_TABLE.c.id).where(named)).scalar_one()
    return service_id


@retry_temporary
def list_services(engine: Engine) -> list[Row]:
    """Give all rows, oldest first.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(select(_TABLE).order_by(_TABLE.c.id)).mappings()]


def _beat(connection: Connection, which: Any, values: dict[str, Any]) -> bool:
    statement = (
        update(_TABLE)
        .where(which)
        .values(**values, report_count=_TABLE.c.report_count + 1, last_seen_up=utc_now(), updated_at=utc_now())
    )
    return connection.execute(statement).rowcount > 0
