# SPDX-License-Identifier: Apache-2.0
"""What Nova tells of a hypervisor, as one table of fields; each says in which versions it is there.

Most of its numbers have no null: one that is not known is 0 there, and a text is empty. ``disk_available_least``,
``host_ip`` and ``uptime`` may be null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from host_agent.api.microversion import Microversion
from host_agent.api.nova.dialect import NEWEST, OLDEST
from host_agent.api.nova.schemas import TEXT, TEXT_OR_NULL, UUID
from host_agent.api.nova.uptime import uptime_line
from host_agent.api.operation import Schema

__all__ = ["UPTIME_COLUMNS", "View", "schema", "servers_of", "uptime_of", "view_of"]

_Row: TypeAlias = Mapping[str, Any]
_Value: TypeAlias = Callable[[_Row], object]

UPTIME_COLUMNS = ("is_alive", "now", "updated_at", "sequence", "users", "load_average")

_LOADS = msgspec.json.Decoder(tuple[float, float, float])
# Members are checked to be JSON, and passed on as they are.
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
# From here on somebody who asked for the servers is told of none as well.
_TELLS_OF_NO_SERVER = Microversion(2, 75)


@dataclass(frozen=True, slots=True)
class View:
    """What is told of each host.

    Attributes:
        columns: what the store is asked for.
        fields: names, each with what gives its value from the row of a host.
    """

    columns: tuple[str, ...]
    fields: tuple[tuple[str, _Value], ...]

    def __call__(self, row: _Row) -> dict[str, object]:
        """Give the wire form of a row."""
        return {name: value(row) for name, value in self.fields}


@cache
def view_of(version: Microversion, *, detailed: bool = False) -> View:
    """Give what a version tells of a host: all of it, or what lists have."""
    fields = [field for field in _fields(detailed) if field.since <= version <= field.until]
    columns = dict.fromkeys(column for field in fields for column in field.columns)
    return View(columns=tuple(columns), fields=tuple((field.name, field.value) for field in fields))


def schema(since: str | None = None, until: str | None = None, *, detailed: bool = False) -> Schema:
    """Give the JSON Schema of what the versions between two tell of a host."""
    first = OLDEST if since is None else Microversion.parse(since)
    last = NEWEST if until is None else Microversion.parse(until)
    kinds: dict[str, list[Schema]] = {}
    required: set[str] = set()
    for field in _fields(detailed):
        if field.since <= last and field.until >= first:
            kinds.setdefault(field.name, []).append(field.schema)
            if field.since <= first and last <= field.until:
                required.add(field.name)
    properties = {name: known[0] if len(known) == 1 else {"anyOf": known} for name, known in kinds.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name in required],
        "additionalProperties": False,
    }


def servers_of(found: Sequence[_Row], version: Microversion) -> dict[str, object]:
    """Give the field of the servers, as far as a version has it.

    Args:
        found: rows with ``uuid`` and ``name``.
        version: as negotiated.
    """
    if not found and version < _TELLS_OF_NO_SERVER:
        return {}
    return {"servers": [{"name": server["name"] or server["uuid"], "uuid": server["uuid"]} for server in found]}


def uptime_of(row: _Row) -> str | None:
    """Give the line of ``uptime`` from a row with `UPTIME_COLUMNS`, in UTC; ``None`` where the host is down or silent.

    The host told how long it was up and how loaded it was when it reported last; it is up since then too.
    """
    parts = [row[name] for name in ("updated_at", "sequence", "users", "load_average")]
    if not row["is_alive"] or None in parts:
        return None
    reported, sequence, users, load_average = parts
    try:
        loads = _LOADS.decode(load_average)
    except msgspec.DecodeError:
        return None  # what another program wrote is no reason to lose the rest
    # After a failover the new server's clock may be behind the one that wrote.
    since = max(0.0, (row["now"] - reported).total_seconds())
    return uptime_line(row["now"], sequence / 1e6 + since, users, loads)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One field, in the versions from the first to the last that have it in this form.

    Attributes:
        columns: those of a row that `value` looks at.
    """

    name: str
    value: _Value
    columns: tuple[str, ...]
    schema: Schema
    since: Microversion = OLDEST
    until: Microversion = NEWEST


_NUMBER: Schema = {"type": "integer"}
_LAST_NUMBER, _FIRST_UUID = Microversion(2, 52), Microversion(2, 53)
_LAST_TEXT, _FIRST_OBJECT = Microversion(2, 27), Microversion(2, 28)
_LAST_RESOURCES, _FIRST_UPTIME = Microversion(2, 87), Microversion(2, 88)


def _text_field(name: str) -> _Field:
    return _Field(name=name, value=lambda row: row[name] or "", columns=(name,), schema=TEXT)


def _number_field(name: str, until: Microversion = NEWEST) -> _Field:
    return _Field(name=name, value=lambda row: row[name] or 0, columns=(name,), schema=_NUMBER, until=until)


def _service_schema(kind: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"id": kind, "host": TEXT, "disabled_reason": TEXT_OR_NULL},
        "required": ["id", "host", "disabled_reason"],
        "additionalProperties": False,
    }


def _service(row: _Row, column: str) -> object:
    return {"id": row[column], "host": row["host"], "disabled_reason": row["disabled_reason"]}


def _cpu_info(row: _Row) -> object:
    """Give the stored object."""
    try:
        return _MEMBERS.decode(row["cpu_info"] or "{}")
    except msgspec.DecodeError:
        return {}  # what another program wrote is no reason to lose the rest


_BRIEF = (
    _Field(name="id", value=itemgetter("id"), columns=("id",), schema=_NUMBER, until=_LAST_NUMBER),
    _Field(name="id", value=itemgetter("uuid"), columns=("uuid",), schema=UUID, since=_FIRST_UUID),
    _text_field("hypervisor_hostname"),
    _Field(
        name="state",
        value=lambda row: "up" if row["is_alive"] else "down",
        columns=("is_alive",),
        schema={"type": "string", "enum": ["up", "down"]},
    ),
    _Field(
        name="status",
        value=lambda row: "disabled" if row["disabled"] else "enabled",
        columns=("disabled",),
        schema={"type": "string", "enum": ["enabled", "disabled"]},
    ),
)
_RESOURCES = (
    *("vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used"),
    *("free_ram_mb", "free_disk_gb", "current_workload", "running_vms"),
)
_DETAIL = (
    _text_field("hypervisor_type"),
    _number_field("hypervisor_version"),
    _Field(name="host_ip", value=itemgetter("host_ip"), columns=("host_ip",), schema=TEXT_OR_NULL),
    _Field(
        name="service",
        value=lambda row: _service(row, "service_id"),
        columns=("service_id", "host", "disabled_reason"),
        schema=_service_schema(_NUMBER),
        until=_LAST_NUMBER,
    ),
    _Field(
        name="service",
        value=lambda row: _service(row, "service_uuid"),
        columns=("service_uuid", "host", "disabled_reason"),
        schema=_service_schema(UUID),
        since=_FIRST_UUID,
    ),
    *(_number_field(name, until=_LAST_RESOURCES) for name in _RESOURCES),
    _Field(
        name="disk_available_least",
        value=itemgetter("disk_available_least"),
        columns=("disk_available_least",),
        schema={"type": ["integer", "null"]},
        until=_LAST_RESOURCES,
    ),
    _Field(
        name="cpu_info",
        value=lambda row: row["cpu_info"] or "",
        columns=("cpu_info",),
        schema=TEXT,
        until=_LAST_TEXT,
    ),
    _Field(
        name="cpu_info",
        value=_cpu_info,
        columns=("cpu_info",),
        schema={"type": "object"},
        since=_FIRST_OBJECT,
        until=_LAST_RESOURCES,
    ),
    _Field(
        name="uptime",
        value=uptime_of,
        columns=UPTIME_COLUMNS,
        schema=TEXT_OR_NULL,
        since=_FIRST_UPTIME,
    ),
)


def _fields(detailed: bool) -> tuple[_Field, ...]:
    return (*_BRIEF, *_DETAIL) if detailed else _BRIEF
