# SPDX-License-Identifier: Apache-2.0
"""The sums over all hosts that Nova's API gives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from sqlalchemy import CompoundSelect, Engine, func, select, union_all

from host_agent.store.inventory_sums import SERVED, served_sums
from host_agent.store.resource_columns import in_this_order
from host_agent.store.row import rows
from host_agent.store.schema import INVENTORIES, SERVICES, SUMS
from host_agent.store.transaction import reading, retry_temporary

__all__ = ["hypervisor_statistics"]


@retry_temporary
def hypervisor_statistics(engine: Engine) -> Mapping[str, int]:
    """Give ``count`` and the sums of Nova's columns over the hosts whose service is not disabled, up or down.

    Retired hosts, and those that have no service, do not count. What is not known is no part of a sum: Nova's wire has
    no other word for it.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        parts = rows(connection, _query())
    # Sums of whole numbers are decimals on two of the servers.
    sums = {name: sum(int(cast(Any, part[name]) or 0) for part in parts) for name in parts[0]}
    return {"count": sums["served"], **{name: sums[f"served_{name}"] for name in SERVED}}


@cache
def _query() -> CompoundSelect[Any]:
    disabled = SERVICES.join(INVENTORIES, SERVICES.c.id == INVENTORIES.c.service_id)
    less = served_sums()
    # All of them, out of sums that are there already, less the few that are disabled.
    return union_all(
        select(*(func.sum(SUMS.c[name]).label(name) for name in less)),
        in_this_order(select(*(-value for value in less.values())).select_from(disabled).where(SERVICES.c.disabled)),
    )
