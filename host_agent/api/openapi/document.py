# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document, made of the table of routes: what is served and what is described cannot differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from host_agent.api.dialect import Dialect
from host_agent.api.openapi.apis import APIS, TITLES, Api, api_of
from host_agent.api.openapi.operations import described, parameters_of, template
from host_agent.api.operation import Operation
from os_capability import __version__

__all__ = ["Described", "document"]

_ABOUT = """\
What every compute node can give: the APIs of OpenStack's Nova and Zun for hosts, and one of our own. Nova's and Zun's
are asked for a version by header; without it Nova's answers as its oldest one, Zun's as its newest."""

_SCHEMES: Mapping[str, Mapping[str, Any]] = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
# By the option [api] auth.
_SECURITY: Mapping[str, list[dict[str, list[str]]]] = {
    "none": [],
    "token": [{"token": []}, {"bearer": []}],
    "keystone": [{"token": []}],
}
_ANSWER_HEADERS = {
    "X-OpenStack-Request-ID": "The request, as the log of this server has it.",
    "OpenStack-API-Version": "The API and the version of this answer.",
    "X-OpenStack-Nova-API-Version": "The version of this answer.",
    "OpenStack-API-Minimum-Version": "The oldest version that is served.",
    "OpenStack-API-Maximum-Version": "The newest version that is served.",
    "Vary": "The headers of the request that this answer depends on.",
}


class Described(Protocol):
    """A row of the table of routes."""

    @property
    def dialect(self) -> Dialect:
        """Give the API that the path belongs to."""

    @property
    def path(self) -> str:
        """Give its template."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Give what each method does there."""


def document(routes: Iterable[Described], auth: str) -> dict[str, Any]:
    """Give the document.

    Args:
        routes: the table.
        auth: the option of this name.
    """
    routes = list(routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "os-capability",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": api.name, "description": api.about} for api in APIS],
        "security": _SECURITY[auth],
        "paths": {template(route.path): _path(route) for route in routes},
        "components": _components(APIS),
    }


def _path(route: Described) -> dict[str, Any]:
    path, api = template(route.path), api_of(route.dialect)
    item: dict[str, Any] = {
        method.lower(): described(path, method, operation, api) for method, operation in route.operations.items()
    }
    parameters = parameters_of(path)
    return item | ({"parameters": parameters} if parameters else {})


def _components(apis: Iterable[Api]) -> dict[str, Any]:
    headers = {name: {"description": about, "schema": {"type": "string"}} for name, about in _ANSWER_HEADERS.items()}
    parts: dict[str, Any] = {
        "securitySchemes": dict(_SCHEMES),
        "headers": headers,
        "schemas": {},
        "parameters": {},
        "responses": {},
    }
    for api in apis:
        parts["schemas"][f"{api.name}-fault"] = api.fault
        for name, schema in api.asks.items():
            about = f"The version to answer in, {' to '.join(api.versions or ())}, or latest."
            parameter = {"name": name, "in": "header", "description": about, "schema": schema}
            parts["parameters"][f"{name}-{api.name}"] = parameter
        for status, title in TITLES.items():
            content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{api.name}-fault"}}}
            parts["responses"][f"{api.name}-{status}"] = {"description": f"{title}.", "content": content}
    return parts
