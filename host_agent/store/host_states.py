# SPDX-License-Identifier: Apache-2.0
"""How many hosts are in each state: one query, however many there are."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine, case, func, or_, select

from host_agent.liveness import DISABLED, DOWN, RETIRED, STALE, UP
from host_agent.store.schema import HOSTS, SERVICES
from host_agent.store.services import is_alive
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.upsert import utc_now

__all__ = ["count_hosts"]


@retry_temporary
def count_hosts(engine: Engine, *, down_after_seconds: float, stale_after_seconds: float) -> Mapping[str, int]:
    """Give the number of hosts in each state of `host_agent.liveness`, 0 where none is.

    Args:
        engine: the database.
        down_after_seconds: as for `host_agent.liveness.state`.
        stale_after_seconds: as for `host_agent.liveness.state`.

    Raises:
        StoreError: one of its children.
    """
    state = case(
        (HOSTS.c.retired_at.is_not(None), RETIRED),
        (~is_alive(down_after_seconds), DOWN),
        (SERVICES.c.disabled, DISABLED),
        (or_(HOSTS.c.updated_at.is_(None), HOSTS.c.updated_at < utc_now(-stale_after_seconds)), STALE),
        else_=UP,
    )
    joined = HOSTS.outerjoin(SERVICES, SERVICES.c.id == HOSTS.c.service_id)
    states = select(state.label("state")).select_from(joined).subquery()
    query = select(states.c.state, func.count()).group_by(states.c.state)
    with reading(engine) as connection:
        found = {str(name): int(count) for name, count in connection.execute(query)}
    return {name: found.get(name, 0) for name in (UP, DISABLED, STALE, DOWN, RETIRED)}
