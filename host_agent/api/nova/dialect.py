# SPDX-License-Identifier: Apache-2.0
"""Nova's versions and faults (Nova's api-guide: microversions, faults)."""

from __future__ import annotations

from collections.abc import Mapping

from host_agent.api.errors import ApiError, BadRequest, NoSuchRoute, NotAcceptable, NotFound
from host_agent.api.microversion import Microversion
from host_agent.api.operation import Answer

__all__ = ["NEWEST", "OLDEST", "NovaDialect"]

OLDEST, NEWEST = Microversion(2, 1), Microversion(2, 104)

_HEADER, _LEGACY_HEADER = "OpenStack-API-Version", "X-OpenStack-Nova-API-Version"
_SERVICE = "compute"

_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_ELSE = "computeFault"

# Clients tell a path that is not there from a thing that is not there by this.
_NO_ROUTE = b"""<html>
 <head>
  <title>404 Not Found</title>
 </head>
 <body>
  <h1>404 Not Found</h1>
  The resource could not be found.<br /><br />



 </body>
</html>"""


class NovaDialect:
    """Nova's API, `OLDEST` to `NEWEST`."""

    def negotiate(self, headers: Mapping[str, str]) -> Microversion | None:
        """Give the version to answer in, see `Dialect`: the new header wins over the old one."""
        asked = _asked(headers)
        if asked is None:
            return OLDEST
        if asked == "latest":
            return NEWEST
        try:
            version = Microversion.parse(asked)
        except ValueError:
            raise BadRequest(
                f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
            ) from None
        if not OLDEST <= version <= NEWEST:
            raise NotAcceptable(
                f"Version {version} is not supported by the API. Minimum is {OLDEST} and maximum is {NEWEST}.",
                headers=self.headers(version),
            )
        return version

    def headers(self, version: Microversion | None) -> Mapping[str, str]:
        """Give the headers that tell the version of an answer."""
        return {
            _HEADER: f"{_SERVICE} {version}",
            _LEGACY_HEADER: str(version),
            "Vary": f"{_HEADER}, {_LEGACY_HEADER}",
        }

    def fault(self, error: ApiError, request_id: str, version: Microversion | None) -> Answer:
        """Give the answer for an error."""
        if error.status == 401:
            # That of keystonemiddleware, which stands before Nova.
            body: dict[str, object] = {"error": {"code": 401, "title": error.title, "message": str(error)}}
        else:
            body = {_FAULTS.get(error.status, _ELSE): {"code": error.status, "message": str(error)}}
        return Answer(body=body, status=error.status)

    def missing(self, version: Microversion | None) -> ApiError:
        """Give the error for an operation that this version does not have."""
        return NotFound("The resource could not be found.")

    def no_route(self, error: NoSuchRoute, request_id: str) -> Answer:
        """Give the answer for a path or a method that is not there: no JSON, with Nova."""
        return Answer(body=_NO_ROUTE, status=404, content_type="text/html; charset=UTF-8")


def _asked(headers: Mapping[str, str]) -> str | None:
    """Give the version that the headers ask for; of several for this service, the last."""
    asked = None
    for part in headers.get(_HEADER.lower(), "").split(","):
        service, _, version = part.strip().partition(" ")
        if service == _SERVICE and version:
            asked = version.strip()
    return asked or headers.get(_LEGACY_HEADER.lower(), "").strip() or None
