# SPDX-License-Identifier: Apache-2.0
"""``os-services`` on the wire, in every version that differs from the one before."""

from __future__ import annotations

from typing import Any

import pytest
from falcon import testing

from host_agent import store
from host_agent.api.nova import services
from host_agent.store.engine import Engine
from tests.host_agent.api.nova.asking import ask, fault, fits
from tests.host_agent.facts import uuid
from tests.host_agent.store.fleet import age, claim, enlist
from tests.host_agent.store.workloads import move, vm

VERSIONS = ("2.1", "2.10", "2.11", "2.52", "2.53", "2.68", "2.69", "2.74", "2.75", "2.104")
NOBODY = "00000000-0000-4000-8000-999999999999"
NAMED = {"host": "node-1", "binary": "nova-compute"}


def key(number: int = 1) -> str:
    return store.service_uuid(uuid(number), "nova-compute")


def listed(api: testing.TestClient, query: str = "", version: str = "2.104") -> list[dict[str, Any]]:
    return list(fits(ask(api, "GET", f"/os-services{query}", version), services.LIST, version)["services"])


@pytest.fixture
def hosts(fleet: Engine) -> Engine:
    """Give the database with node-1 in zone-a, node-2 in no zone, disabled, and node-3, which was not heard lately."""
    for number in (1, 2, 3):
        enlist(fleet, number)
    made = store.create_aggregate(fleet, "one", "zone-a")
    store.add_host(fleet, made.id, "node-1")
    store.change_service(fleet, key(2), disabled=True, disabled_reason="fans")
    age(fleet, "last_seen_up", 6000, number=3)
    return fleet


def test_every_service_is_listed(hosts: Engine, api: testing.TestClient) -> None:
    for version in VERSIONS:
        is_listed(api, version)


def is_listed(api: testing.TestClient, version: str) -> None:
    first, second, third = listed(api, version=version)
    minor = int(version[2:])
    assert first.pop("updated_at")[10] == "T"
    assert first.pop("id") == (1 if minor < 53 else key(1))
    expected = {
        "binary": "nova-compute",
        "host": "node-1",
        "zone": "zone-a",
        "status": "enabled",
        "state": "up",
        "disabled_reason": None,
    }
    assert first == expected | ({} if minor < 11 else {"forced_down": False})
    assert (second["zone"], second["status"], second["disabled_reason"]) == ("nova", "disabled", "fans")
    assert (second["state"], third["state"], third["status"]) == ("up", "down", "enabled")


def test_the_list_is_the_same_on_every_backend(engine: Engine, api_everywhere: testing.TestClient) -> None:
    enlist(engine)
    (service,) = listed(api_everywhere, "?host=node-1&binary=nova-compute")
    assert (service["id"], service["state"], service["forced_down"]) == (key(), "up", False)
    told = ask(api_everywhere, "PUT", f"/os-services/{key()}", body={"status": "disabled", "forced_down": True})
    assert (told.json["service"]["status"], told.json["service"]["state"]) == ("disabled", "down")
    assert ask(api_everywhere, "DELETE", f"/os-services/{key()}").status_code == 204
    assert listed(api_everywhere) == []


def test_a_list_can_be_filtered(hosts: Engine, api: testing.TestClient) -> None:
    def found(query: str, version: str = "2.104") -> list[str]:
        return [service["host"] for service in listed(api, query, version)]

    everybody = ["node-1", "node-2", "node-3"]
    assert found("?host=node-2") == found("?host=node-1&host=node-2") == ["node-2"]
    assert found("?binary=nova-compute") == found("?host=&binary=") == everybody
    assert found("?binary=nova-conductor") == found("?host=xxx") == []
    assert found("?host=xxx&binary=nova-compute") == []
    assert found("?xxx=nova-compute&limit=1", "2.74") == everybody
    assert fault(ask(api, "GET", "/os-services?xxx=1", "2.75")) == (
        400,
        "Additional properties are not allowed ('xxx' was unexpected)",
    )


def test_a_retired_host_has_no_service(hosts: Engine, api: testing.TestClient) -> None:
    store.retire(hosts, uuid(1))
    assert [service["host"] for service in listed(api)] == ["node-2", "node-3"]


class TestByUuid:
    """From 2.53 on."""

    def test_a_service_is_changed(self, hosts: Engine, api: testing.TestClient) -> None:
        def put(body: dict[str, object], name: str = key(), version: str = "2.53") -> dict[str, Any]:
            answer = ask(api, "PUT", f"/os-services/{name}", version, body)
            return dict(fits(answer, services.UPDATE, version)["service"])

        told = put({"status": "disabled", "disabled_reason": "fans"})
        assert told == listed(api, "?host=node-1")[0]
        assert (told["status"], told["disabled_reason"], told["state"]) == ("disabled", "fans", "up")
        again = put({"status": "disabled", "disabled_reason": "fans"}, version="2.104")
        assert again == told, "the same again changes nothing"
        assert put({"status": "disabled"})["disabled_reason"] is None
        assert put({"status": "enabled"}, key().upper())["status"] == "enabled"
        assert put({"forced_down": True})["state"] == "down"
        assert put({"forced_down": "no", "status": "disabled"})["state"] == "up"

    def test_a_wrong_change_is_refused(self, hosts: Engine, api: testing.TestClient) -> None:
        wrong, long = "Invalid input for field/attribute", "x" * 256
        nothing = "No updates were requested. Fields 'status' or 'forced_down' should be specified."
        refused: list[tuple[object, str]] = [
            ({}, nothing),
            ({"disabled_reason": "x"}, nothing),
            (
                {"status": "enabled", "disabled_reason": "x"},
                "Specifying 'disabled_reason' with status 'enabled' is invalid.",
            ),
            (NAMED, "Additional properties are not allowed ('binary', 'host' were unexpected)"),
            ({"status": "up"}, f"{wrong} status. Value: up. 'up' is not one of ['enabled', 'disabled']"),
            (
                {"status": "disabled", "disabled_reason": ""},
                f"{wrong} disabled_reason. Value: . '' should be non-empty",
            ),
            (
                {"status": "disabled", "disabled_reason": long},
                f"{wrong} disabled_reason. Value: {long}. '{long}' is too long",
            ),
            ([], "[] is not of type 'object'"),
        ]
        before = store.list_services(hosts)
        for body, message in refused:
            assert fault(ask(api, "PUT", f"/os-services/{key()}", "2.53", body)) == (400, message)
        for value in ({"forced_down": "maybe"}, {"forced_down": 1}, {"status": "disabled", "disabled_reason": "a\0b"}):
            status, message = fault(ask(api, "PUT", f"/os-services/{key()}", "2.53", value))
            assert (status, message[: len(wrong)]) == (400, wrong)
        assert store.list_services(hosts) == before

    def test_what_is_not_there_is_said(self, hosts: Engine, api: testing.TestClient) -> None:
        assert fault(ask(api, "PUT", f"/os-services/{NOBODY}", body={"status": "enabled"})) == (
            404,
            f"Service {NOBODY} could not be found.",
        )
        assert fault(ask(api, "DELETE", f"/os-services/{NOBODY}")) == (404, f"Service {NOBODY} not found.")
        for name in ("1", "abc", "disable", "-1"):
            for method, body in (("PUT", {"status": "enabled"}), ("DELETE", None)):
                status, message = fault(ask(api, method, f"/os-services/{name}", "2.53", body))
                assert (status, message[:12]) == (400, "Invalid uuid")

    def test_a_service_is_deleted(self, hosts: Engine, api: testing.TestClient) -> None:
        answer = ask(api, "DELETE", f"/os-services/{key()}")
        assert (answer.status_code, answer.text) == (204, "")
        assert [service["host"] for service in listed(api)] == ["node-2", "node-3"]
        assert ask(api, "DELETE", f"/os-services/{key()}").status_code == 404


class TestByName:
    """Until 2.52."""

    def test_a_service_is_changed(self, hosts: Engine, api: testing.TestClient) -> None:
        def put(action: str, version: str = "2.1", **more: object) -> Any:
            return fits(ask(api, "PUT", f"/os-services/{action}", version, NAMED | more), services.UPDATE, version)

        def state(version: str = "2.11") -> tuple[object, ...]:
            (service,) = listed(api, "?host=node-1", version)
            return tuple(service.get(name) for name in ("status", "disabled_reason", "forced_down"))

        assert put("disable") == {"service": NAMED | {"status": "disabled"}}
        assert state() == ("disabled", None, False)
        reason = {"disabled_reason": "fans"}
        assert put("disable-log-reason", **reason) == {"service": NAMED | reason | {"status": "disabled"}}
        assert state() == ("disabled", "fans", False)
        assert put("force-down", "2.11", forced_down="True") == {"service": NAMED | {"forced_down": True}}
        assert state() == ("disabled", "fans", True)
        assert put("force-down", "2.52", forced_down=False) == {"service": NAMED | {"forced_down": False}}
        assert put("enable", "2.52") == {"service": NAMED | {"status": "enabled"}}
        assert state() == ("enabled", None, False)

    def test_a_wrong_change_is_refused(self, hosts: Engine, api: testing.TestClient) -> None:
        store.register(hosts, claim(4, binary="zun-compute"))

        def put(action: str, body: object, version: str = "2.11") -> tuple[int, str]:
            return fault(ask(api, "PUT", f"/os-services/{action}", version, body))

        assert put("disable-log-reason", NAMED) == (400, "Missing disabled reason field")
        assert put("force-down", NAMED) == (400, "Missing forced_down field")
        assert put("explode", NAMED) == put("force-down", NAMED, "2.10") == put(key(), NAMED) == (404, "Unknown action")
        assert put("enable", NAMED | {"forced_down": True}, "2.10")[0] == 400
        assert put("enable", {"host": "node-1"}) == (400, "'binary' is a required property")
        assert put("enable", NAMED | {"host": "a b"})[0] == put("enable", NAMED | {"host": ""})[0] == 400
        assert put("enable", NAMED | {"host": "nohost"}) == (404, "Host 'nohost' is not mapped to any cell")
        assert put("enable", NAMED | {"host": "node-4"}) == (404, "Could not find binary nova-compute on host node-4.")
        assert put("enable", NAMED | {"binary": "nova-scheduler"}) == (
            400,
            "Updating a nova-scheduler service is not supported. Only nova-compute services can be updated.",
        )

    def test_a_service_is_deleted_by_its_number(self, hosts: Engine, api: testing.TestClient) -> None:
        for name in ("999", "-1", "9" * 18):
            assert fault(ask(api, "DELETE", f"/os-services/{name}", "2.52")) == (404, f"Service {name} not found.")
        for name in ("abc", key()):
            assert fault(ask(api, "DELETE", f"/os-services/{name}", "2.1")) == (
                400,
                "Invalid input received: id must be an integer",
            )
        assert ask(api, "DELETE", "/os-services/1", "2.1").status_code == 204
        assert [service["id"] for service in listed(api, version="2.1")] == [2, 3]


def test_a_host_in_use_is_not_deleted(hosts: Engine, api: testing.TestClient) -> None:
    store.record_workload(hosts, vm(), "node-1")
    store.record_migration(hosts, move(2, source=2, dest=3))
    assert fault(ask(api, "DELETE", f"/os-services/{key(1)}")) == (
        409,
        "Unable to delete compute service that is hosting instances. Migrate or delete the instances first.",
    )
    status, message = fault(ask(api, "DELETE", f"/os-services/{key(2)}"))
    assert (status, message.partition(".")[0]) == (
        409,
        "Unable to delete compute service that has in-progress migrations",
    )
    assert len(listed(api)) == 3


def test_a_single_service_is_not_shown(hosts: Engine, api: testing.TestClient) -> None:
    answer = ask(api, "GET", f"/os-services/{key()}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=UTF-8")
