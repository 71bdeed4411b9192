# SPDX-License-Identifier: Apache-2.0
"""``/v1/workloads``: what an orchestrator says runs, and on which host; it writes it here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from host_agent import store
from host_agent.api.errors import BadRequest, NotFound
from host_agent.api.operation import READER, WRITER, Answer, Call, Operation, Schema, Variant
from host_agent.api.own.paging import LIMIT, MARKER, page, page_schema, query_schema, wanted_uuid
from host_agent.api.own.schemas import NAME, SIZE, TIME, UUID, VCPUS, or_null, whole
from host_agent.api.own.times import time_text
from host_agent.store import Row
from host_agent.workloads.workload import CONTAINER, VM, HeldPages, Workload
from os_capability import CpuSet, InvalidCpuSet

__all__ = ["DELETE", "LIST", "SHOW", "UPDATE"]


def _list(call: Call) -> object:
    def read(limit: int, marker: str | None) -> list[Row]:
        return store.list_workloads(call.engine, host=call.parameter("host"), limit=limit, marker=marker)

    return page(call, "workloads", read, _view)


def _show(call: Call) -> object:
    uuid = _uuid(call)
    row = store.get_workload(call.engine, uuid)
    if row is None:
        raise _not_found(uuid)
    return _view(row)


def _update(call: Call) -> Answer:
    uuid = _uuid(call)
    workload = _workload(uuid, call.body)
    is_new = store.record_workload(call.engine, workload, call.body["host"])
    row = store.get_workload(call.engine, uuid)
    if row is None:
        # Somebody else has deleted it since.
        raise _not_found(uuid)
    if is_new:
        return Answer(body=_view(row), status=201, headers={"Location": f"{call.root_url}/v1/workloads/{uuid}"})
    return Answer(body=_view(row))


def _delete(call: Call) -> None:
    uuid = _uuid(call)
    if not store.delete_workload(call.engine, uuid):
        raise _not_found(uuid)


def _workload(uuid: str, body: Mapping[str, Any]) -> Workload:
    pages = body.get("hugepages")
    nodes = body.get("numa_nodes")
    return Workload(
        uuid=uuid,
        name=body.get("name") or "",
        engine=body.get("engine") or "",
        kind=body.get("kind") or "",
        state=body.get("state") or "",
        vcpus=body.get("vcpus"),
        cpuset=_cpuset(body.get("cpuset")),
        memory_bytes=whole(body.get("memory_bytes")),
        hugepages=None if pages is None else tuple(_held_pages(pool) for pool in pages),
        disk_bytes=whole(body.get("disk_bytes")),
        numa_nodes=None if nodes is None else tuple(sorted(int(node) for node in nodes)),
        labels=body.get("labels") or {},
    )


def _held_pages(pool: Mapping[str, Any]) -> HeldPages:
    return HeldPages(size_bytes=int(pool["size_bytes"]), count=int(pool["count"]))


def _cpuset(text: str | None) -> CpuSet | None:
    try:
        return None if text is None else CpuSet.parse_list(text)
    except InvalidCpuSet as error:
        raise BadRequest(f"Invalid input for field/attribute cpuset. Value: {text}. {error}") from None


def _uuid(call: Call) -> str:
    return wanted_uuid(call.path["uuid"], "workload")


def _not_found(uuid: str) -> NotFound:
    return NotFound(f"No workload with the uuid {uuid} is recorded")


def _view(row: Row) -> Mapping[str, object]:
    return {
        **{name: row[name] for name in ("uuid", "name", "engine", "kind", "state", "host", "vcpus", "cpuset")},
        "memory_bytes": row["memory_bytes"],
        "hugepages": _decoded(row["hugepages"]),
        "disk_bytes": row["disk_bytes"],
        "numa_nodes": _decoded(row["numa_nodes"]),
        "labels": _decoded(row["labels"]) or {},
        **{name: time_text(row[name]) for name in ("missing_since", "created_at", "updated_at")},
    }


def _decoded(text: object) -> Any:
    return json.loads(text) if isinstance(text, str) else None


_PAGES: Schema = {
    "type": "object",
    "properties": {
        "size_bytes": {**SIZE, "minimum": 1},
        # More than any machine has, and few enough that many workloads' sum is still a number to every database.
        "count": {"type": "integer", "minimum": 0, "maximum": 2**40},
    },
    "required": ["size_bytes", "count"],
    "additionalProperties": False,
}
_BODY_PROPERTIES: Mapping[str, Schema] = {
    "name": or_null(NAME),
    "engine": {**or_null(NAME), "description": "docker, podman, libvirt ..."},
    "kind": {"enum": [CONTAINER, VM, None]},
    "state": {
        **or_null(NAME),
        "description": "running, paused, stopped or another word; deleted and shelved_offloaded hold nothing",
    },
    "host": {**or_null(NAME), "description": "as in compute_host.host, which need not be there yet; null: it has none"},
    "vcpus": {**or_null(VCPUS), "description": "null: no limit, or none that is known"},
    "cpuset": {**or_null({"type": "string"}), "description": "CPUs it may run on, as a kernel list; null: all"},
    "memory_bytes": {**or_null(SIZE), "description": "all of its memory, huge pages among it"},
    "hugepages": {**or_null({"type": "array"}), "items": _PAGES, "maxItems": 64},
    "disk_bytes": or_null(SIZE),
    "numa_nodes": {
        **or_null({"type": "array"}),
        "items": {"type": "integer", "minimum": 0, "maximum": 65535},
        "maxItems": 1024,
        "uniqueItems": True,
        "description": "the nodes its memory comes from; null: any",
    },
    "labels": {
        **or_null({"type": "object"}),
        "propertyNames": NAME,
        "additionalProperties": {"type": "string", "maxLength": 4096},
    },
}
_BODY: Schema = {
    "type": "object",
    "properties": _BODY_PROPERTIES,
    # Who forgets the host would free all that the workload holds.
    "required": ["host"],
    "additionalProperties": False,
}
_WORKLOAD: Schema = {
    "type": "object",
    "properties": {
        "uuid": UUID,
        **_BODY_PROPERTIES,
        "missing_since": {**or_null(TIME), "description": "since when a complete list of what runs there lacks it"},
        "created_at": or_null(TIME),
        "updated_at": or_null(TIME),
    },
    "required": ["uuid", *_BODY_PROPERTIES],
    "additionalProperties": False,
}

LIST = Operation(
    "List the recorded workloads, oldest first.",
    (
        Variant(
            _list,
            query=query_schema(host={**NAME, "description": "only those recorded for it"}, limit=LIMIT, marker=MARKER),
        ),
    ),
    rule="os_capability:workloads:list",
    role=READER,
    returns=page_schema("workloads", _WORKLOAD),
    faults=(400,),
)
SHOW = Operation(
    "Show what is recorded of a workload.",
    (Variant(_show, query=query_schema()),),
    rule="os_capability:workloads:show",
    role=READER,
    returns=_WORKLOAD,
    faults=(400, 404),
)
UPDATE = Operation(
    "Record a workload, in the place of what was recorded of it.",
    (Variant(_update, query=query_schema(), body=_BODY),),
    rule="os_capability:workloads:update",
    role=WRITER,
    returns=_WORKLOAD,
    also=(201,),
    faults=(400, 404),
)
DELETE = Operation(
    "Forget a workload, and free what it holds.",
    (Variant(_delete, query=query_schema()),),
    rule="os_capability:workloads:delete",
    role=WRITER,
    status=204,
    faults=(400, 404),
)
