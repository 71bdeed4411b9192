# SPDX-License-Identifier: Apache-2.0
"""The document as one page of HTML: no script and nothing from elsewhere, so it works offline and cannot be abused."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

__all__ = ["CONTENT_SECURITY_POLICY", "other_form", "page"]

# HEAD is GET without the body.
_METHODS = ("get", "put", "post", "patch", "delete")

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem 1rem; margin: 1rem 0; }
h3 { font: 600 1rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; margin: .5rem 0; }
h3 a, nav a { color: inherit; text-decoration: none; }
h3 a:hover, nav a:hover { text-decoration: underline; }
.method { display: inline-block; min-width: 4.5rem; }
.get { color: light-dark(#0b6bb8, #6db8f2); }
.put, .patch { color: light-dark(#8a5a00, #e5b567); }
.post { color: light-dark(#1a7f37, #6fd08c); }
.delete { color: light-dark(#b42318, #f28b82); }
.needs { color: color-mix(in srgb, currentColor 65%, transparent); font-size: .875rem; }
nav ul { list-style: none; padding: 0; columns: 2 24rem; font: .875rem/1.6 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
td, th { text-align: left; vertical-align: top; padding: .25rem .5rem .25rem 0; border-top: 1px solid var(--line); }
pre { overflow-x: auto; font-size: .8125rem; }
summary { cursor: pointer; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(document: Mapping[str, Any]) -> str:
    """Give the page of an OpenAPI document."""
    return "".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    title = escape(f"{document['info']['title']} {document['info']['version']}: the API")
    yield f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>'
    yield f"<h1>{title}</h1>\n<p>{escape(document['info']['description'])}</p>"
    yield '\n<p>For programs: <a href="openapi.json">openapi.json</a>.</p>'
    operations = list(_operations(document))
    yield from _contents(document, operations)
    for tag in document["tags"]:
        yield f"\n<h2>{escape(tag['name'])}</h2>\n<p>{escape(tag['description'])}</p>"
        for path, method, operation in operations:
            if tag["name"] in operation["tags"]:
                yield from _operation(document, path, method, operation)
    yield "\n</body></html>\n"


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    paths = document["paths"]
    for path, item in paths.items():
        if other_form(path) in paths:
            continue
        for method in _METHODS:
            if method in item:
                operation = item[method]
                yield path, method, operation | {"parameters": [*item.get("parameters", ()), *operation["parameters"]]}


def other_form(path: str) -> str | None:
    """Give the path under which one is told that has a project in it, a slash at its end, or no version before it."""
    short = path.replace("/{project_id}", "", 1).rstrip("/") or "/"
    if short.startswith("/hosts"):
        short = f"/v1{short}"
    return None if short == path else short


def _contents(document: Mapping[str, Any], operations: list[tuple[str, str, Mapping[str, Any]]]) -> Iterator[str]:
    yield "\n<nav><ul>"
    for path, method, operation in operations:
        link = f"#{escape(operation['operationId'])}"
        yield f'\n<li><a href="{link}"><b class="method {method}">{method.upper()}</b> {escape(path)}</a></li>'
    yield "\n</ul></nav>"
    if any("{project_id}" in path for path in document["paths"]):
        yield "\n<p>Each path of Nova's may have a project before it: <code>/v2.1/{project_id}/…</code>.</p>"


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    name = escape(operation["operationId"])
    yield f'\n<section id="{name}"><h3><a href="#{name}"><span class="method {method}">{method.upper()}</span> '
    yield f"{escape(path)}</a></h3>\n<p>{escape(operation['summary'])}</p>"
    needs = "anybody" if "security" in operation else operation["x-os-capability-role"]
    told = f"For {needs}; policy {operation['x-os-capability-policy']}; {operation.get('description', '')}"
    yield f'\n<p class="needs">{escape(told.rstrip("; "))}</p>'
    yield from _parameters(document, operation["parameters"])
    if "requestBody" in operation:
        yield from _schema("Body", operation["requestBody"]["content"])
    for status, answer in operation["responses"].items():
        if "content" in answer:
            yield from _schema(f"{status}: {answer['description']}", answer["content"])
    faults = ", ".join(status for status, answer in operation["responses"].items() if "$ref" in answer)
    yield f'\n<p class="needs">Errors: {faults}</p></section>'


def _parameters(document: Mapping[str, Any], parameters: list[Mapping[str, Any]]) -> Iterator[str]:
    if not parameters:
        return
    yield "\n<table><tr><th>parameter</th><th>in</th><th>what</th></tr>"
    for parameter in parameters:
        if "$ref" in parameter:
            parameter = document["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        about = " ".join(filter(None, (parameter.get("description"), _values(parameter["schema"]))))
        yield f"\n<tr><td><code>{escape(parameter['name'])}</code></td><td>{parameter['in']}</td>"
        yield f"<td>{escape(about)}</td></tr>"
    yield "\n</table>"


def _values(schema: Mapping[str, Any]) -> str:
    """Say shortly what a parameter may be."""
    if "anyOf" in schema:
        return "; or ".join(filter(None, map(_values, schema["anyOf"])))
    if "enum" in schema:
        return f"One of {', '.join(map(str, schema['enum']))}."
    if "pattern" in schema:
        return f"Matches {schema['pattern']}"
    return "May come several times." if schema.get("type") == "array" else ""


def _schema(title: str, content: Mapping[str, Any]) -> Iterator[str]:
    for media, told in content.items():
        text = json.dumps(told["schema"], indent=2, ensure_ascii=False)
        yield f"\n<details><summary>{escape(title)} <code>{media}</code></summary><pre>{escape(text)}</pre></details>"
