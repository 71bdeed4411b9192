# SPDX-License-Identifier: Apache-2.0
"""`auth = none`: this machine alone, and none of the web pages that a browser on it shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from falcon import testing

from host_agent.api.auth.loopback import LoopbackOnly, is_loopback_name
from host_agent.api.server import is_readable_by_others
from host_agent.api.wsgi import build
from host_agent.settings import Settings
from host_agent.store.engine import Engine

ZONES = "/v2.1/os-availability-zone"
AGGREGATES = "/v2.1/os-aggregates"


class LocalClient(testing.TestClient):
    """A client on this machine, unless a request says otherwise."""

    def simulate_request(self, *args: Any, **kwargs: Any) -> Any:
        return super().simulate_request(*args, **{"remote_addr": "127.0.0.1", **kwargs})


@pytest.fixture
def local(fleet: Engine, settings: Settings) -> testing.TestClient:
    return LocalClient(build(settings, fleet, LoopbackOnly()))


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8775", "localhost.", "127.0.0.1", "127.9.9.9:1", "[::1]:8775"]
)
def test_the_loopback_is_answered_by_any_of_its_names(local: testing.TestClient, host: str) -> None:
    assert local.simulate_get(ZONES, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8775", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1"),
        *("[2001:db8::1]:8775", "[::2", "0.0.0.0", "[::ffff:192.0.2.1]", "2130706433", "::1.evil"),
    ],
)
def test_a_page_that_has_rebound_its_name_is_refused(local: testing.TestClient, host: str) -> None:
    for path in (ZONES, "/healthcheck", "/v2.1"):
        answer = local.simulate_get(path, headers={"Host": host})
        assert answer.status_code == 403
        assert "localhost alone" in answer.text


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", None])
def test_another_machine_is_refused_whatever_server_this_runs_under(
    local: testing.TestClient, address: str | None
) -> None:
    answer = local.simulate_get(ZONES, headers={"Host": "localhost"}, remote_addr=address)

    assert answer.status_code == 403
    assert "its own machine alone" in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 127.0.0.1", "Forwarded: for=_a"])
def test_a_proxy_speaks_for_no_other_machine(local: testing.TestClient, header: str) -> None:
    name, _, value = header.partition(": ")
    answer = local.simulate_get(ZONES, headers={"Host": "localhost", name: value})

    assert answer.status_code == 403
    assert "its own machine alone" in answer.text


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost:8443", "http://localhost", "http://[", "", "localhost"]
)
def test_a_write_from_another_page_is_refused(local: testing.TestClient, origin: str) -> None:
    headers = {"Host": "localhost:8775", "Origin": origin}
    answer = local.simulate_post(AGGREGATES, json={"aggregate": {"name": "a"}}, headers=headers)

    assert answer.status_code == 403
    assert local.simulate_get(AGGREGATES, headers={"Host": "localhost:8775"}).json == {"aggregates": []}


def test_a_write_of_a_client_or_of_a_page_of_ours_is_taken(local: testing.TestClient) -> None:
    for name, headers in (("a", {}), ("b", {"Origin": "http://localhost:8775"})):
        answer = local.simulate_post(
            AGGREGATES, json={"aggregate": {"name": name}}, headers={"Host": "localhost:8775", **headers}
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("::1", True), ("::ffff:127.0.0.1", True), ("127.1", False), ("", False), ("localhost6", False)],
)
def test_what_is_this_machine_to_itself(name: str, is_one: bool) -> None:
    assert is_loopback_name(name) is is_one


@pytest.mark.parametrize(
    ("address", "certificate", "told"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("192.0.2.1", None, True),
        ("0.0.0.0", None, True),
        ("0.0.0.0", "/etc/certificate.pem", False),
    ],
)
def test_whoever_listens_beyond_it_without_tls_is_warned(
    settings: Settings, address: str, certificate: str | None, told: bool
) -> None:
    assert is_readable_by_others(replace(settings.api, tls_certificate=certificate), address) is told
