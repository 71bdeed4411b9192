# SPDX-License-Identifier: Apache-2.0
"""What every request goes through: versions, faults, ids."""

from __future__ import annotations

import logging
import re

import pytest
from falcon import testing

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.wsgi import build
from host_agent.settings import Settings
from host_agent.store import open_engine

ZONES = "/v2.1/os-availability-zone"


@pytest.mark.parametrize("path", [ZONES, "/v2.1/some-project/os-availability-zone"])
def test_a_path_of_nova_is_served_with_and_without_a_project(api: testing.TestClient, path: str) -> None:
    answer = api.simulate_get(path)

    assert (answer.status_code, answer.json) == (200, {"availabilityZoneInfo": []})


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, "2.1"),
        ({"OpenStack-API-Version": "compute 2.53"}, "2.53"),
        ({"X-OpenStack-Nova-API-Version": "2.53"}, "2.53"),
        ({"OpenStack-API-Version": "compute 2.60", "X-OpenStack-Nova-API-Version": "2.53"}, "2.60"),
        ({"OpenStack-API-Version": "placement 1.1, compute 2.53"}, "2.53"),
        ({"OpenStack-API-Version": "compute 2.50, compute 2.53"}, "2.53"),
        ({"OpenStack-API-Version": "placement 1.10"}, "2.1"),
        ({"OpenStack-API-Version": "2.53"}, "2.1"),
        ({"OpenStack-API-Version": "compute latest"}, "2.104"),
        ({"X-OpenStack-Nova-API-Version": "latest"}, "2.104"),
    ],
)
def test_the_version_is_negotiated_by_either_header(
    api: testing.TestClient, headers: dict[str, str], version: str
) -> None:
    answer = api.simulate_get(ZONES, headers=headers)

    assert answer.status_code == 200
    assert answer.headers["openstack-api-version"] == f"compute {version}"
    assert answer.headers["x-openstack-nova-api-version"] == version
    assert answer.headers["vary"] == "OpenStack-API-Version, X-OpenStack-Nova-API-Version"


@pytest.mark.parametrize("asked", ["2.9999", "1.0"])
def test_a_version_that_is_not_served_is_not_acceptable(api: testing.TestClient, asked: str) -> None:
    answer = api.simulate_get(ZONES, headers={"OpenStack-API-Version": f"compute {asked}"})

    assert answer.status_code == 406
    assert answer.headers["openstack-api-version"] == f"compute {asked}"
    assert answer.json == {
        "computeFault": {
            "code": 406,
            "message": f"Version {asked} is not supported by the API. Minimum is 2.1 and maximum is 2.104.",
        }
    }


@pytest.mark.parametrize("asked", ["foo", "2", "2.53.1", "02.1"])
def test_what_is_no_version_is_a_bad_request(api: testing.TestClient, asked: str) -> None:
    answer = api.simulate_get(ZONES, headers={"OpenStack-API-Version": f"compute {asked}"})

    assert answer.status_code == 400
    assert answer.json == {
        "badRequest": {
            "code": 400,
            "message": f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum.",
        }
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", f"{ZONES}/"), ("POST", ZONES), ("DELETE", ZONES), ("GET", f"{ZONES}.json"), ("GET", "/v2.1/nothing")],
)
def test_what_nova_has_not_is_a_page(api: testing.TestClient, method: str, path: str) -> None:
    answer = api.simulate_request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "The resource could not be found." in answer.text


def test_a_query_is_refused_from_the_version_on_that_is_strict(api: testing.TestClient) -> None:
    def asked(version: str) -> testing.Result:
        return api.simulate_get(ZONES, query_string="bogus=1", headers={"X-OpenStack-Nova-API-Version": version})

    assert asked("2.101").status_code == 200
    assert asked("2.102").json == {
        "badRequest": {
            "code": 400,
            "message": "Additional properties are not allowed ('bogus' was unexpected)",
        }
    }


def test_what_is_ours_and_does_not_know_the_method_says_which_it_knows(api: testing.TestClient) -> None:
    answer = api.simulate_put("/v1/usage")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    error = answer.json["error"]
    assert (error["code"], error["title"], error["message"]) == (
        *(405, "Method Not Allowed", "This path knows GET alone."),
    )


def test_a_request_is_one_line_of_the_log_whatever_its_path(
    api: testing.TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    api.simulate_get("/v1/hosts/%0d%0aforged%1b[2J%00\u2028")

    (line,) = caplog.messages
    assert "GET /v1/hosts/%0D%0Aforged%1B%5B2J%00%E2%80%A8 404 by" in line


def test_what_ails_the_database_stands_in_the_one_line_of_the_request(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="host_agent")
    away = open_engine("sqlite:////nonexistent/x.sqlite")
    assert testing.TestClient(build(settings, away, NoAuthentication())).simulate_get(ZONES).status_code == 503

    (line,) = caplog.records
    assert line.levelname == "WARNING"
    assert re.search(rf"GET {ZONES} 503 by .* ms: sqlite:////nonexistent/x\.sqlite: unable to open", line.message)


def test_every_answer_has_an_id(api: testing.TestClient) -> None:
    answers = [api.simulate_get(path) for path in (ZONES, "/nothing", f"{ZONES}/")]

    ids = [answer.headers["x-openstack-request-id"] for answer in answers]
    assert len(set(ids)) == 3
    assert all(one.startswith("req-") for one in ids)
    assert [answer.headers["x-compute-request-id"] for answer in answers] == ids
