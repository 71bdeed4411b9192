# SPDX-License-Identifier: Apache-2.0
"""Zun's versions and faults (Zun's api-ref, rest_api_version_history)."""

from __future__ import annotations

from collections.abc import Mapping

from host_agent.api.errors import ApiError, BadRequest, NoSuchRoute, NotAcceptable
from host_agent.api.microversion import Microversion
from host_agent.api.operation import Answer

__all__ = ["NEWEST", "OLDEST", "InvalidParameterValue", "ZunDialect", "is_asked_for"]

OLDEST, NEWEST = Microversion(1, 1), Microversion(1, 40)

_HEADER = "OpenStack-API-Version"
_SERVICE = "container"

# Zun names a fault after the exception behind it.
_CODES = {
    400: "invalid-value",
    401: "unauthorized",
    403: "policy-not-authorized",
    404: "compute-node-not-found",
    406: "microversion-unsupported",
    429: "too-many-requests",
    503: "service-unavailable",
}
_ELSE = "server-error"


class InvalidParameterValue(BadRequest):
    """A parameter names something that there is not: Zun tells it from one that has the wrong form."""


class ZunDialect:
    """The part of Zun's API that is about hosts, `OLDEST` to `NEWEST`."""

    def negotiate(self, headers: Mapping[str, str]) -> Microversion | None:
        """Give the version to answer in, see `Dialect`: without a header the newest, as the oldest had no hosts."""
        header = headers.get(_HEADER.lower())
        if header is None:
            return NEWEST
        asked = _asked(header)
        if asked is None:
            raise NotAcceptable(f"Invalid service type for {_HEADER} header", headers=self.headers(NEWEST))
        if asked.lower() == "latest":
            return NEWEST
        try:
            version = Microversion.parse(asked)
        except ValueError:
            raise NotAcceptable(f"Invalid value for {_HEADER} header", headers=self.headers(NEWEST)) from None
        served = f"The supported version range is: [{_SERVICE} {OLDEST}, {_SERVICE} {NEWEST}]."
        if version.major != OLDEST.major:
            raise NotAcceptable(
                f"Mutually exclusive versions requested. Version {version} requested but not supported by this "
                f"service. {served}",
                headers=self.headers(version),
            )
        if not OLDEST <= version <= NEWEST:
            raise NotAcceptable(
                f"Version {version} was requested but the minor version is not supported by this service. {served}",
                headers=self.headers(version),
            )
        return version

    def headers(self, version: Microversion | None) -> Mapping[str, str]:
        """Give the headers that tell the version of an answer, and those there are."""
        return {
            "OpenStack-API-Minimum-Version": f"{_SERVICE} {OLDEST}",
            "OpenStack-API-Maximum-Version": f"{_SERVICE} {NEWEST}",
            _HEADER: f"{_SERVICE} {version}",
            "Vary": _HEADER,
        }

    def fault(self, error: ApiError, request_id: str, version: Microversion | None) -> Answer:
        """Give the answer for an error: one in a list of errors."""
        is_named = isinstance(error, InvalidParameterValue)
        code = "invalid-parameter-value" if is_named else _CODES.get(error.status, _ELSE)
        return _fault(error.status, code, str(error), request_id)

    def missing(self, version: Microversion | None) -> ApiError:
        """Give the error for an operation that this version does not have."""
        return NotAcceptable(
            f"Version {version} was requested but the requested API is not supported for this version."
        )

    def no_route(self, error: NoSuchRoute, request_id: str) -> Answer:
        """Give the answer for a path or a method that is not there."""
        if not error.allowed:
            return _fault(404, "not-found", str(error), request_id)
        answer = _fault(405, "method-not-allowed", "The method is not allowed for this resource.", request_id)
        return Answer(body=answer.body, status=answer.status, headers={"Allow": ", ".join(error.allowed)})


def is_asked_for(headers: Mapping[str, str]) -> bool:
    """Tell whether the headers of a request, by lower-case name, ask for a version of Zun."""
    return _asked(headers.get(_HEADER.lower(), "")) is not None


def _fault(status: int, code: str, text: str, request_id: str) -> Answer:
    told = {
        "request_id": request_id,
        "code": f"{_SERVICE}.{code}",
        "status": status,
        "title": text,
        "detail": text,
        "links": [],
    }
    return Answer(body={"errors": [told]}, status=status)


def _asked(header: str) -> str | None:
    """Give the version that the header asks for; of several for this service, the last."""
    asked = None
    for part in header.split(","):
        service, _, version = part.strip().partition(" ")
        if service == _SERVICE:
            asked = version.strip()
    return asked
