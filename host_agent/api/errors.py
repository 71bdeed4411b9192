# SPDX-License-Identifier: Apache-2.0
"""What a request can be answered with instead of what it asked for; `faults` gives each its wire form."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "RETRY_AFTER",
    "ApiError",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "MethodNotAllowed",
    "NoSuchRoute",
    "NotAcceptable",
    "NotFound",
    "NotImplementedHere",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
]


# Of what may work soon.
RETRY_AFTER = {"Retry-After": "5"}


class ApiError(Exception):
    """Base of them all; the text is for the client: no path, no SQL, no secret.

    Attributes:
        status: of the answer.
        title: what HTTP calls it.
        headers: besides those that every answer has.
    """

    status = 500
    title = "Internal Server Error"

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers or {}


class BadRequest(ApiError):
    """The request itself is wrong: says what, and what is allowed."""

    status, title = 400, "Bad Request"


class Unauthorized(ApiError):
    """Nobody knows who asks."""

    status, title = 401, "Unauthorized"


class Forbidden(ApiError):
    """Who asks may not."""

    status, title = 403, "Forbidden"


class NotFound(ApiError):
    """There is nothing of that name."""

    status, title = 404, "Not Found"


class NoSuchRoute(ApiError):
    """No such path, or the path does not know the method.

    Attributes:
        allowed: the methods that the path knows; empty where there is no such path.
    """

    status, title = 404, "Not Found"

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        super().__init__("The resource could not be found.")
        self.allowed = allowed


class MethodNotAllowed(ApiError):
    """The path is there and does not know the method."""

    status, title = 405, "Method Not Allowed"


class NotAcceptable(ApiError):
    """The version that was asked for is not served."""

    status, title = 406, "Not Acceptable"


class Conflict(ApiError):
    """It cannot be done as things stand."""

    status, title = 409, "Conflict"


class TooLarge(ApiError):
    """The body is larger than this server takes."""

    status, title = 413, "Content Too Large"


class TooManyRequests(ApiError):
    """The client asks faster than it may."""

    status, title = 429, "Too Many Requests"


class NotImplementedHere(ApiError):
    """It belongs to the API, and this server does not do it."""

    status, title = 501, "Not Implemented"


class Unavailable(ApiError):
    """The database does not answer; the same request may work soon."""

    status, title = 503, "Service Unavailable"
