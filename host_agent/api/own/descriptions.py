# SPDX-License-Identifier: Apache-2.0
"""``/openapi.json`` and ``/docs``: the API as programs and as people read it."""

from __future__ import annotations

from functools import cache

import msgspec

from host_agent.api.openapi.document import document
from host_agent.api.openapi.page import CONTENT_SECURITY_POLICY, page
from host_agent.api.operation import PUBLIC, Answer, Call, Operation, Variant

__all__ = ["DOCUMENT", "PAGE"]


def _document(call: Call) -> object:
    return Answer(body=_json(call.settings.api.auth), headers={"Cache-Control": "no-cache"})


def _page(call: Call) -> object:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(body=_html(call.settings.api.auth), content_type="text/html; charset=utf-8", headers=headers)


@cache
def _json(auth: str) -> bytes:
    # The table has these operations in it.
    from host_agent.api.routes import ROUTES

    return msgspec.json.encode(document(ROUTES, auth))


@cache
def _html(auth: str) -> bytes:
    return page(msgspec.json.decode(_json(auth))).encode()


DOCUMENT = Operation(
    "Describe this API, as OpenAPI 3.1.",
    (Variant(_document),),
    rule="os_capability:openapi",
    role=PUBLIC,
    returns={"type": "object", "required": ["openapi", "info", "paths"]},
)

PAGE = Operation(
    "Describe this API for people.",
    (Variant(_page),),
    rule="os_capability:openapi",
    role=PUBLIC,
    produces=("text/html",),
)
