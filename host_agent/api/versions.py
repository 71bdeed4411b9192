# SPDX-License-Identifier: Apache-2.0
"""What clients ask first, before they say who they are: which versions there are, and where.

At ``/`` Nova and Zun answer differently, and each one's client reads its own. Zun's client names its service in a
header; it gets the members that Zun has besides, which Nova's schema does not allow. Both find both versions.
"""

from __future__ import annotations

from collections.abc import Mapping

from host_agent.api.nova import dialect as nova
from host_agent.api.operation import PUBLIC, Answer, Call, Operation, Schema, Variant
from host_agent.api.zun import dialect as zun

__all__ = ["COMPUTE", "OTHER", "OWN", "ROOT"]

_RULE = "os_capability:versions:show"
_VERSION_HEADER = "OpenStack-API-Version"
# When they changed last in a way that a header does not tell; that of v2.1 is Nova's.
_COMPUTE_UPDATED, _OWN_UPDATED = "2013-07-23T11:33:21Z", "2026-11-21T00:00:00Z"
_MEDIA_TYPES = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]


def _root(call: Call) -> Answer:
    body: dict[str, object] = {"versions": [_compute_version(call), _own_version(call)]}
    if zun.is_asked_for(call.headers):
        # Its client takes the first version that is current.
        own = {**_own_version(call), "max_version": str(zun.NEWEST)}
        body = {
            "name": "os-capability",
            "description": "What every compute node can give.",
            "versions": [own, _compute_version(call)],
            "default_version": own,
        }
    return Answer(body=body, headers={"Vary": _VERSION_HEADER})


def _compute(call: Call) -> object:
    return {"version": {**_compute_version(call), "media-types": _MEDIA_TYPES}}


def _own(call: Call) -> object:
    hosts = [
        {"rel": "self", "href": f"{call.root_url}/v1/hosts/"},
        {"rel": "bookmark", "href": f"{call.root_url}/hosts/"},
    ]
    # Beside what Zun has there, what those look for who know no service by its name: keystoneauth.
    return {"id": "v1", "links": _links(call, "v1"), "hosts": hosts, "version": _own_version(call)}


def _other(call: Call) -> object:
    version = _compute_version(call)
    choice = {name: version[name] for name in ("id", "status", "links")}
    return {"choices": [{**choice, "media-types": _MEDIA_TYPES}]}


def _compute_version(call: Call) -> Mapping[str, object]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": str(nova.NEWEST),
        "min_version": str(nova.OLDEST),
        "updated": _COMPUTE_UPDATED,
        "links": _links(call, "v2.1"),
    }


def _own_version(call: Call) -> Mapping[str, object]:
    return {
        "id": "v1",
        "status": "CURRENT",
        "version": str(zun.NEWEST),
        "min_version": str(zun.OLDEST),
        "updated": _OWN_UPDATED,
        "links": _links(call, "v1"),
    }


def _links(call: Call, version: str) -> list[Mapping[str, str]]:
    return [
        {"rel": "self", "href": f"{call.root_url}/{version}/"},
        {"rel": "describedby", "type": "application/json", "href": f"{call.root_url}/openapi.json"},
    ]


_TEXT: Schema = {"type": "string"}
_LINKS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": dict.fromkeys(("rel", "href", "type"), _TEXT),
        "required": ["rel", "href"],
        "additionalProperties": False,
    },
}
_OF_VERSION = ("id", "status", "version", "min_version", "updated")
_VERSION: Schema = {
    "type": "object",
    "properties": {
        **dict.fromkeys((*_OF_VERSION, "max_version"), _TEXT),
        "links": _LINKS,
        "media-types": {"type": "array", "items": {"type": "object"}},
    },
    "required": [*_OF_VERSION, "links"],
    "additionalProperties": False,
}


def _object(required: str, properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": [required], "additionalProperties": False}


ROOT = Operation(
    "List the versions.",
    (Variant(_root),),
    rule=_RULE,
    role=PUBLIC,
    returns=_object(
        "versions",
        {
            "versions": {"type": "array", "items": _VERSION},
            "name": _TEXT,
            "description": _TEXT,
            "default_version": _VERSION,
        },
    ),
)
COMPUTE = Operation(
    "Show the version of Nova's API.",
    (Variant(_compute),),
    rule=_RULE,
    role=PUBLIC,
    returns=_object("version", {"version": _VERSION}),
)
OWN = Operation(
    "Show the version of Zun's hosts and of what is this project's own.",
    (Variant(_own),),
    rule=_RULE,
    role=PUBLIC,
    returns=_object("version", {"id": _TEXT, "links": _LINKS, "hosts": _LINKS, "version": _VERSION}),
)
OTHER = Operation(
    "Tell which version there is instead.",
    (Variant(_other),),
    rule=_RULE,
    role=PUBLIC,
    status=300,
    returns=_object("choices", {"choices": {"type": "array", "items": {"type": "object"}}}),
)
