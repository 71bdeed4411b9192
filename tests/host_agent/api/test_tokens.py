# SPDX-License-Identifier: Apache-2.0
"""`auth = token`: who bears a token is what its role says; nobody else is anybody."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from falcon import testing
from sqlalchemy import text

from host_agent import store
from host_agent.api.auth.token import TokenAuthentication
from host_agent.api.wsgi import build
from host_agent.settings import Settings
from host_agent.store import open_engine
from host_agent.store.engine import Engine

AGGREGATES = "/v2.1/os-aggregates"
ZONES = "/v2.1/os-availability-zone"


@pytest.fixture
def guarded(fleet: Engine, settings: Settings) -> testing.TestClient:
    return testing.TestClient(build(settings, fleet, TokenAuthentication(fleet)))


@pytest.mark.parametrize("header", ["X-Auth-Token: {}", "Authorization: Bearer {}", "Authorization: bearer {} "])
def test_a_token_is_taken_in_either_header(guarded: testing.TestClient, fleet: Engine, header: str) -> None:
    token = store.create_token(fleet, "grafana", "reader")
    name, _, value = header.format(token).partition(": ")

    assert guarded.simulate_get(ZONES, headers={name: value}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Auth-Token": ""},
        {"X-Auth-Token": "wrong"},
        {"X-Auth-Token": "x" * 100_000},
        {"X-Auth-Token": "\xff\xfe"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
    ],
)
def test_without_a_good_one_nobody_knows_you(
    guarded: testing.TestClient, fleet: Engine, headers: dict[str, str]
) -> None:
    store.create_token(fleet, "grafana", "reader")
    answer = guarded.simulate_get(ZONES, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="os-capability"'
    assert answer.json == {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    }


def test_one_that_is_deleted_or_has_expired_lets_in_no_more(guarded: testing.TestClient, fleet: Engine) -> None:
    deleted = store.create_token(fleet, "deleted", "admin")
    expired = store.create_token(fleet, "expired", "admin", lifetime=timedelta(days=1))

    def answers() -> list[int]:
        return [guarded.simulate_get(ZONES, headers={"X-Auth-Token": one}).status_code for one in (deleted, expired)]

    assert answers() == [200, 200]
    store.delete_token(fleet, "deleted")
    with fleet.begin() as connection:
        connection.execute(text("UPDATE api_tokens SET expires_at = created_at"))
    assert answers() == [401, 401]


@pytest.mark.parametrize(
    ("role", "read", "record", "administer"),
    [("reader", 200, 403, 403), ("writer", 200, 200, 403), ("admin", 200, 200, 200)],
)
def test_a_role_may_what_those_below_it_may(
    guarded: testing.TestClient, fleet: Engine, role: str, read: int, record: int, administer: int
) -> None:
    headers = {"X-Auth-Token": store.create_token(fleet, role, role)}
    migration = "/v1/workloads/0b6de7c5-6a3b-4dc5-9b6f-2d2a8b3bb0a1"
    workload = {"name": "w", "engine": "nova", "kind": "vm", "state": "running", "host": None, "vcpus": 1}

    assert guarded.simulate_get(AGGREGATES, headers=headers).status_code == read
    recorded = guarded.simulate_put(migration, json=workload, headers=headers).status_code
    # Who may, is told what is wrong with it.
    assert (recorded == 403) == (record == 403)
    created = guarded.simulate_post(AGGREGATES, json={"aggregate": {"name": "a"}}, headers=headers)
    assert created.status_code == administer
    if administer == 403:
        rule = "os_compute_api:os-aggregates:create"
        assert created.json == {"forbidden": {"code": 403, "message": f"Policy doesn't allow {rule} to be performed."}}


def test_a_body_of_whoever_may_not_is_not_read(guarded: testing.TestClient, fleet: Engine) -> None:
    headers = {"X-Auth-Token": store.create_token(fleet, "r", "reader")}

    for path in (AGGREGATES, f"{AGGREGATES}/1/action"):
        assert guarded.simulate_post(path, body=b"{", headers=headers).status_code == 403
        assert guarded.simulate_post(path, body=b"{").status_code == 401


def test_a_version_is_told_also_to_whoever_may_not(guarded: testing.TestClient, fleet: Engine) -> None:
    headers = {"X-Auth-Token": store.create_token(fleet, "r", "reader"), "X-OpenStack-Nova-API-Version": "2.53"}
    answer = guarded.simulate_delete(f"{AGGREGATES}/1", headers=headers)

    assert (answer.status_code, answer.headers["openstack-api-version"]) == (403, "compute 2.53")
    headers["X-OpenStack-Nova-API-Version"] = "2.9999"
    assert guarded.simulate_delete(f"{AGGREGATES}/1", headers=headers).status_code == 406


def test_a_database_that_is_away_is_no_wrong_token(settings: Settings) -> None:
    away = open_engine("postgresql+psycopg://u:s3cret@127.0.0.1:1/x")
    answer = testing.TestClient(build(settings, away, TokenAuthentication(away))).simulate_get(
        ZONES, headers={"X-Auth-Token": "x"}
    )

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "127.0.0.1" not in answer.text


def test_no_token_stands_in_the_log(
    guarded: testing.TestClient, fleet: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    token = store.create_token(fleet, "grafana", "reader")
    caplog.set_level(logging.DEBUG)
    for sent in (token, "wrong-token"):
        guarded.simulate_get(ZONES, headers={"X-Auth-Token": sent})
        guarded.simulate_get(ZONES, headers={"Authorization": f"Bearer {sent}"})

    assert "by token grafana" in caplog.text
    assert token not in caplog.text
    assert "wrong-token" not in caplog.text


def test_the_log_names_who_is_refused(
    guarded: testing.TestClient, fleet: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    guarded.simulate_delete(f"{AGGREGATES}/1", headers={"X-Auth-Token": store.create_token(fleet, "grafana", "reader")})

    assert f"DELETE {AGGREGATES}/1 403 by token grafana in" in caplog.text


def test_it_is_so_on_every_database(engine: Engine, settings: Settings) -> None:
    client = testing.TestClient(build(settings, engine, TokenAuthentication(engine)))
    token = store.create_token(engine, "grafana", "reader")

    assert client.simulate_get(ZONES, headers={"X-Auth-Token": token}).status_code == 200
    assert client.simulate_get(ZONES, headers={"X-Auth-Token": token[:-1]}).status_code == 401
