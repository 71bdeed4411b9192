# SPDX-License-Identifier: Apache-2.0
"""``/v1/usage``: what the fleet, its zones or its aggregates have, and what of it is used."""

from __future__ import annotations

from host_agent import store
from host_agent.api.errors import BadRequest
from host_agent.api.operation import READER, Call, Operation, Schema, Variant
from host_agent.api.own.paging import query_schema
from host_agent.api.own.schemas import NAME, or_null
from host_agent.render.usage_document import group_document
from host_agent.resource_usage import RESOURCES, GroupUsage

__all__ = ["SHOW"]

_ZONE, _AGGREGATE = "availability_zone", "aggregate"


def _show(call: Call) -> object:
    asked = [name for name in (_ZONE, _AGGREGATE, "group_by") if call.parameter(name) is not None]
    if len(asked) > 1:
        raise BadRequest(f"{' and '.join(asked)} exclude each other.")
    only_available = call.parameter("available") == "true"
    groups = _groups(call, only_available)
    documents = [group_document(group, only_available=only_available) for group in groups]
    return {"groups": documents} if asked == ["group_by"] else documents[0]


def _groups(call: Call, only_available: bool) -> list[GroupUsage]:
    engine, down_after = call.engine, call.settings.agent.down_after
    by, zone, aggregate = (call.parameter(name) for name in ("group_by", _ZONE, _AGGREGATE))
    if by == _ZONE:
        return store.usage_by_zone(engine, down_after_seconds=down_after, only_available=only_available)
    if by == _AGGREGATE:
        return store.usage_by_aggregate(engine, down_after_seconds=down_after, only_available=only_available)
    if zone is not None:
        return [store.zone_usage(engine, zone, down_after_seconds=down_after, only_available=only_available)]
    if aggregate is not None:
        return [store.aggregate_usage(engine, aggregate, down_after_seconds=down_after, only_available=only_available)]
    return [store.fleet_usage(engine, down_after_seconds=down_after, only_available=only_available)]


_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_FIGURES = {
    "total": (_INTEGER, "all there is"),
    "reserved": (_INTEGER, "of it, what is kept for the hosts themselves"),
    "capacity": (_NUMBER, "(total - reserved) x allocation ratio"),
    "used": (_INTEGER, "what is reserved and what workloads hold"),
    "free": (_NUMBER, "what workloads may still be given, out of the capacity; negative where more was given away"),
    "used_percent": (_NUMBER, "the used of the total"),
    "capacity_used_percent": (_NUMBER, "what workloads hold, of the capacity"),
}
_RESOURCE: Schema = {
    "type": "object",
    "properties": {name: {**or_null(kind), "description": told} for name, (kind, told) in _FIGURES.items()}
    | {"unknown": {"type": "integer", "description": "hosts of which the total or the used is not known"}},
    "required": [*_FIGURES, "unknown"],
    "additionalProperties": False,
}
_COUNTED = {"type": "integer", "minimum": 0}
_GROUP: Schema = {
    "type": "object",
    "properties": {
        "name": {**or_null({"type": "string"}), "description": "null where it is the whole fleet"},
        "only_available": {"type": "boolean"},
        "hosts": _COUNTED,
        "up": _COUNTED,
        "enabled": _COUNTED,
        "resources": {
            "type": "object",
            "properties": dict.fromkeys(RESOURCES, _RESOURCE),
            "required": list(RESOURCES),
            "additionalProperties": False,
        },
    },
    "required": ["name", "only_available", "hosts", "up", "enabled", "resources"],
    "additionalProperties": False,
}
_GROUPS: Schema = {
    "type": "object",
    "properties": {"groups": {"type": "array", "items": _GROUP}},
    "required": ["groups"],
    "additionalProperties": False,
}

SHOW = Operation(
    "Show what the fleet, a zone or an aggregate has and uses; MiB and GiB, as the names of the resources say.",
    (
        Variant(
            _show,
            query=query_schema(
                availability_zone={**NAME, "description": "only the hosts of this zone"},
                aggregate={**NAME, "description": "only the hosts of the aggregate with this name or uuid"},
                group_by={"enum": [_ZONE, _AGGREGATE], "description": "a group for each zone, or each aggregate"},
                available={"enum": ["true", "false"], "description": "only hosts that are enabled and up"},
            ),
        ),
    ),
    rule="os_capability:usage:show",
    role=READER,
    returns={"oneOf": [_GROUP, _GROUPS]},
    faults=(400, 404),
)
