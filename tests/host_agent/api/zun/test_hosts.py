# SPDX-License-Identifier: Apache-2.0
"""Zun's hosts, as its client lists and shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from falcon import testing
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from jsonschema import validate

from host_agent import store
from host_agent.api.zun import hosts
from host_agent.settings import Settings
from host_agent.store.engine import Engine
from tests.host_agent.api.conftest import client
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import age, claim, enlist
from tests.host_agent.store.workloads import vm

HOSTS = "/v1/hosts"
NOT_SUPPORTED = "not supported by this service."
SERVED = "The supported version range is: [container 1.1, container 1.40]."


def found(api: testing.TestClient, query: str = "", path: str = HOSTS) -> list[str]:
    answer = api.simulate_get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    return [host["hostname"] for host in answer.json["hosts"]]


def refused(api: testing.TestClient, path: str = HOSTS, **options: Any) -> tuple[int, str, str]:
    answer = api.simulate_get(path, **options)
    (error,) = answer.json["errors"]
    assert (error["status"], error["links"]) == (answer.status_code, [])
    assert error["request_id"] == answer.headers["x-openstack-request-id"]
    assert error["title"] == error["detail"]
    return answer.status_code, error["code"], error["title"]


def test_a_host_has_zuns_fields_in_zuns_units(api_everywhere: testing.TestClient, engine: Engine) -> None:
    measured: dict[str, Any] = {
        "no_of_containers": 3,
        "local_gb": 1800,
        "labels": '{"dev.type":"product"}',
        "runtimes": '["runc"]',
        "disk_quota_supported": False,
        "enable_cpu_pinning": True,
    }
    store.upsert(engine, record(1, **measured))
    store.record_workload(engine, vm(kind="container", vcpus=2.5), "node-1")

    answer = api_everywhere.simulate_get(f"{HOSTS}/node-1").json

    root = "http://falconframework.org"
    assert answer == {
        "uuid": uuid(1),
        "links": [
            {"href": f"{root}/v1/hosts/{uuid(1)}", "rel": "self"},
            {"href": f"{root}/hosts/{uuid(1)}", "rel": "bookmark"},
        ],
        "hostname": "node-1",
        "mem_total": 8192,
        "mem_used": 10240,
        "total_containers": 3,
        "cpus": 8,
        "cpu_used": 2.5,
        "architecture": "x86_64",
        "os_type": "linux",
        "os": "Debian GNU/Linux 12",
        "kernel_version": "6.1.0-18-amd64",
        "labels": {"dev.type": "product"},
        "disk_total": 1800,
        "disk_used": 80,
        "disk_quota_supported": False,
        "runtimes": ["runc"],
        "enable_cpu_pinning": True,
    }
    assert api_everywhere.simulate_get(f"{HOSTS}/").json == {"hosts": [answer], "next": None}
    assert hosts.SHOW.returns is not None
    validate(answer, hosts.SHOW.returns)


def test_what_nobody_has_measured_is_null(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record(1))

    answer = api.simulate_get(f"{HOSTS}/node-1").json

    unknown = {name for name, value in answer.items() if value is None}
    assert unknown >= {"total_containers", "labels", "disk_total", "disk_quota_supported", "runtimes"}
    assert hosts.SHOW.returns is not None
    validate(answer, hosts.SHOW.returns)


def test_the_list_is_there_with_and_without_slash_and_version(api: testing.TestClient, fleet: Engine) -> None:
    for path in ["/v1/hosts", "/v1/hosts/", "/hosts", "/hosts/"]:
        store.upsert_many(fleet, [record(2), record(1)])

        assert found(api, path=path) == ["node-1", "node-2"]


@pytest.mark.parametrize("name", ["node-2", uuid(2), uuid(2).replace("-", ""), f"{{{uuid(2).upper()}}}"])
@pytest.mark.parametrize("path", ["/v1/hosts", "/hosts"])
def test_a_host_is_shown_by_name_or_uuid(api: testing.TestClient, fleet: Engine, path: str, name: str) -> None:
    store.upsert_many(fleet, [record(1), record(2)])

    assert api.simulate_get(f"{path}/{name}").json["uuid"] == uuid(2)


def test_of_several_with_one_name_the_one_that_serves_is_shown(api: testing.TestClient, fleet: Engine) -> None:
    def shown() -> object:
        return api.simulate_get(f"{HOSTS}/node-1").json.get("uuid")

    enlist(fleet, 1)
    age(fleet, "last_seen_up", 3600)
    store.upsert(fleet, record(2, host="node-1", hypervisor_hostname="node-1"))
    assert shown() == uuid(1), "the other never registered"

    store.register(fleet, claim(2, host="node-1", hostname="node-1"))
    assert shown() == uuid(2), "it took the name over"

    store.retire(fleet, uuid(2))
    assert shown() == uuid(1), "the other is retired"

    store.retire(fleet, uuid(1))
    assert api.simulate_get(f"{HOSTS}/node-1").status_code == 404


def test_retired_hosts_are_not_listed(api: testing.TestClient, fleet: Engine) -> None:
    for number in (1, 2):
        enlist(fleet, number)
    store.retire(fleet, uuid(1))

    assert found(api) == ["node-2"]
    assert api.simulate_get(f"{HOSTS}/{uuid(1)}").status_code == 404


class TestPages:
    def test_a_page_names_the_next_one(self, api: testing.TestClient, fleet: Engine) -> None:
        store.upsert_many(fleet, [record(number) for number in (1, 2, 3)])

        first = api.simulate_get(f"{HOSTS}/", query_string="limit=2&sort_key=cpus&sort_dir=desc").json

        assert [host["hostname"] for host in first["hosts"]] == ["node-3", "node-2"]
        assert first["next"] == (
            f"http://falconframework.org/v1/hosts?sort_key=cpus&sort_dir=desc&limit=2&marker={uuid(2)}"
        )
        last = api.simulate_get(HOSTS, query_string=urlsplit(first["next"]).query).json
        assert ([host["hostname"] for host in last["hosts"]], last["next"]) == (["node-1"], None)

    def test_the_server_has_a_limit_of_its_own(self, fleet: Engine, settings: Settings) -> None:
        api = client(fleet, replace(settings, api=replace(settings.api, max_limit=2)))
        store.upsert_many(fleet, [record(number) for number in (1, 2, 3)])

        assert found(api) == found(api, "limit=3") == found(api, f"limit={9**99}") == ["node-1", "node-2"]

    def test_every_key_sorts(self, api: testing.TestClient, fleet: Engine) -> None:
        for key in hosts.SORT_KEYS:
            store.upsert_many(fleet, [record(number) for number in (1, 2)])

            assert found(api, f"sort_key={key}") == ["node-1", "node-2"]

    @limits(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        key=st.sampled_from(["hostname", "cpus", "total_containers", "os"]),
        direction=st.sampled_from(["asc", "desc"]),
        size=st.integers(1, 8),
        containers=st.lists(st.none() | st.integers(0, 2), min_size=7, max_size=7),
    )
    def test_following_the_links_gives_each_host_once_in_order(
        self, api: testing.TestClient, fleet: Engine, key: str, direction: str, size: int, containers: list[int | None]
    ) -> None:
        store.upsert_many(
            fleet, [record(number, no_of_containers=count) for number, count in enumerate(containers, start=1)]
        )
        order = f"sort_key={key}&sort_dir={direction}"
        whole = found(api, order)
        assert sorted(whole) == [f"node-{number}" for number in range(1, 8)]

        paged, query = [], f"{order}&limit={size}"
        while query:
            answer = api.simulate_get(HOSTS, query_string=query).json
            assert 1 <= len(answer["hosts"]) <= size
            paged += [host["hostname"] for host in answer["hosts"]]
            query = urlsplit(answer["next"] or "").query
        assert paged == whole


class TestWrongInputs:
    def test_a_limit_is_a_number_above_zero(self, api: testing.TestClient) -> None:
        for limit in ["0", "-1", "x", "1.5", "", "٣", "0x1"]:
            told = (400, "container.invalid-value", "Limit must be positive integer")
            assert refused(api, params={"limit": limit}) == told

    def test_a_sort_key_is_one_of_zuns(self, api: testing.TestClient) -> None:
        for key in ["bogus", "facts", "labels", "uuid;--", "hypervisor_hostname"]:
            told = f'The sort_key value "{key}" is an invalid field for sorting'
            assert refused(api, params={"sort_key": key}) == (400, "container.invalid-parameter-value", told)

    def test_a_direction_is_one_of_two(self, api: testing.TestClient) -> None:
        told = "Invalid sort direction: up. Acceptable values are 'asc' or 'desc'"
        assert refused(api, params={"sort_dir": "up"}) == (400, "container.invalid-value", told)

    def test_a_marker_is_the_uuid_of_a_host(self, api: testing.TestClient, fleet: Engine) -> None:
        for marker in [uuid(9), "node-1", "x"]:
            store.upsert(fleet, record(1))

            told = f"Compute node {marker} could not be found."
            assert refused(api, params={"marker": marker}) == (404, "container.compute-node-not-found", told)

    def test_a_host_that_is_not_there_is_not_found(self, api_everywhere: testing.TestClient) -> None:
        for name in ("nosuch", uuid(9), "'; DROP TABLE compute_host; --", "%F0%9F%92%A5", "%FF"):
            status, code, title = refused(api_everywhere, f"{HOSTS}/{name}")
            assert (status, code) == (404, "container.compute-node-not-found")
            assert title == f"Compute node {unquote(name)} could not be found."

    def test_a_method_that_is_not_there_is_told_with_those_there_are(self, api: testing.TestClient) -> None:
        answer = api.simulate_post(HOSTS)

        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert answer.json["errors"][0]["code"] == "container.method-not-allowed"


class TestVersions:
    def test_the_version_is_negotiated_by_zuns_header(self, api: testing.TestClient) -> None:
        for asked, served in [
            (None, "1.40"),
            ("container 1.4", "1.4"),
            ("container 1.40", "1.40"),
            ("container latest", "1.40"),
            ("compute 2.53, container 1.30", "1.30"),
            ("container 1.20, container 1.30", "1.30"),
        ]:
            answer = api.simulate_get(HOSTS, headers={} if asked is None else {"OpenStack-API-Version": asked})

            assert answer.status_code == 200
            assert {name: answer.headers[name] for name in answer.headers if "version" in name or name == "vary"} == {
                "openstack-api-version": f"container {served}",
                "openstack-api-minimum-version": "container 1.1",
                "openstack-api-maximum-version": "container 1.40",
                "vary": "OpenStack-API-Version",
            }

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            ("container 1.3", "Version 1.3 was requested but the requested API is not supported for this version."),
            (
                "container 1.41",
                f"Version 1.41 was requested but the minor version is not supported by this service. {SERVED}",
            ),
            (
                "container 2.1",
                f"Mutually exclusive versions requested. Version 2.1 requested but {NOT_SUPPORTED} {SERVED}",
            ),
            ("container x", "Invalid value for OpenStack-API-Version header"),
            ("container", "Invalid value for OpenStack-API-Version header"),
            ("compute 2.53", "Invalid service type for OpenStack-API-Version header"),
        ],
    )
    @pytest.mark.parametrize("path", [HOSTS, f"{HOSTS}/node-1"])
    def test_what_is_not_served_is_not_acceptable(
        self, api: testing.TestClient, path: str, asked: str, told: str
    ) -> None:
        headers = {"OpenStack-API-Version": asked}

        assert refused(api, path, headers=headers) == (406, "container.microversion-unsupported", told)
        answer = api.simulate_get(path, headers=headers)
        assert answer.headers["openstack-api-maximum-version"] == "container 1.40"
        assert answer.headers["vary"] == "OpenStack-API-Version"

    def test_what_is_ours_below_the_same_path_ignores_the_header(self, api: testing.TestClient, fleet: Engine) -> None:
        store.upsert(fleet, record(1))

        answer = api.simulate_get(f"{HOSTS}/node-1/numa", headers={"OpenStack-API-Version": "container 1.1"})

        assert answer.status_code == 200
        assert "openstack-api-version" not in answer.headers
