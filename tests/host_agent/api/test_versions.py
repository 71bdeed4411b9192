# SPDX-License-Identifier: Apache-2.0
"""What clients ask first."""

from __future__ import annotations

from typing import Any

import pytest
from falcon import testing
from jsonschema import validate

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.errors import Unauthorized
from host_agent.api.identity import Identity
from host_agent.api.routes import ROUTES
from host_agent.api.wsgi import build
from host_agent.settings import Settings
from host_agent.store.engine import Engine

# As Zun's client 5.5 sends it; Nova's and the SDK send none, or one for compute.
OF_ZUN = {"OpenStack-API-Version": "container 1.1"}


def root(api: testing.TestClient, **options: Any) -> Any:
    return api.simulate_get("/", **options).json


def test_the_root_names_both_versions(api: testing.TestClient) -> None:
    versions = root(api)["versions"]

    assert [(one["id"], one["status"], one["min_version"], one["version"]) for one in versions] == [
        ("v2.1", "CURRENT", "2.1", "2.104"),
        ("v1", "CURRENT", "1.1", "1.40"),
    ]


def test_the_root_has_for_nova_what_its_schema_allows_alone(api: testing.TestClient) -> None:
    body = root(api)

    assert set(body) == {"versions"}
    for one in body["versions"]:
        assert set(one) == {"id", "status", "version", "min_version", "updated", "links"}


def test_zuns_client_finds_its_version_first_and_its_range(api: testing.TestClient) -> None:
    body = root(api, headers=OF_ZUN)

    first = body["versions"][0]
    assert (first["id"], first["status"], first["min_version"], first["max_version"]) == (
        "v1",
        "CURRENT",
        "1.1",
        "1.40",
    )
    assert body["default_version"] == first
    assert [one["id"] for one in body["versions"]] == ["v1", "v2.1"]


def test_caches_are_told_that_the_two_differ(api: testing.TestClient) -> None:
    assert [api.simulate_get("/", headers=headers).headers["vary"] for headers in ({}, OF_ZUN)] == [
        "OpenStack-API-Version"
    ] * 2


@pytest.mark.parametrize("path", ["/v2.1", "/v2.1/"])
def test_the_version_of_compute_is_there_with_and_without_the_slash(api: testing.TestClient, path: str) -> None:
    version = api.simulate_get(path).json["version"]

    assert {name: version[name] for name in ("id", "status", "version", "min_version")} == {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.104",
        "min_version": "2.1",
    }
    assert version["media-types"] == [
        {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
    ]


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_the_version_of_ours_is_there_with_and_without_the_slash(api: testing.TestClient, path: str) -> None:
    body = api.simulate_get(path).json

    assert body["id"] == body["version"]["id"] == "v1"
    assert body["hosts"][0] == {"rel": "self", "href": "http://falconframework.org/v1/hosts/"}


@pytest.mark.parametrize("path", ["/v3", "/v2"])
def test_another_version_is_answered_with_the_choice_there_is(api: testing.TestClient, path: str) -> None:
    answer = api.simulate_get(path)

    assert answer.status_code == 300
    assert [choice["id"] for choice in answer.json["choices"]] == ["v2.1"]


def test_what_is_no_version_is_not_found(api: testing.TestClient) -> None:
    assert api.simulate_get("/vision").status_code == 404


@pytest.mark.parametrize(("path", "members"), [("/", "versions"), ("/v2.1/", "version")])
def test_links_lead_to_where_the_client_came_from(api: testing.TestClient, path: str, members: str) -> None:
    found = api.simulate_get(path, protocol="https", host="fleet.example.org", port=8443).json[members]

    version = found[0] if isinstance(found, list) else found
    assert version["links"][0] == {"rel": "self", "href": "https://fleet.example.org:8443/v2.1/"}


def test_every_link_to_a_version_is_served(api: testing.TestClient) -> None:
    for headers in ({}, OF_ZUN):
        for version in root(api, headers=headers)["versions"]:
            path = version["links"][0]["href"].removeprefix("http://falconframework.org")
            assert api.simulate_get(path).status_code == 200


class Nobody(NoAuthentication):
    """Knows nobody."""

    def identify(self, environ: Any) -> Identity:
        raise Unauthorized("The request you have made requires authentication.")


def test_nobody_has_to_say_who_he_is(fleet: Engine, settings: Settings) -> None:
    api = testing.TestClient(build(settings, fleet, Nobody()))

    assert [api.simulate_get(path).status_code for path in ("/", "/v2.1", "/v2.1/", "/v1", "/v1/", "/v3")] == [
        *(200,) * 5,
        300,
    ]
    assert api.simulate_get("/v1/hosts").status_code == 401


def test_each_is_answered_as_documented(api: testing.TestClient) -> None:
    documented = {route.path: route.operations["GET"].returns for route in ROUTES if "GET" in route.operations}
    for path, headers in (("/", {}), ("/", OF_ZUN), ("/v1", {}), ("/v2.1", {})):
        schema = documented[path]
        assert schema is not None
        validate(api.simulate_get(path, headers=headers).json, schema)


def test_whoever_names_no_host_is_given_paths(api: testing.TestClient) -> None:
    (link, *_) = root(api, headers={"Host": ""})["versions"][0]["links"]

    assert link == {"rel": "self", "href": "/v2.1/"}
