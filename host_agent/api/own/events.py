# SPDX-License-Identifier: Apache-2.0
"""``/v1/events`` and ``/v1/hosts/{host}/events``: what happened, newest first."""

from __future__ import annotations

import json
from collections.abc import Mapping

from host_agent import store
from host_agent.api.operation import READER, Call, Operation, Schema, Variant
from host_agent.api.own.hosts import host_uuid, one_host
from host_agent.api.own.paging import LIMIT, MARKER, page, page_schema, query_schema
from host_agent.api.own.schemas import TIME, UUID, or_null
from host_agent.api.own.times import parse_time, time_text
from host_agent.store import Row

__all__ = ["LIST", "LIST_OF_HOST"]


def _list(call: Call) -> object:
    name = call.parameter("host")
    return _events(call, None if name is None else host_uuid(call, name))


def _list_of_host(call: Call) -> object:
    return _events(call, str(one_host(call, call.path["host"])["uuid"]))


def _events(call: Call, of_host: str | None) -> object:
    since = call.parameter("since")
    earliest = None if since is None else parse_time(since, "since")

    def read(limit: int, marker: str | None) -> list[Row]:
        return store.list_events(
            call.engine,
            host_uuid=of_host,
            since=earliest,
            code=call.parameter("code"),
            limit=limit,
            marker=marker,
        )

    return page(call, "events", read, _view)


def _view(row: Row) -> Mapping[str, object]:
    detail = row["detail"]
    return {
        "uuid": row["uuid"],
        "host_uuid": row["host_uuid"],
        "host": row["host"],
        "at": time_text(row["at"]),
        "code": row["code"],
        "message": row["message"],
        "detail": json.loads(detail) if isinstance(detail, str) else detail,
        "boot_id": row["boot_id"],
        "sequence": row["sequence"],
        "created_at": time_text(row["created_at"]),
    }


_FILTERS: Mapping[str, Schema] = {
    "since": {"type": "string", "maxLength": 64, "description": "a time of RFC 3339: only events then or later"},
    "code": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,254}$", "description": "only events with this code"},
    "limit": LIMIT,
    "marker": MARKER,
}
_HOST: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "only of the host with this name or uuid",
}
_EVENT: Schema = {
    "type": "object",
    "properties": {
        "uuid": UUID,
        "host_uuid": {**or_null(UUID), "description": "null where it is about no single host"},
        "host": or_null({"type": "string"}),
        "at": TIME,
        "code": {"type": "string"},
        "message": {"type": "string"},
        "detail": {"type": "object"},
        "boot_id": {**or_null({"type": "string"}), "description": "the boot that told it"},
        "sequence": {**or_null({"type": "integer"}), "description": "microseconds since that boot"},
        "created_at": {**TIME, "description": "when it was stored"},
    },
    "required": ["uuid", "host_uuid", "at", "code", "message", "detail", "boot_id", "sequence"],
    "additionalProperties": False,
}

LIST = Operation(
    "List what happened in the fleet, newest first.",
    (Variant(_list, query=query_schema(host=_HOST, **_FILTERS)),),
    rule="os_capability:events:list",
    role=READER,
    returns=page_schema("events", _EVENT),
    faults=(400, 404, 409),
)
LIST_OF_HOST = Operation(
    "List what happened on a host, newest first.",
    (Variant(_list_of_host, query=query_schema(**_FILTERS)),),
    rule="os_capability:hosts:events",
    role=READER,
    returns=page_schema("events", _EVENT),
    faults=(400, 404, 409),
)
