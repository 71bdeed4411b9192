# SPDX-License-Identifier: Apache-2.0
"""Lists in pages: ``limit`` and ``marker`` in, the link to the ``next`` page out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlencode

from host_agent.api.errors import BadRequest
from host_agent.api.operation import Call, Schema
from host_agent.api.uuids import canonical_uuid
from host_agent.store import Row

__all__ = ["LIMIT", "MARKER", "page", "page_schema", "query_schema", "wanted_uuid"]

LIMIT: Schema = {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,8}$",
    "description": "rows at most; the server has a limit of its own, which is also the default",
}
MARKER: Schema = {"type": "string", "maxLength": 64, "description": "the uuid of the last row of the page before"}

# What of a URL is itself, RFC 3986, 2.2.
_KEPT = ":/[]@!$&'()*+,;="


def query_schema(**parameters: Schema) -> Schema:
    """Give the schema of a query that takes these parameters, each once, and no other."""
    return {
        "type": "object",
        "properties": {
            name: {"type": "array", "items": parameter, "maxItems": 1} for name, parameter in parameters.items()
        },
        "additionalProperties": False,
    }


def page_schema(name: str, item: Schema) -> Schema:
    """Give the schema of what `page` answers."""
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": item}, "next": {"type": ["string", "null"]}},
        "required": [name, "next"],
        "additionalProperties": False,
    }


def page(
    call: Call,
    name: str,
    read: Callable[[int, str | None], Sequence[Row]],
    view: Callable[[Row], Mapping[str, object]],
) -> Mapping[str, object]:
    """Answer with one page.

    Args:
        call: with ``limit`` and ``marker`` as in the schemas above.
        name: of the list in the answer.
        read: gives so many rows at most, behind that marker.
        view: makes a row what stands in the list.

    Raises:
        BadRequest: the marker is no uuid.
    """
    most = call.settings.api.max_limit
    limit = min(most, int(call.parameter("limit") or most))
    marker = call.parameter("marker")
    # One more than asked for tells whether there are more.
    found = read(limit + 1, None if marker is None else wanted_uuid(marker, "marker"))
    rows = found[:limit]
    following = None
    if len(found) > limit:
        query = {key: values[-1] for key, values in call.query.items()} | {"limit": limit, "marker": rows[-1]["uuid"]}
        # The path has come decoded: a host may have any name.
        following = f"{quote(call.url, safe=_KEPT)}?{urlencode(query)}"
    return {name: [view(row) for row in rows], "next": following}


def wanted_uuid(text: str, what: str) -> str:
    """Give a uuid as the tables have it, whatever form it comes in.

    Raises:
        BadRequest: it is none.
    """
    uuid = canonical_uuid(text)
    if uuid is None:
        raise BadRequest(f"Invalid {what} {text}: not a uuid")
    return uuid
