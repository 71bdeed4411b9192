# SPDX-License-Identifier: Apache-2.0
"""Zun's ``/v1/hosts``: the hosts as its client lists and shows them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from host_agent import store
from host_agent.api.errors import BadRequest, NotFound
from host_agent.api.operation import READER, Call, Operation, Schema, Variant
from host_agent.api.uuids import canonical_uuid
from host_agent.api.zun.dialect import InvalidParameterValue
from host_agent.errors import UnknownMarker
from host_agent.store import Row

__all__ = ["LIST", "SHOW", "SORT_KEYS"]

_SINCE = "1.4"

# Zun's fields, in its order, and the columns they are made of.
_COLUMNS = {
    "uuid": "uuid",
    "hostname": "hypervisor_hostname",
    "mem_total": "mem_total_kb",
    "mem_used": "memory_mb_used",
    "total_containers": "no_of_containers",
    "cpus": "total_cpu",
    "cpu_used": "used_cpu",
    "architecture": "architecture",
    "os_type": "os_type",
    "os": "os",
    "kernel_version": "kernel_version",
    "labels": "labels",
    "disk_total": "local_gb",
    "disk_used": "local_gb_used",
    "disk_quota_supported": "disk_quota_supported",
    "runtimes": "runtimes",
    "enable_cpu_pinning": "enable_cpu_pinning",
}
# What lists can be sorted by, and the column behind each.
SORT_KEYS = {
    **{field: column for field, column in _COLUMNS.items() if field not in ("labels", "runtimes")},
    "mem_free": "mem_free_kb",
    "mem_available": "mem_available_kb",
    "running_containers": "running_containers",
    "paused_containers": "paused_containers",
    "stopped_containers": "stopped_containers",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
_DEFAULT_SORT_KEY = "hostname"
_LONGEST_LIMIT = 20


def _list(call: Call) -> object:
    limit = _limit(call)
    sort_key, direction = _sort_key(call), _direction(call)
    marker = call.parameter("marker") or None
    last = None if marker is None else canonical_uuid(marker)
    if marker is not None and last is None:
        raise _not_found(marker)
    try:
        # One more than asked for tells whether there are more.
        page = store.hosts_sorted(
            call.engine,
            tuple(_COLUMNS.values()),
            by=SORT_KEYS[sort_key],
            descending=direction == "desc",
            limit=limit + 1,
            marker=last,
        )
    except UnknownMarker:
        raise _not_found(str(marker)) from None
    following = None
    if len(page) > limit:
        page = page[:limit]
        query = {"sort_key": sort_key, "sort_dir": direction, "limit": limit, "marker": page[-1]["uuid"]}
        following = f"{call.root_url}/v1/hosts?{urlencode(query)}"
    return {"hosts": [_view(row, call.root_url) for row in page], "next": following}


def _show(call: Call) -> object:
    name = call.path["host"]
    found = store.hosts_named(call.engine, name, tuple(_COLUMNS.values()), uuid=canonical_uuid(name))
    serving = [row for row in found if row["retired_at"] is None]
    if not serving:
        raise _not_found(name)
    # A machine that was installed anew has the name of its old row: the one whose agent registered, else the newest.
    registered = [row for row in serving if row["service_id"] is not None]
    return _view((registered or serving)[-1], call.root_url)


def _view(row: Row, root_url: str) -> dict[str, object]:
    fields: dict[str, Any] = {field: row[column] for field, column in _COLUMNS.items()}
    uuid, memory_kib, cpus = fields["uuid"], fields["mem_total"], fields["cpus"]
    links = [
        {"href": f"{root_url}/v1/hosts/{uuid}", "rel": "self"},
        {"href": f"{root_url}/hosts/{uuid}", "rel": "bookmark"},
    ]
    return {
        "uuid": uuid,
        "links": links,
        **fields,
        # Zun counts memory in MiB, and CPUs whole.
        "mem_total": None if memory_kib is None else memory_kib // 1024,
        "cpus": None if cpus is None else int(cpus),
        "labels": _as_it_is(fields["labels"]),
        "runtimes": _as_it_is(fields["runtimes"]),
    }


def _as_it_is(text: str | None) -> msgspec.Raw | None:
    # JSON already: a thousand hosts are not read only to be written again.
    return None if text is None else msgspec.Raw(text)


def _limit(call: Call) -> int:
    most = call.settings.api.max_limit
    asked = call.parameter("limit")
    if asked is None:
        return most
    if not (asked.isascii() and asked.isdigit() and asked.strip("0")):
        raise BadRequest("Limit must be positive integer")
    # int() refuses to read thousands of digits.
    return most if len(asked) > _LONGEST_LIMIT else min(most, int(asked))


def _sort_key(call: Call) -> str:
    asked = call.parameter("sort_key") or _DEFAULT_SORT_KEY
    if asked not in SORT_KEYS:
        raise InvalidParameterValue(f'The sort_key value "{asked}" is an invalid field for sorting')
    return asked


def _direction(call: Call) -> str:
    asked = call.parameter("sort_dir") or "asc"
    if asked not in ("asc", "desc"):
        raise BadRequest(f"Invalid sort direction: {asked}. Acceptable values are 'asc' or 'desc'")
    return asked


def _not_found(name: str) -> NotFound:
    return NotFound(f"Compute node {name} could not be found.")


def _or_null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


_LINK: Schema = {
    "type": "object",
    "properties": {"href": {"type": "string"}, "rel": {"type": "string"}},
    "required": ["href", "rel"],
}
_HOST: Schema = {
    "type": "object",
    "properties": {
        "uuid": {"type": "string"},
        "links": {"type": "array", "items": _LINK},
        "hostname": {"type": "string"},
        "mem_total": {**_or_null("integer"), "description": "MiB"},
        "mem_used": {**_or_null("integer"), "description": "MiB that workloads hold or the operator reserves"},
        "total_containers": _or_null("integer"),
        "cpus": {**_or_null("integer"), "description": "online CPUs"},
        "cpu_used": {**_or_null("number"), "description": "CPUs that containers hold"},
        "architecture": _or_null("string"),
        "os_type": _or_null("string"),
        "os": _or_null("string"),
        "kernel_version": _or_null("string"),
        "labels": {**_or_null("object"), "additionalProperties": {"type": "string"}},
        "disk_total": {**_or_null("integer"), "description": "GiB"},
        "disk_used": {**_or_null("integer"), "description": "GiB that workloads hold or the operator reserves"},
        "disk_quota_supported": _or_null("boolean"),
        "runtimes": {**_or_null("array"), "items": {"type": "string"}},
        "enable_cpu_pinning": _or_null("boolean"),
    },
    "required": ["links", *_COLUMNS],
    "additionalProperties": False,
}
_HOSTS: Schema = {
    "type": "object",
    "properties": {"hosts": {"type": "array", "items": _HOST}, "next": _or_null("string")},
    "required": ["hosts", "next"],
    "additionalProperties": False,
}

_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
# For whoever reads the description: what is wrong with a value is told in Zun's own words.
_QUERY: Schema = {
    "type": "object",
    "properties": dict.fromkeys(("limit", "marker", "sort_key", "sort_dir"), _TEXTS),
}

LIST = Operation(
    "List the hosts, as Zun does.",
    (Variant(_list, since=_SINCE, query=_QUERY),),
    rule="host:get_all",
    role=READER,
    returns=_HOSTS,
    faults=(400, 404),
)
SHOW = Operation(
    "Show one host, as Zun does.",
    (Variant(_show, since=_SINCE),),
    rule="host:get",
    role=READER,
    returns=_HOST,
    faults=(404,),
)
