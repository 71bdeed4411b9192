# SPDX-License-Identifier: Apache-2.0
"""``/v1/fit``: the hosts that can take a demand, the best first, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host_agent import store
from host_agent.api.errors import BadRequest
from host_agent.api.operation import READER, Call, Operation, Schema, Variant
from host_agent.api.own.paging import LIMIT, query_schema
from host_agent.api.own.schemas import NAME, UUID, or_null
from host_agent.demand import REASONS, HostDemand
from host_agent.resource_usage import RESOURCES, ResourceUsage, resources_of
from os_capability import InvalidSize, parse_size

__all__ = ["SHOW"]

_DEFAULT_LIMIT = 10
# What a query calls the fields of a demand.
_PARAMETERS = {"memory_bytes": "memory", "hugepage_size_bytes": "hugepage_size"}


def _show(call: Call) -> object:
    limit = min(int(call.parameter("limit") or _DEFAULT_LIMIT), call.settings.api.max_limit)
    down_after = call.settings.agent.down_after
    found = store.fitting_hosts(call.engine, _demand(call), down_after_seconds=down_after, limit=limit)
    return {"hosts": [_host(row) for row in found.hosts], "fits": found.fits, "rejected": dict(found.rejected)}


def _demand(call: Call) -> HostDemand:
    numbers = {name: call.parameter(name) for name in ("vcpus", "pcpus", "numa_nodes")}
    try:
        return HostDemand(
            **{name: int(text) for name, text in numbers.items() if text is not None},
            memory_bytes=_size(call, "memory") or 0,
            hugepage_size_bytes=_size(call, "hugepage_size"),
            traits=frozenset(call.query.get("trait", ())),
            availability_zone=call.parameter("availability_zone"),
        )
    except ValueError as error:
        field, colon, complaint = str(error).partition(": ")
        raise BadRequest(f"{_PARAMETERS.get(field, field)}{colon}{complaint}.") from None


def _size(call: Call, name: str) -> int | None:
    text = call.parameter(name)
    try:
        size = None if text is None else parse_size(text)
    except InvalidSize as error:
        raise BadRequest(f"{name}: {error}.") from None
    if size is not None and size >= 2**63:
        raise BadRequest(f"{name}: no host has so much.")
    return size


def _host(row: Mapping[str, Any]) -> Mapping[str, object]:
    who = {name: row[name] for name in ("uuid", "host", "hypervisor_hostname", "availability_zone")}
    return who | {"free": {name: ResourceUsage.of_host(one).free for name, one in resources_of(row).items()}}


_COUNT: Schema = {"type": "string", "pattern": r"^[0-9]{1,6}$(?!\n)"}
_SIZE: Schema = {"type": "string", "minLength": 1, "maxLength": 24}
_FREE: Schema = or_null({"type": "number"})
_HOST: Schema = {
    "type": "object",
    "properties": {
        "uuid": UUID,
        "host": {"type": "string"},
        "hypervisor_hostname": {"type": "string"},
        "availability_zone": {"type": "string"},
        "free": {
            "type": "object",
            "description": "what workloads may still be given; MiB and GiB, as the names of the resources say",
            "properties": dict.fromkeys(RESOURCES, _FREE),
            "required": list(RESOURCES),
            "additionalProperties": False,
        },
    },
    "required": ["uuid", "host", "hypervisor_hostname", "availability_zone", "free"],
    "additionalProperties": False,
}
_QUERY = query_schema(
    vcpus={**_COUNT, "description": "CPUs to float over"},
    pcpus={**_COUNT, "description": "CPUs for this demand alone"},
    memory={
        **_SIZE,
        "description": "ordinary memory, or in huge pages of hugepage_size: bytes, or like 512M, 4G, 4GiB",
    },
    hugepage_size={**_SIZE, "description": "take the memory from the huge pages of this size"},
    numa_nodes={**_COUNT, "description": "on so many NUMA nodes, an even share on each (default: on whichever)"},
    availability_zone={**NAME, "description": "only hosts of this zone"},
    limit={**LIMIT, "description": f"hosts at most, the best first (default: {_DEFAULT_LIMIT})"},
)
_TRAIT: Schema = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^[A-Z0-9_]{1,255}$(?!\n)"},
    "description": "only hosts that have this by OpenStack's name (HW_CPU_X86_AVX2); may be repeated",
}

SHOW = Operation(
    "Find the hosts that can take a demand, the one with the most memory left first, and why the others cannot.",
    (Variant(_show, query={**_QUERY, "properties": {**_QUERY["properties"], "trait": _TRAIT}}),),
    rule="os_capability:fit:show",
    role=READER,
    returns={
        "type": "object",
        "properties": {
            "hosts": {"type": "array", "items": _HOST},
            "fits": {"type": "integer", "minimum": 0, "description": "how many can take it, listed or not"},
            "rejected": {
                "type": "object",
                "description": "how many cannot, by the first reason that holds, in the order in which they stand here",
                "properties": {reason: {"type": "integer", "minimum": 1} for reason in REASONS},
                "additionalProperties": False,
            },
        },
        "required": ["hosts", "fits", "rejected"],
        "additionalProperties": False,
    },
    faults=(400, 404),
)
