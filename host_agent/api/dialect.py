# SPDX-License-Identifier: Apache-2.0
"""What differs between the APIs that are served side by side: versions, their headers, and how a fault looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from host_agent.api.errors import ApiError, NoSuchRoute
from host_agent.api.microversion import Microversion
from host_agent.api.operation import Answer

__all__ = ["Dialect"]


class Dialect(Protocol):
    """One of the APIs."""

    def negotiate(self, headers: Mapping[str, str]) -> Microversion | None:
        """Give the version to answer in.

        Args:
            headers: of the request, by lower-case name.

        Raises:
            BadRequest: what was asked for is no version.
            NotAcceptable: it is one that is not served.
        """

    def headers(self, version: Microversion | None) -> Mapping[str, str]:
        """Give the headers that tell the version of an answer."""

    def fault(self, error: ApiError, request_id: str, version: Microversion | None) -> Answer:
        """Give the answer for an error."""

    def missing(self, version: Microversion | None) -> ApiError:
        """Give the error for an operation that this version does not have."""

    def no_route(self, error: NoSuchRoute, request_id: str) -> Answer:
        """Give the answer for a path or a method that is not there."""
