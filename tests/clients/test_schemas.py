# SPDX-License-Identifier: Apache-2.0
"""Every answer against the schema that tempest publishes for it, in every version that has one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.clients.api import Api
from tests.clients.schemas import conform, schema

Send = Callable[..., tuple[int, Any]]

# Path, tempest's module and name for its answer, and the versions that have a schema of their own. {id} is the first
# hypervisor's, in the version's own form.
READS = [
    ("/os-hypervisors", "hypervisors", "list_search_hypervisors", ("2.1", "2.28", "2.33", "2.53")),
    ("/os-hypervisors?limit=1", "hypervisors", "list_search_hypervisors", ("2.33", "2.53")),
    ("/os-hypervisors?with_servers=True", "hypervisors", "list_search_hypervisors", ("2.53",)),
    ("/os-hypervisors/detail", "hypervisors", "list_hypervisors_detail", ("2.1", "2.28", "2.33", "2.53")),
    ("/os-hypervisors/detail?limit=1", "hypervisors", "list_hypervisors_detail", ("2.33", "2.53")),
    ("/os-hypervisors/statistics", "hypervisors", "get_hypervisor_statistics", ("2.1", "2.28", "2.33", "2.53")),
    ("/os-hypervisors/{id}", "hypervisors", "get_hypervisor", ("2.1", "2.28", "2.33", "2.53")),
    ("/os-hypervisors/{id}/uptime", "hypervisors", "get_hypervisor_uptime", ("2.1", "2.28", "2.33", "2.53")),
    ("/os-hypervisors/node-1/search", "hypervisors", "list_search_hypervisors", ("2.1", "2.28", "2.33")),
    ("/os-hypervisors/node-1/servers", "hypervisors", "get_hypervisors_servers", ("2.1", "2.28", "2.33")),
    ("/os-hypervisors/node-4/servers", "hypervisors", "get_hypervisors_servers", ("2.1", "2.28", "2.33")),
    ("/os-services", "services", "list_services", ("2.1", "2.11", "2.53")),
    ("/os-aggregates", "aggregates", "list_aggregates", ("2.1", "2.41")),
    ("/os-aggregates/1", "aggregates", "get_aggregate", ("2.1", "2.41")),
    ("/os-availability-zone", "availability_zone", "list_availability_zone_list", ("2.1",)),
    ("/os-availability-zone/detail", "availability_zone", "list_availability_zone_list_detail", ("2.1",)),
    ("/os-hosts", "hosts", "list_hosts", ("2.1",)),
    ("/os-hosts/node-1", "hosts", "get_host_detail", ("2.1",)),
]


@pytest.fixture
def send(api: Api) -> Send:
    """Give a function that sends a request as tempest does: the version in the older of its two headers."""

    def one(version: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        request = Request(api.nova + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("X-OpenStack-Nova-API-Version", version)
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=30) as answer:
            assert answer.headers["X-OpenStack-Nova-API-Version"] == version
            return answer.status, json.loads(answer.read() or "null")

    return one


@pytest.mark.parametrize(
    ("path", "module", "name", "version"),
    [(path, module, name, version) for path, module, name, versions in READS for version in versions],
)
def test_what_is_read(send: Send, path: str, module: str, name: str, version: str) -> None:
    if "{id}" in path:
        path = path.replace("{id}", str(send(version, "GET", "/os-hypervisors")[1]["hypervisors"][0]["id"]))

    conform(*send(version, "GET", path), schema(module, name, version))


@pytest.mark.parametrize("path", ["", "/"])
def test_the_version(send: Send, path: str) -> None:
    conform(*send("2.1", "GET", path), schema("versions", "get_one_version", "2.1"))


def test_the_versions(api: Api) -> None:
    with urlopen(api.root, timeout=30) as answer:
        conform(answer.status, json.loads(answer.read()), schema("versions", "list_versions", "2.1"))


class TestServices:
    @pytest.fixture
    def service(self, send: Send) -> str:
        return str(send("2.53", "GET", "/os-services?host=node-4")[1]["services"][0]["id"])

    def test_by_host_and_binary(self, send: Send) -> None:
        place = {"host": "node-4", "binary": "nova-compute"}
        steps = [
            ("disable", place, "enable_disable_service", "2.1"),
            ("disable-log-reason", {**place, "disabled_reason": "test"}, "disable_log_reason", "2.1"),
            ("enable", place, "enable_disable_service", "2.1"),
            ("force-down", {**place, "forced_down": True}, "update_forced_down", "2.11"),
            ("force-down", {**place, "forced_down": False}, "update_forced_down", "2.11"),
        ]
        for path, body, name, version in steps:
            conform(*send(version, "PUT", f"/os-services/{path}", body), schema("services", name, version))

    def test_by_uuid(self, send: Send, service: str) -> None:
        for body in ({"status": "disabled", "disabled_reason": "test"}, {"status": "enabled"}):
            answer = send("2.53", "PUT", f"/os-services/{service}", body)
            conform(*answer, schema("services", "update_service", "2.53"))


class TestAggregates:
    @pytest.fixture(params=["2.1", "2.41"])
    def version(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def made(self, send: Send, version: str) -> Iterator[tuple[int, Any]]:
        answer = send(version, "POST", "/os-aggregates", {"aggregate": {"name": "schemas", "availability_zone": "x"}})
        yield answer
        send(version, "DELETE", f"/os-aggregates/{answer[1]['aggregate']['id']}")

    def test_one_lives(self, send: Send, made: tuple[int, Any], version: str) -> None:
        conform(*made, schema("aggregates", "create_aggregate", version))
        path = f"/os-aggregates/{made[1]['aggregate']['id']}"
        steps: list[tuple[str, str, object, str]] = [
            ("PUT", path, {"aggregate": {"name": "schemas"}}, "update_aggregate"),
            ("POST", f"{path}/action", {"add_host": {"host": "node-4"}}, "aggregate_add_remove_host"),
            ("POST", f"{path}/action", {"set_metadata": {"metadata": {"k": "v"}}}, "aggregate_set_metadata"),
            ("POST", f"{path}/action", {"remove_host": {"host": "node-4"}}, "aggregate_add_remove_host"),
        ]
        for method, where, body, name in steps:
            conform(*send(version, method, where, body), schema("aggregates", name, version))
