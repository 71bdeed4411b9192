# SPDX-License-Identifier: Apache-2.0
"""Requests to Nova's API, and its faults."""

from __future__ import annotations

from typing import Any

from falcon import testing
from jsonschema import Draft202012Validator, FormatChecker

from host_agent.api.microversion import Microversion
from host_agent.api.operation import Operation

__all__ = ["FAULTS", "ask", "fault", "fits"]

FAULTS = {400: "badRequest", 404: "itemNotFound", 409: "conflictingRequest", 501: "notImplemented"}


def ask(api: testing.TestClient, method: str, path: str, version: str = "2.104", body: object = None) -> testing.Result:
    """Send a request to a path below ``/v2.1``, which may have a query."""
    headers = {"X-OpenStack-Nova-API-Version": version}
    path, _, query = path.partition("?")
    sent: dict[str, Any] = {} if body is None else {"json": body}
    return api.simulate_request(method, f"/v2.1{path}", query_string=query, headers=headers, **sent)


def fault(answer: testing.Result) -> tuple[int, str]:
    """Give the status and the message of a fault."""
    (told,) = answer.json.items()
    assert told[0] == FAULTS[answer.status_code]
    assert told[1]["code"] == answer.status_code
    return answer.status_code, told[1]["message"]


def fits(answer: testing.Result, operation: Operation, version: str) -> Any:
    """Give the body of an answer that fits the schema which its operation has for the version."""
    assert answer.status_code == operation.status, answer.text
    variant = operation.variant(Microversion.parse(version))
    assert variant is not None
    assert variant.returns is not None
    Draft202012Validator(variant.returns, format_checker=FormatChecker()).validate(answer.json)
    return answer.json
