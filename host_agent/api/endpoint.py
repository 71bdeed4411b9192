# SPDX-License-Identifier: Apache-2.0
"""One path of the API for Falcon: who asks, in which version, may he, does it fit; then its handler answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import falcon
import msgspec

from host_agent.api.dialect import Dialect
from host_agent.api.errors import BadRequest, Forbidden, NoSuchRoute, NotFound, TooLarge
from host_agent.api.identity import Authenticator, Identity
from host_agent.api.limits import WRITES, WriteLimit
from host_agent.api.operation import PUBLIC, Answer, Call, Operation, Variant
from host_agent.api.request_counts import Counted
from host_agent.api.validation import decoded, validate_body, validate_query
from host_agent.settings import Settings
from host_agent.store.engine import Engine

__all__ = ["Endpoint", "Service", "write"]

_NOBODY = Identity(name="nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What every endpoint works with."""

    engine: Engine
    settings: Settings
    authenticator: Authenticator
    requests: Iterable[Counted] = ()
    writes: WriteLimit = field(default_factory=WriteLimit)


class Endpoint:
    """The operations of one path, by their method."""

    def __init__(self, service: Service, dialect: Dialect, operations: Mapping[str, Operation]) -> None:
        self._service = service
        self._dialect = dialect
        self._operations = operations

    def on_get(self, request: falcon.Request, response: falcon.Response, **path: str) -> None:
        """Answer."""
        context = request.context
        context.dialect = self._dialect
        operation = self._operations.get(request.method)
        if operation is None or "" in path.values():
            # Falcon takes the nothing after a last slash for a part of the path.
            raise NoSuchRoute(() if operation else tuple(sorted(self._operations)))
        context.operation = operation
        identity = self._identify(request, operation)
        version = context.version = self._dialect.negotiate(_headers(request))
        variant = operation.variant(version)
        if variant is None:
            raise self._dialect.missing(version)
        self._admit(request, identity, operation)
        call = self._call(request, variant, identity, path)
        if not isinstance(operation.rule, str):
            for action in operation.rule.keys() & call.body:
                self._permit(identity, operation.role, operation.rule[action])
        write(response, _answer(variant.handler(call), operation), self._dialect.headers(version))

    on_head = on_post = on_put = on_delete = on_patch = on_options = on_trace = on_connect = on_get

    def _identify(self, request: falcon.Request, operation: Operation) -> Identity:
        authenticator = self._service.authenticator
        authenticator.admit(request.env)
        if operation.role == PUBLIC:
            return _NOBODY
        # Known from here on, to the log of what is refused as well.
        identity: Identity = authenticator.identify(request.env)
        request.context.identity = identity
        return identity

    def _admit(self, request: falcon.Request, identity: Identity, operation: Operation) -> None:
        """Refuse whoever may not, before his body is read."""
        if operation.role == PUBLIC:
            return
        # Of several policies only the body tells which one it is; whom none of them lets need not send it.
        self._permit(identity, operation.role, *operation.rules)
        if request.method in WRITES:
            self._service.writes.admit(identity.key or str(request.remote_addr))

    def _permit(self, identity: Identity, role: str, *rules: str) -> None:
        permits = self._service.authenticator.permits
        if not any(permits(identity, rule=rule, role=role) for rule in rules):
            raise Forbidden(f"Policy doesn't allow {' or '.join(rules)} to be performed.")

    def _call(self, request: falcon.Request, variant: Variant, identity: Identity, path: Mapping[str, str]) -> Call:
        if _has_nul(path.values()):
            raise NotFound("The resource could not be found.")
        query = _query(request)
        if variant.query is not None:
            validate_query(query, variant.query)
        body = None
        if variant.body is not None:
            body = decoded(_read(request, self._service.settings.api.max_body_bytes))
            validate_body(body, variant.body)
        # Without a Host, as in HTTP/1.0, links are to paths alone.
        root_url = self._service.settings.api.public_url or (request.prefix if request.netloc else "")
        return Call(
            engine=self._service.engine,
            settings=self._service.settings,
            identity=identity,
            request_id=request.context.request_id,
            version=request.context.version,
            path=path,
            query=query,
            headers=_headers(request),
            body=body,
            url=root_url + request.path,
            root_url=root_url,
            requests=self._service.requests,
        )


def write(response: falcon.Response, answer: Answer, headers: Mapping[str, str]) -> None:
    """Make an answer Falcon's."""
    response.status = falcon.code_to_http_status(answer.status or 200)
    if answer.body is None:
        response.data = b""
    else:
        response.data = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
        response.content_type = answer.content_type
    for name, value in (*headers.items(), *answer.headers.items()):
        response.append_header(name, value)


def _answer(given: object, operation: Operation) -> Answer:
    answer = given if isinstance(given, Answer) else Answer(body=given)
    if answer.status is not None:
        return answer
    return Answer(body=answer.body, status=operation.status, content_type=answer.content_type, headers=answer.headers)


def _headers(request: falcon.Request) -> Mapping[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _query(request: falcon.Request) -> dict[str, list[str]]:
    try:
        query = parse_qs(request.query_string, keep_blank_values=True, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError):
        raise BadRequest("The query is not URL-encoded UTF-8 text, or has too many parameters.") from None
    if _has_nul(value for name, values in query.items() for value in (name, *values)):
        raise BadRequest("The query has a NUL in it.")
    return query


def _has_nul(texts: Iterable[object]) -> bool:
    """Tell whether there is what nothing has in its name, and what PostgreSQL takes in no text."""
    return any("\0" in str(text) for text in texts)


def _read(request: falcon.Request, most_bytes: int) -> bytes:
    # A body in chunks tells no length; a server that ends the stream where the body ends says so.
    stream: Any = request.stream if request.env.get("wsgi.input_terminated") else request.bounded_stream
    body: bytes = stream.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise TooLarge(f"The body is larger than {most_bytes} bytes.")
    return body
