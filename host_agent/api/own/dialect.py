# SPDX-License-Identifier: Apache-2.0
"""Our own API: one version in the path, and faults that say what to do."""

from __future__ import annotations

from collections.abc import Mapping

from host_agent.api.errors import ApiError, MethodNotAllowed, NoSuchRoute, NotFound
from host_agent.api.microversion import Microversion
from host_agent.api.operation import Answer

__all__ = ["OwnDialect"]


class OwnDialect:
    """``/v1``, and what needs no version at all."""

    def negotiate(self, headers: Mapping[str, str]) -> Microversion | None:
        """Give none: the path has it."""
        return None

    def headers(self, version: Microversion | None) -> Mapping[str, str]:
        """Give none."""
        return {}

    def fault(self, error: ApiError, request_id: str, version: Microversion | None) -> Answer:
        """Give the answer for an error: ``{"error": {"code", "title", "message", "request_id"}}``."""
        told = {"code": error.status, "title": error.title, "message": str(error), "request_id": request_id}
        return Answer(body={"error": told}, status=error.status)

    def missing(self, version: Microversion | None) -> ApiError:
        """Give the error for an operation that this version does not have."""
        return NotFound("The resource could not be found.")

    def no_route(self, error: NoSuchRoute, request_id: str) -> Answer:
        """Give the answer for a path or a method that is not there."""
        if not error.allowed:
            return self.fault(error, request_id, None)
        allowed = ", ".join(error.allowed)
        answer = self.fault(MethodNotAllowed(f"This path knows {allowed} alone."), request_id, None)
        return Answer(body=answer.body, status=answer.status, headers={"Allow": allowed})
