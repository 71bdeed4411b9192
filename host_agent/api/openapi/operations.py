# SPDX-License-Identifier: Apache-2.0
"""One method of one path, as the document has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from host_agent.api.openapi.apis import TITLES, Api
from host_agent.api.operation import PUBLIC, Operation, Schema, Variant

__all__ = ["described", "operation_id", "parameters_of", "template"]

_TEXT: Schema = {"type": "string", "minLength": 1}
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "project_id": {"description": "Of an OpenStack project. Any will do: hosts belong to none.", "schema": _TEXT},
    "host": {"description": "Its name or its uuid.", "schema": _TEXT},
    # 1 is a path of its own.
    "major": {"description": "A version that is not served.", "schema": {"type": "integer", "minimum": 2}},
}


def template(path: str) -> str:
    """Give the path without what the router alone wants to know: ``{id:uuid}`` is ``{id}``."""
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


def operation_id(path: str, method: str) -> str:
    """Give the one name that a method of a path has."""
    name = re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")
    return f"{name}_slash" if path.endswith("/") else name


def parameters_of(path: str) -> list[dict[str, Any]]:
    """Give the parameters that a path has for all its methods."""
    names = re.findall(r"\{(\w+)\}", path)
    return [{"name": name, "in": "path", "required": True, **_PARTS.get(name, {"schema": _TEXT})} for name in names]


def described(path: str, method: str, operation: Operation, api: Api) -> dict[str, Any]:
    """Give the operation object of a method of a path."""
    variants = operation.variants
    told: dict[str, Any] = {
        "operationId": operation_id(path, method),
        "tags": [api.name],
        "summary": operation.summary,
        "parameters": [*_query(variants, api), *_version_headers(api)],
        "responses": _responses(path, method, operation, api),
        "x-os-capability-role": operation.role,
        "x-os-capability-policy": ", ".join(operation.rules),
    }
    bodies = _distinct(variant.body for variant in variants)
    if bodies:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _any_of(bodies)}}}
    if api.versions:
        told["x-openstack-versions"] = [
            dict(zip(("since", "until"), _range(one, api), strict=True)) for one in variants
        ]
        told["description"] = _versions(variants, api)
    if operation.role == PUBLIC:
        told["security"] = []
    return told


def _query(variants: Sequence[Variant], api: Api) -> Iterator[dict[str, Any]]:
    """Give each parameter of any variant once, and say which versions know it."""
    names = dict.fromkeys(name for one in variants for name in (one.query or {}).get("properties", ()))
    for name in names:
        knowing = [one for one in variants if name in (one.query or {}).get("properties", ())]
        schemas = _distinct(_value((one.query or {})["properties"][name]) for one in knowing)
        told: dict[str, Any] = {"name": name, "in": "query", "schema": _any_of(schemas)}
        if any(name in (one.query or {}).get("required", ()) for one in variants):
            told["required"] = True
        about = [str(schema["description"]) for schema in schemas[:1] if "description" in schema]
        if len(knowing) < len(variants):
            about.append(f"Known to {_versions(knowing, api)}")
        if about:
            told["description"] = " ".join(about)
        yield told


def _value(schema: Schema) -> Schema:
    """Give the schema of one value where a parameter comes once; where it may come again, that of them all."""
    return schema["items"] if schema.get("maxItems") == 1 and "items" in schema else schema


def _version_headers(api: Api) -> Iterator[dict[str, Any]]:
    for name in api.asks:
        yield {"$ref": f"#/components/parameters/{name}-{api.name}"}


def _responses(path: str, method: str, operation: Operation, api: Api) -> dict[str, Any]:
    answers = {}
    for status in (operation.status, *operation.also):
        schemas = _distinct(variant.returns or operation.returns for variant in operation.variants)
        answers[str(status)] = _answer(status, schemas, operation.produces, api)
    for status in sorted(_faults(path, method, operation, api)):
        if str(status) not in answers:
            answers[str(status)] = {"$ref": f"#/components/responses/{api.name}-{status}"}
    return answers


def _answer(status: int, schemas: Sequence[Schema], produces: Iterable[str], api: Api) -> dict[str, Any]:
    names = ("X-OpenStack-Request-ID", *api.tells)
    told: dict[str, Any] = {
        "description": {200: "Done.", 201: "Created.", 202: "Taken.", 204: "Done; no body.", 304: "Not modified."}.get(
            status, TITLES.get(status, "Done.")
        ),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if status in (204, 304):
        return told
    content = {media: {"schema": _any_of(schemas)} for media in produces if media == "application/json" and schemas}
    content |= {media: {"schema": {"type": "string"}} for media in produces if media != "application/json"}
    return told | ({"content": content} if content else {})


def _faults(path: str, method: str, operation: Operation, api: Api) -> set[int]:
    found = {400, *operation.faults}
    if operation.role != PUBLIC:
        found |= {401, 403, 503}
    if api.versions:
        found.add(406)
    if "{" in path or any(one.since or one.until for one in operation.variants):
        found.add(404)
    if any(one.body is not None for one in operation.variants):
        found.add(413)
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        found.add(429)
    return found


def _versions(variants: Iterable[Variant], api: Api) -> str:
    ranges = [_range(one, api) for one in variants]
    # What follows without a gap is one range to a reader.
    joined: list[tuple[str, str]] = []
    for since, until in ranges:
        if joined and _minor(joined[-1][1]) + 1 == _minor(since):
            joined[-1] = (joined[-1][0], until)
        else:
            joined.append((since, until))
    return f"versions {', '.join(f'{since} to {until}' for since, until in joined)}."


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _range(variant: Variant, api: Api) -> tuple[str, str]:
    oldest, newest = api.versions or ("", "")
    return str(variant.since or oldest), str(variant.until or newest)


def _distinct(schemas: Iterable[Schema | None]) -> list[Schema]:
    found: list[Schema] = []
    for schema in schemas:
        if schema is not None and schema not in found:
            found.append(schema)
    return found


def _any_of(schemas: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
