# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of ``os-hypervisors``: what may be asked, and what is answered."""

from __future__ import annotations

from host_agent.api.nova import hypervisor_views as views
from host_agent.api.nova.schemas import TEXT, UUID, WORDS, array_of, object_of
from host_agent.api.operation import Schema

__all__ = ["LIST_QUERY", "PAGE_QUERY", "SERVERS", "SHOW_QUERY", "STATISTICS", "hosts", "page", "shown", "uptime"]

_LIMIT: Schema = {"type": ["integer", "string"], "pattern": "^[0-9]*$", "minimum": 0, "minLength": 1}
_MARKER: Schema = {"type": "string"}
_PATTERN: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9-._]*$"}


def _once(value: Schema) -> Schema:
    """Give the schema of a parameter that may be there once."""
    return {"type": "array", "items": value, "maxItems": 1}


def _query(**parameters: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {name: _once(value) for name, value in parameters.items()},
        "additionalProperties": False,
    }


PAGE_QUERY: Schema = {
    "type": "object",
    "properties": {
        "limit": {"type": "array", "items": _LIMIT},
        "marker": {"type": "array", "items": _MARKER},
    },
    "additionalProperties": True,
}
LIST_QUERY = _query(limit=_LIMIT, marker=_MARKER, hypervisor_hostname_pattern=_PATTERN, with_servers=WORDS)
SHOW_QUERY = _query(with_servers=WORDS)

_LINKS = array_of(object_of({"rel": {"const": "next"}, "href": {"type": "string", "format": "uri"}}))
_COUNTED = (
    *("count", "vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used", "free_ram_mb"),
    *("free_disk_gb", "current_workload", "running_vms", "disk_available_least"),
)


_RUNNING = array_of(object_of({"name": TEXT, "uuid": UUID}))


def _list(host: Schema, **optional: Schema) -> Schema:
    return _with(object_of({"hypervisors": array_of(host)}), **optional)


def _with(schema: Schema, **optional: Schema) -> Schema:
    """Give the schema of an object that may have further members."""
    return {**schema, "properties": {**schema["properties"], **optional}}


def hosts(since: str | None = None, until: str | None = None, *, detailed: bool = False) -> Schema:
    """Give the schema of a whole list in the versions between two."""
    return _list(views.schema(since, until, detailed=detailed))


def page(since: str, until: str | None = None, *, detailed: bool = False, servers: bool = False) -> Schema:
    """Give the schema of a page in the versions between two."""
    host = views.schema(since, until, detailed=detailed)
    return _list(_with(host, servers=_RUNNING) if servers else host, hypervisors_links=_LINKS)


def shown(since: str | None = None, until: str | None = None, *, servers: bool = False) -> Schema:
    """Give the schema of one host in the versions between two."""
    host = views.schema(since, until, detailed=True)
    return object_of({"hypervisor": _with(host, servers=_RUNNING) if servers else host})


def uptime(since: str | None, until: str) -> Schema:
    """Give the schema of the route of the uptime in the versions between two."""
    host = views.schema(since, until)
    return object_of({"hypervisor": object_of({**host["properties"], "uptime": TEXT})})


SERVERS = _list(_with(views.schema(until="2.52"), servers=_RUNNING))
STATISTICS = object_of({"hypervisor_statistics": object_of({name: {"type": "integer"} for name in _COUNTED})})
