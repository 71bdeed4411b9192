# SPDX-License-Identifier: Apache-2.0
"""Questions to ``os-hypervisors``, and what is looked at of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from falcon import testing

__all__ = ["HYPERVISORS", "ask", "ids", "told"]

HYPERVISORS = "/v2.1/os-hypervisors"


def ask(api: testing.TestClient, path: str = "", version: str = "2.1", **query: object) -> testing.Result:
    headers = {"X-OpenStack-Nova-API-Version": version}
    return api.simulate_get(f"{HYPERVISORS}{path}", headers=headers, params=query)


def told(api: testing.TestClient, path: str = "", version: str = "2.1", **query: object) -> Any:
    """Give the body of an answer that has one."""
    answer = ask(api, path, version, **query)
    assert answer.status_code == 200, answer.text
    return answer.json


def ids(body: Mapping[str, Any]) -> list[object]:
    return [host["id"] for host in body["hypervisors"]]
