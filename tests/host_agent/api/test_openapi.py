# SPDX-License-Identifier: Apache-2.0
"""The description of the API is valid, tells all that is served, and may be shown to anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from falcon import testing
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from host_agent.api.openapi.document import document
from host_agent.api.openapi.operations import operation_id, template
from host_agent.api.openapi.page import other_form
from host_agent.api.operation import PUBLIC, Operation
from host_agent.api.routes import ROUTES, Route
from host_agent.settings import Settings
from host_agent.store.engine import Engine
from tests.host_agent.api.conftest import client

SERVED = [(route, method, operation) for route in ROUTES for method, operation in route.operations.items()]
NAMES = [f"{method} {route.path}" for route, method, _ in SERVED]
each_operation = pytest.mark.parametrize(("route", "method", "operation"), SERVED, ids=NAMES)


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(ROUTES, "token")


def test_it_is_served_to_anybody_and_valid(api: testing.TestClient) -> None:
    served = api.simulate_get("/openapi.json")

    assert (served.status_code, served.headers["content-type"]) == (200, "application/json")
    assert served.json["openapi"] == "3.1.0"
    # With a project before it a path has the same operations, and each takes its time.
    paths = {path: item for path, item in served.json["paths"].items() if "{project_id}" not in path}
    validate({**served.json, "paths": paths})


@pytest.mark.parametrize(
    ("auth", "schemes"), [("none", []), ("token", [{"token": []}, {"bearer": []}]), ("keystone", [{"token": []}])]
)
def test_it_says_how_to_say_who_one_is(
    fleet: Engine, settings: Settings, auth: str, schemes: list[dict[str, list[str]]]
) -> None:
    served = client(fleet, replace(settings, api=replace(settings.api, auth=auth))).simulate_get("/openapi.json")

    assert served.json["security"] == schemes
    assert {name for one in schemes for name in one} <= set(served.json["components"]["securitySchemes"])


def test_every_route_is_there_and_no_other(described: dict[str, Any]) -> None:
    told = {
        (path, method.upper())
        for path, item in described["paths"].items()
        for method in item
        if method not in ("parameters",)
    }
    assert told == {(template(route.path), method) for route, method, _ in SERVED}


def test_ids_come_once(described: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(described)]
    assert len(ids) == len(set(ids)) == len(SERVED)


@each_operation
def test_an_operation_says_what_it_takes_and_what_it_gives(
    described: dict[str, Any], route: Route, method: str, operation: Operation
) -> None:
    told = described["paths"][template(route.path)][method.lower()]

    queries = {one["name"] for one in told["parameters"] if one.get("in") == "query"}
    known = {name for one in operation.variants for name in (one.query or {}).get("properties", ())}
    assert queries == known
    assert ("requestBody" in told) == any(one.body is not None for one in operation.variants)
    assert ("security" in told) == (operation.role == PUBLIC)
    assert told["summary"].endswith(".")
    for status in (operation.status, *operation.also, *operation.faults):
        assert str(status) in told["responses"]
    for schema in schemas(told["responses"]):
        Draft202012Validator.check_schema(schema)


@each_operation
def test_its_versions_leave_no_doubt(route: Route, method: str, operation: Operation) -> None:
    """One variant at most serves a version, and they come oldest first."""
    untils = [one.until for one in operation.variants]
    sinces = [one.since for one in operation.variants]
    for until, since in zip(untils, sinces[1:], strict=False):
        assert until is not None
        assert since is not None
        assert until < since


def test_variants_that_differ_are_all_told(described: dict[str, Any]) -> None:
    zones = described["paths"]["/v2.1/os-availability-zone"]["get"]
    assert zones["x-openstack-versions"] == [
        {"since": "2.1", "until": "2.101"},
        {"since": "2.102", "until": "2.104"},
    ]
    assert zones["description"] == "versions 2.1 to 2.104."
    headers = [one["$ref"].rpartition("/")[2] for one in zones["parameters"] if "$ref" in one]
    assert headers == ["OpenStack-API-Version-Nova", "X-OpenStack-Nova-API-Version-Nova"]


def test_the_page_is_served_to_anybody_and_runs_nothing(api: testing.TestClient) -> None:
    page = api.simulate_get("/docs")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in page.text
    assert re.findall(r"(?:src|href)=\"(?!#)([^\"]*)", page.text) == ["openapi.json"], "nothing comes from elsewhere"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_has_every_path_once(api: testing.TestClient) -> None:
    page = api.simulate_get("/docs").text
    shown = re.findall(r'<section id="(\w+)">', page)
    assert len(shown) == len(set(shown))
    paths = {route.path for route in ROUTES}
    expected = {
        operation_id(template(route.path), method)
        for route, method, _ in SERVED
        if method != "HEAD" and other_form(route.path) not in paths
    }
    assert set(shown) == expected


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, operation


def schemas(responses: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for answer in responses.values():
        for content in answer.get("content", {}).values():
            yield content["schema"]
