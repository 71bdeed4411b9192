# SPDX-License-Identifier: Apache-2.0
"""``/v1/hosts/{host}/document``: all that a host has told of itself, as it was stored."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from host_agent.api.errors import NotFound
from host_agent.api.operation import READER, Answer, Call, Operation, Schema, Variant
from host_agent.api.own.hosts import one_host
from host_agent.api.own.paging import query_schema
from host_agent.api.own.times import time_text
from host_agent.liveness import state

__all__ = ["SHOW"]

_NOT_MODIFIED = 304
# Facts older than so many full intervals are stale.
_STALE_INTERVALS = 3


def _show(call: Call) -> Answer:
    name = call.path["host"]
    row = one_host(call, name, ("facts", "facts_at", "facts_digest"))
    facts, facts_at = row["facts"], row["facts_at"]
    if not isinstance(facts, str):
        raise NotFound(f"The host {name} has not told its facts yet")
    agent = call.settings.agent
    headers = {
        # A cache between knows nothing of X-Auth-Token, and keeps for a while what has a Last-Modified.
        "Cache-Control": "private, no-cache",
        # Weak: what moves by itself does not count in the digest.
        "ETag": f'W/"{row["facts_digest"]}"',
        "OS-Capability-Host-State": state(
            row,
            down_after_seconds=agent.down_after,
            stale_after_seconds=_STALE_INTERVALS * agent.full_interval,
        ),
    }
    if isinstance(facts_at, datetime):
        headers["Last-Modified"] = format_datetime(facts_at, usegmt=True)
    if (reported := time_text(row["updated_at"])) is not None:
        headers["OS-Capability-Reported-At"] = reported
    if _has(call.headers.get("if-none-match", ""), str(row["facts_digest"])):
        return Answer(status=_NOT_MODIFIED, headers=headers)
    return Answer(body=facts.encode(), headers=headers)


def _has(if_none_match: str, digest: str) -> bool:
    """Tell whether the client has what carries this digest (RFC 9110, 13.1.2: compared weakly)."""
    tags = (tag.strip() for tag in if_none_match.split(","))
    return any(tag == "*" or tag.removeprefix("W/") == f'"{digest}"' for tag in tags)


_DOCUMENT: Schema = {
    "type": "object",
    "description": "the document os-capability/1",
    "properties": {"schema": {"type": "string"}},
    "required": ["schema"],
}

SHOW = Operation(
    "Show the whole document of a host.",
    (Variant(_show, query=query_schema()),),
    rule="os_capability:hosts:document",
    role=READER,
    returns=_DOCUMENT,
    also=(_NOT_MODIFIED,),
    faults=(404, 409),
)
