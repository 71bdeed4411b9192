# SPDX-License-Identifier: Apache-2.0
"""The host that a path or a query names."""

from __future__ import annotations

from collections.abc import Sequence

from host_agent import store
from host_agent.api.errors import Conflict, NotFound
from host_agent.api.operation import Call
from host_agent.api.uuids import canonical_uuid
from host_agent.store import Row

__all__ = ["host_uuid", "one_host"]


def one_host(call: Call, name: str, columns: Sequence[str] = ()) -> Row:
    """Give the one host that has this uuid, in any form, or this name; a retired one where no other has it.

    Returns:
        a row, as `store.hosts_named` gives it.

    Raises:
        NotFound: there is none.
        Conflict: there are several.
    """
    uuid = canonical_uuid(name)
    found = store.hosts_named(call.engine, name, columns, uuid=uuid)
    if not found:
        raise NotFound(f"No host has the name or uuid {name}")
    known = next((row for row in found if row["uuid"] == uuid), None)
    if known is not None:
        return known
    rows = [row for row in found if row["retired_at"] is None] or found
    if len(rows) > 1:
        uuids = ", ".join(str(row["uuid"]) for row in rows)
        raise Conflict(f"{len(rows)} hosts have the name {name}: ask for one by its uuid: {uuids}")
    return rows[0]


def host_uuid(call: Call, name: str) -> str:
    """Give the uuid of that host; a uuid that no host has is given back, as events may be left of it.

    Raises:
        NotFound: it is no uuid, and no host has the name.
        Conflict: several have it.
    """
    return canonical_uuid(name) or str(one_host(call, name)["uuid"])
