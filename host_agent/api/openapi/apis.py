# SPDX-License-Identifier: Apache-2.0
"""What the document says of each API as a whole: its versions and their headers, and the shape of its faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host_agent.api import errors
from host_agent.api.dialect import Dialect
from host_agent.api.errors import ApiError
from host_agent.api.nova import dialect as nova
from host_agent.api.nova.dialect import NovaDialect
from host_agent.api.operation import Schema
from host_agent.api.own.dialect import OwnDialect
from host_agent.api.zun import dialect as zun
from host_agent.api.zun.dialect import ZunDialect

__all__ = ["APIS", "TITLES", "Api", "api_of"]

TITLES: Mapping[int, str] = {
    kind.status: kind.title
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ApiError) and kind is not ApiError
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One of the APIs.

    Attributes:
        name: of its tag, and what the names of its components begin with.
        about: one sentence.
        versions: its first and last version; ``None`` where the path has it.
        asks: headers that ask for a version, by name: the schema of the value.
        tells: headers that tell the version of an answer.
        fault: JSON Schema of the body of an error.
    """

    name: str
    about: str
    fault: Schema
    versions: tuple[str, str] | None = None
    asks: Mapping[str, Schema] = field(default_factory=dict)
    tells: tuple[str, ...] = ()


def api_of(dialect: Dialect) -> Api:
    """Give what there is to say of a dialect."""
    return _OF_DIALECT[type(dialect)]


_TOLD: Schema = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "title": {"type": "string"}, "message": {"type": "string"}},
    "additionalProperties": False,
}

_NOVA = Api(
    name="Nova",
    about="OpenStack's Compute API for hypervisors, services, aggregates and zones, versions "
    f"{nova.OLDEST} to {nova.NEWEST}.",
    versions=(str(nova.OLDEST), str(nova.NEWEST)),
    asks={
        "OpenStack-API-Version": {"type": "string", "pattern": r"^compute (2\.[1-9][0-9]{0,2}|latest)$"},
        "X-OpenStack-Nova-API-Version": {"type": "string", "pattern": r"^(2\.[1-9][0-9]{0,2}|latest)$"},
    },
    tells=("OpenStack-API-Version", "X-OpenStack-Nova-API-Version", "Vary"),
    fault={
        "description": "One member, named by the kind of error: `itemNotFound`, `badRequest`, `computeFault` ...",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": _TOLD,
    },
)

_ZUN = Api(
    name="Zun",
    about=f"OpenStack's Containers API for hosts, versions {zun.OLDEST} to {zun.NEWEST}.",
    versions=(str(zun.OLDEST), str(zun.NEWEST)),
    asks={"OpenStack-API-Version": {"type": "string", "pattern": r"^container (1\.[1-9][0-9]{0,2}|latest)$"}},
    tells=("OpenStack-API-Version", "OpenStack-API-Minimum-Version", "OpenStack-API-Maximum-Version", "Vary"),
    fault={
        "type": "object",
        "required": ["errors"],
        "properties": {
            "errors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["request_id", "code", "status", "title", "detail", "links"],
                    "properties": {
                        "request_id": {"type": "string"},
                        "code": {"type": "string"},
                        "status": {"type": "integer"},
                        "title": {"type": "string"},
                        "detail": {"type": "string"},
                        "links": {"type": "array", "items": {"type": "object"}},
                    },
                },
            }
        },
    },
)

_OWN = Api(
    name="os-capability",
    about="What neither has: NUMA, usage, where something fits, what runs, what happened; and how this service fares.",
    fault={
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "title", "message", "request_id"],
                "properties": {
                    "code": {"type": "integer"},
                    "title": {"type": "string"},
                    "message": {"type": "string"},
                    "request_id": {"type": "string"},
                },
            }
        },
        "additionalProperties": False,
    },
)

_OF_DIALECT: Mapping[type, Api] = {NovaDialect: _NOVA, ZunDialect: _ZUN, OwnDialect: _OWN}
# In the order in which they are told.
APIS = (_NOVA, _ZUN, _OWN)
