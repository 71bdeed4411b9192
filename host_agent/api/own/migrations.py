# SPDX-License-Identifier: Apache-2.0
"""``/v1/migrations``: workloads on their way from one host to another; an orchestrator writes how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host_agent import store
from host_agent.api.errors import NotFound
from host_agent.api.operation import READER, WRITER, Answer, Call, Operation, Schema, Variant
from host_agent.api.own.paging import LIMIT, MARKER, page, page_schema, query_schema, wanted_uuid
from host_agent.api.own.schemas import NAME, SIZE, TIME, UUID, VCPUS, or_null, whole
from host_agent.api.own.times import time_text
from host_agent.store import Row
from host_agent.usage import Migration

__all__ = ["DELETE", "LIST", "SHOW", "UPDATE"]


def _list(call: Call) -> object:
    def read(limit: int, marker: str | None) -> list[Row]:
        return store.list_migrations(
            call.engine,
            host=call.parameter("host"),
            in_progress=call.parameter("in_progress") == "true",
            limit=limit,
            marker=marker,
        )

    return page(call, "migrations", read, _view)


def _show(call: Call) -> object:
    uuid = _uuid(call)
    row = store.get_migration(call.engine, uuid)
    if row is None:
        raise _not_found(uuid)
    return _view(row)


def _update(call: Call) -> Answer:
    uuid = _uuid(call)
    migration = _migration(uuid, call.body)
    is_new = store.record_migration(call.engine, migration)
    row = store.get_migration(call.engine, uuid)
    if row is None:
        # Somebody else has deleted it since.
        raise _not_found(uuid)
    if is_new:
        return Answer(body=_view(row), status=201, headers={"Location": f"{call.root_url}/v1/migrations/{uuid}"})
    return Answer(body=_view(row))


def _delete(call: Call) -> None:
    uuid = _uuid(call)
    if not store.delete_migration(call.engine, uuid):
        raise _not_found(uuid)


def _migration(uuid: str, body: Mapping[str, Any]) -> Migration:
    return Migration(
        uuid=uuid,
        workload_uuid=wanted_uuid(body["workload_uuid"], "workload_uuid"),
        source_host=body["source_host"],
        dest_host=body["dest_host"],
        status=body["status"],
        migration_type=body.get("migration_type"),
        vcpus=body.get("vcpus"),
        memory_bytes=whole(body.get("memory_bytes")),
        disk_bytes=whole(body.get("disk_bytes")),
    )


def _uuid(call: Call) -> str:
    return wanted_uuid(call.path["uuid"], "migration")


def _not_found(uuid: str) -> NotFound:
    return NotFound(f"No migration with the uuid {uuid} is recorded")


def _view(row: Row) -> Mapping[str, object]:
    return {name: row[name] for name in ("uuid", *_BODY_PROPERTIES)} | {
        name: time_text(row[name]) for name in ("created_at", "updated_at")
    }


_HOST: Schema = {**or_null(NAME), "description": "as in compute_host.host; null is not known"}
_BODY_PROPERTIES: Mapping[str, Schema] = {
    "workload_uuid": {"type": "string", "maxLength": 64, "description": "of a workload that need not be recorded"},
    "source_host": _HOST,
    "dest_host": _HOST,
    "status": {**NAME, "description": "as Nova spells it"},
    "migration_type": {**or_null(NAME), "description": "live-migration, evacuation, resize ..."},
    "vcpus": {**or_null(VCPUS), "description": "null, here and below: as much as the workload has"},
    "memory_bytes": or_null(SIZE),
    "disk_bytes": or_null(SIZE),
}
_BODY: Schema = {
    "type": "object",
    "properties": _BODY_PROPERTIES,
    "required": ["workload_uuid", "source_host", "dest_host", "status"],
    "additionalProperties": False,
}
_MIGRATION: Schema = {
    "type": "object",
    "properties": {"uuid": UUID, **_BODY_PROPERTIES, "created_at": or_null(TIME), "updated_at": or_null(TIME)},
    "required": ["uuid", *_BODY_PROPERTIES],
    "additionalProperties": False,
}

LIST = Operation(
    "List the migrations, oldest first.",
    (
        Variant(
            _list,
            query=query_schema(
                host={**NAME, "description": "only those from it or to it"},
                in_progress={"enum": ["true", "false"], "description": "true: only those that are not finished"},
                limit=LIMIT,
                marker=MARKER,
            ),
        ),
    ),
    rule="os_capability:migrations:list",
    role=READER,
    returns=page_schema("migrations", _MIGRATION),
    faults=(400,),
)
SHOW = Operation(
    "Show a migration.",
    (Variant(_show, query=query_schema()),),
    rule="os_capability:migrations:show",
    role=READER,
    returns=_MIGRATION,
    faults=(400, 404),
)
UPDATE = Operation(
    "Record how far a migration is.",
    (Variant(_update, query=query_schema(), body=_BODY),),
    rule="os_capability:migrations:update",
    role=WRITER,
    returns=_MIGRATION,
    also=(201,),
    faults=(400, 404),
)
DELETE = Operation(
    "Forget a migration, and free what it holds.",
    (Variant(_delete, query=query_schema()),),
    rule="os_capability:migrations:delete",
    role=WRITER,
    status=204,
    faults=(400, 404),
)
