# SPDX-License-Identifier: Apache-2.0
"""`auth = keystone`: Keystone says who asks, a policy with Nova's names and defaults says what he may do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from falcon import testing

from host_agent.api.auth.keystone import KeystoneAuthentication
from host_agent.api.auth.policy import Policy, rules, sample
from host_agent.api.operation import PUBLIC
from host_agent.api.routes import ROUTES
from host_agent.api.wsgi import build
from host_agent.errors import ConfigError
from host_agent.settings import KeystoneSettings, Settings
from host_agent.store.engine import Engine
from tests.host_agent.api.identity_server import IdentityServer

AGGREGATES = "/v2.1/os-aggregates"
ZONES = "/v2.1/os-availability-zone"
PASSWORD = "s3cret-of-the-service"


@pytest.fixture
def keystone() -> Iterator[IdentityServer]:
    with IdentityServer(PASSWORD) as server:
        server.tokens = {
            "of-an-admin": ("admin", "member", "reader"),
            "of-a-reader": ("reader",),
            "of-an-operator": ("operator",),
        }
        yield server


@pytest.fixture
def asking(keystone: IdentityServer) -> KeystoneSettings:
    return KeystoneSettings(auth_url=keystone.url, username="capability", password=PASSWORD)


def client(
    fleet: Engine, settings: Settings, asking: KeystoneSettings, policy_file: Path | None = None
) -> testing.TestClient:
    policy = Policy(None if policy_file is None else str(policy_file))
    return testing.TestClient(build(settings, fleet, KeystoneAuthentication(asking, policy)))


@pytest.fixture
def guarded(fleet: Engine, settings: Settings, asking: KeystoneSettings) -> testing.TestClient:
    return client(fleet, settings, asking)


def status(api: testing.TestClient, path: str, token: str | None = None, **headers: str) -> int:
    sent = {} if token is None else {"X-Auth-Token": token}
    return int(api.simulate_get(path, headers={**sent, **headers}).status_code)


def test_an_admin_may_everything(guarded: testing.TestClient) -> None:
    assert status(guarded, AGGREGATES, "of-an-admin") == 200
    created = guarded.simulate_post(
        AGGREGATES, json={"aggregate": {"name": "a"}}, headers={"X-Auth-Token": "of-an-admin"}
    )
    assert created.status_code == 200


def test_anybody_else_may_what_nova_lets_everybody_do(guarded: testing.TestClient) -> None:
    assert status(guarded, ZONES, "of-a-reader") == 200
    refused = guarded.simulate_get(AGGREGATES, headers={"X-Auth-Token": "of-a-reader"})
    assert refused.status_code == 403
    rule = "os_compute_api:os-aggregates:index"
    assert refused.json == {"forbidden": {"code": 403, "message": f"Policy doesn't allow {rule} to be performed."}}


@pytest.mark.parametrize("token", [None, "", "unknown", "\xff", "x" * 5000])
def test_without_a_token_that_keystone_knows_a_client_is_sent_there(
    guarded: testing.TestClient, keystone: IdentityServer, token: str | None
) -> None:
    sent = {} if token is None else {"X-Auth-Token": token}
    answer = guarded.simulate_get(ZONES, headers=sent)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Keystone uri="{keystone.url}"'
    assert answer.json["error"]["code"] == 401
    assert answer.headers["x-openstack-request-id"].startswith("req-")


def test_clients_are_sent_to_another_place_than_we_ask(
    fleet: Engine, settings: Settings, asking: KeystoneSettings
) -> None:
    elsewhere = replace(asking, www_authenticate_uri="https://keystone.example")
    answer = client(fleet, settings, elsewhere).simulate_get(ZONES)

    assert answer.headers["www-authenticate"] == 'Keystone uri="https://keystone.example"'


def test_a_client_cannot_say_himself_who_he_is(guarded: testing.TestClient) -> None:
    forged = {
        "X-Identity-Status": "Confirmed",
        "X-Roles": "admin",
        "X-User-Id": "root",
        "X-Is-Admin-Project": "True",
    }
    assert status(guarded, AGGREGATES, None, **forged) == 401
    assert status(guarded, AGGREGATES, "unknown", **forged) == 401
    assert status(guarded, AGGREGATES, "of-a-reader", **forged) == 403


def test_what_anybody_may_ask_needs_no_keystone(guarded: testing.TestClient, keystone: IdentityServer) -> None:
    keystone.status = 500
    assert status(guarded, "/v2.1", "unknown") == 200
    assert status(guarded, "/v2.1/", None) == 200
    assert keystone.asked == 0


@pytest.mark.parametrize("trouble", ["away", "broken", "refuses-us"])
def test_a_keystone_in_trouble_is_no_wrong_token(
    fleet: Engine, settings: Settings, keystone: IdentityServer, asking: KeystoneSettings, trouble: str
) -> None:
    match trouble:
        case "away":
            asking = replace(asking, auth_url="http://127.0.0.1:1/v3")
        case "broken":
            keystone.status = 500
        case _:
            keystone.password = "another"
    answer = client(fleet, settings, asking).simulate_get(ZONES, headers={"X-Auth-Token": "of-an-admin"})

    assert answer.status_code == 503
    assert answer.json["serviceUnavailable"]["message"] == "Keystone does not answer. Try again later."
    assert answer.headers["retry-after"] == "5"


def test_it_works_again_when_keystone_does(guarded: testing.TestClient, keystone: IdentityServer) -> None:
    keystone.status = 503
    assert status(guarded, ZONES, "of-an-admin") == 503
    keystone.status = None
    assert status(guarded, ZONES, "of-an-admin") == 200


def test_what_keystone_said_is_remembered_as_long_as_the_settings_say(
    fleet: Engine, settings: Settings, keystone: IdentityServer, asking: KeystoneSettings
) -> None:
    remembering = client(fleet, settings, asking)
    assert [status(remembering, ZONES, "of-an-admin") for _ in range(3)] == [200] * 3
    assert keystone.asked == 1

    forgetful = client(fleet, settings, replace(asking, token_cache_time=-1))
    assert status(forgetful, ZONES, "of-an-admin") == 200
    del keystone.tokens["of-an-admin"]
    assert status(forgetful, ZONES, "of-an-admin") == 401


def test_no_secret_stands_in_the_log(
    fleet: Engine, settings: Settings, asking: KeystoneSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    api = client(fleet, settings, asking)
    for token in ("of-an-admin", "unknown-t0ken"):
        status(api, ZONES, token)

    assert "by user of-an-admin-id" in caplog.text
    assert "unknown-t0ken" not in caplog.text
    assert PASSWORD not in caplog.text


def test_a_policy_file_opens_and_closes_and_leaves_the_rest(
    fleet: Engine, settings: Settings, asking: KeystoneSettings, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        '"os_compute_api:os-aggregates:index": "role:operator"\n"os_compute_api:os-availability-zone:list": "!"\n'
    )
    api = client(fleet, settings, asking, file)

    assert status(api, AGGREGATES, "of-an-operator") == 200
    assert status(api, AGGREGATES, "of-an-admin") == 403
    assert status(api, ZONES, "of-an-admin") == 403
    assert status(api, "/v2.1/os-services", "of-an-operator") == 403
    assert status(api, "/v2.1/os-services", "of-an-admin") == 200


def test_novas_own_file_will_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        '"context_is_admin": "role:cloud_admin"\n'
        '"os_compute_api:servers:create": "rule:project_member_or_admin"\n'
        '"project_member_or_admin": "rule:context_is_admin"\n'
    )
    policy = Policy(str(file))

    def may(role: str) -> bool:
        return policy.permits("os_compute_api:os-aggregates:index", {"roles": [role]})

    assert (may("cloud_admin"), may("admin")) == (True, False)
    assert "protect nothing here: os_compute_api:servers:create" in caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file or directory"),
        ('"a": [', "no YAML"),
        ("- a\n- b\n", "in quotes"),
        ('"a": 1\n', "in quotes"),
        ('"os_compute_api:os-aggregates:index": "rule:nobody-knows"\n', "not valid"),
        ('"os_compute_api:os-aggregates:index": "rule:os_compute_api:os-aggregates:index"\n', "not valid"),
    ],
)
def test_a_wrong_file_is_refused_with_one_line(tmp_path: Path, text: str | None, reason: str) -> None:
    file = tmp_path / "policy.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        Policy(str(file))

    assert str(file) in str(refusal.value)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_every_operation_has_a_rule_and_the_sample_says_each(tmp_path: Path) -> None:
    protected = {
        rule
        for route in ROUTES
        for operation in route.operations.values()
        for rule in operation.rules
        if operation.role != PUBLIC
    }
    assert {rule.name for rule in rules()} == protected

    file = tmp_path / "policy.yaml"
    given = [line.removeprefix("#") for line in sample().splitlines() if line.startswith('#"')]
    assert len(given) > len(protected)
    file.write_text("\n".join(given))
    said, default = Policy(str(file)), Policy(None)
    for role in ("admin", "reader"):
        for rule in protected:
            assert said.permits(rule, {"roles": [role]}) == default.permits(rule, {"roles": [role]})
