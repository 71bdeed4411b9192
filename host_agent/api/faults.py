# SPDX-License-Identifier: Apache-2.0
"""The one place where an exception becomes an answer; what nobody foresaw is logged, and tells the client nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import falcon

from host_agent.api.dialect import Dialect
from host_agent.api.endpoint import write
from host_agent.api.errors import (
    RETRY_AFTER,
    ApiError,
    BadRequest,
    Conflict,
    NoSuchRoute,
    NotFound,
    TooLarge,
    Unavailable,
)
from host_agent.errors import (
    AggregateConflict,
    AggregateExists,
    AggregateNotFound,
    GroupNotFound,
    HostNotFound,
    InvalidAggregate,
    InvalidWorkload,
    ServiceInUse,
    ServiceNotFound,
    StoreError,
    UnknownMarker,
)

__all__ = ["Faults"]

LOG = logging.getLogger(__name__)

# What the store raises, where a handler does not know better.
_ANSWERS: tuple[tuple[type[Exception], type[ApiError]], ...] = (
    (AggregateNotFound, NotFound),
    (GroupNotFound, NotFound),
    (HostNotFound, NotFound),
    (ServiceNotFound, NotFound),
    (AggregateExists, Conflict),
    (AggregateConflict, Conflict),
    (ServiceInUse, Conflict),
    (InvalidAggregate, BadRequest),
    (InvalidWorkload, BadRequest),
    (UnknownMarker, BadRequest),
)


class Faults:
    """Gives each exception its answer, in the dialect of the path that was asked for."""

    def __init__(self, dialect_of: Callable[[str], Dialect]) -> None:
        """Prepare.

        Args:
            dialect_of: gives the dialect of a path that is not there.
        """
        self._dialect_of = dialect_of

    def __call__(self, request: falcon.Request, response: falcon.Response, error: Exception, _path: Any) -> None:
        """Answer for an exception."""
        context = request.context
        dialect: Dialect = getattr(context, "dialect", None) or self._dialect_of(request.path)
        if isinstance(error, StoreError):
            # It names the database: that is for the log, in the line of this request.
            context.trouble = str(error)
        known = _known(error, context.request_id)
        if isinstance(known, NoSuchRoute):
            write(response, dialect.no_route(known, context.request_id), known.headers)
            return
        version = getattr(context, "version", None)
        headers = dict(known.headers) | dict(dialect.headers(version) if version is not None else {})
        write(response, dialect.fault(known, context.request_id, version), headers)


def _known(error: Exception, request_id: str) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, StoreError):
        return Unavailable("The database does not answer. Try again later.", headers=RETRY_AFTER)
    for kind, answer in _ANSWERS:
        if isinstance(error, kind):
            return answer(str(error))
    if isinstance(error, falcon.HTTPRouteNotFound):
        return NoSuchRoute()
    if isinstance(error, falcon.HTTPContentTooLarge):
        return TooLarge("The body is larger than this server takes.")
    if isinstance(error, falcon.HTTPError) and 400 <= error.status_code < 500:
        return BadRequest("The request is not understood.")
    LOG.error("%s: unexpected error", request_id, exc_info=error, extra={"request_id": request_id})
    return ApiError("An unexpected error occurred. The log of this server has it under the request's id.")
