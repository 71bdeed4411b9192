# SPDX-License-Identifier: Apache-2.0
"""``os-hypervisors``: what each version tells of which hosts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from falcon import testing
from sqlalchemy import update

from host_agent import store
from host_agent.api.nova import hypervisors
from host_agent.api.operation import Operation
from host_agent.settings import Settings
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS, SERVICES
from tests.host_agent.api.conftest import client
from tests.host_agent.api.nova.asking import fault, fits
from tests.host_agent.api.nova.hypervisors import HYPERVISORS, ask, ids, told
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import BOOT, age, claim, enlist
from tests.host_agent.store.workloads import discovery, report, vm, vm_uuid

BRIEF = {"id", "hypervisor_hostname", "state", "status"}
WHO = {"hypervisor_type", "hypervisor_version", "host_ip", "service"}
RESOURCES = {
    *("vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used", "free_ram_mb"),
    *("free_disk_gb", "current_workload", "running_vms", "disk_available_least"),
}
EVERY_VERSION = [f"2.{minor}" for minor in range(1, 105)]


def change(engine: Engine, **columns: object) -> None:
    with engine.begin() as connection:
        connection.execute(update(HOSTS).values(columns))


def test_every_version_tells_its_own_fields(fleet: Engine, api: testing.TestClient) -> None:
    enlist(fleet)
    for version in EVERY_VERSION:
        minor = int(version.removeprefix("2."))
        wanted = BRIEF | WHO | (RESOURCES | {"cpu_info"} if minor < 88 else {"uptime"})
        brief, detailed = told(api, "", version), told(api, "/detail", version)
        ((one,), (host,)) = brief["hypervisors"], detailed["hypervisors"]

        assert (set(one), set(host)) == (BRIEF, wanted), version
        assert one["id"] == (1 if minor < 53 else uuid(1)), version
        assert host["service"]["id"] == (1 if minor < 53 else store.service_uuid(uuid(1), "nova-compute")), version
        if minor < 88:
            assert type(host["cpu_info"]) is (str if minor < 28 else dict), version
        shown = told(api, f"/{one['id']}", version)
        assert shown["hypervisor"].pop("uptime", None) == host.pop("uptime", None), version
        assert shown["hypervisor"] == host, version


@pytest.mark.parametrize("version", ["2.1", "2.28", "2.33", "2.53", "2.75", "2.88", "2.104"])
def test_answers_fit_their_schemas(fleet: Engine, api: testing.TestClient, version: str) -> None:
    enlist(fleet)
    store.record_workload(fleet, vm(1), "node-1")
    strict = {"with_servers": "yes"} if version >= "2.53" else {}
    paged = {"limit": "1"} if version >= "2.33" else {}

    def check(operation: Operation, path: str, **query: str) -> Any:
        return fits(ask(api, path, version, **query), operation, version)

    name = check(hypervisors.LIST, "", **strict, **paged)["hypervisors"][0]["id"]
    check(hypervisors.DETAIL, "/detail", **strict, **paged)
    check(hypervisors.SHOW, f"/{name}", **strict)
    if version in ("2.1", "2.28", "2.33"):
        check(hypervisors.SEARCH, "/node/search")
        check(hypervisors.SERVERS, "/node/servers")
    if version not in ("2.88", "2.104"):
        check(hypervisors.UPTIME, f"/{name}/uptime")
        check(hypervisors.STATISTICS, "/statistics")


def test_a_host_is_told_as_it_is_stored(fleet: Engine, api: testing.TestClient) -> None:
    lease = store.register(fleet, claim()).lease
    facts = record(
        boot_id=BOOT,
        hypervisor_type="QEMU",
        hypervisor_version=8002002,
        local_gb=100,
        disk_available_least=-3,
        reserved_host_memory_mb=512,
    )
    store.upsert(fleet, facts, lease, discovery(vm(1)))

    (host,) = told(api, "/detail", "2.28")["hypervisors"]

    cpu_info = host.pop("cpu_info")
    assert cpu_info == json.loads(facts.cpu_info)
    assert cpu_info["topology"] == {"cells": 2, "sockets": 1, "cores": 2, "threads": 2}
    assert host == {
        "id": 1,
        "hypervisor_hostname": "node-1",
        "state": "up",
        "status": "enabled",
        "hypervisor_type": "QEMU",
        "hypervisor_version": 8002002,
        "host_ip": "192.0.2.1",
        "service": {"id": lease.service_id, "host": "node-1", "disabled_reason": None},
        "vcpus": 8,
        "vcpus_used": 4,
        "memory_mb": facts.memory_mb,
        "memory_mb_used": 10 * 1024 + 512,
        "free_ram_mb": (facts.memory_mb or 0) - 10 * 1024 - 512,
        "local_gb": 100,
        "local_gb_used": 80,
        "free_disk_gb": 20,
        "running_vms": 1,
        "current_workload": 0,
        "disk_available_least": -3,
    }


def test_what_is_not_known_is_what_nova_begins_with(fleet: Engine, api: testing.TestClient) -> None:
    enlist(fleet)
    change(fleet, **dict.fromkeys([*RESOURCES, "hypervisor_type", "hypervisor_version", "host_ip"]), cpu_info=None)

    (host,) = told(api, "/detail", "2.27")["hypervisors"]
    (newer,) = told(api, "/detail", "2.28")["hypervisors"]

    assert {name: host[name] for name in RESOURCES - {"disk_available_least"}} == dict.fromkeys(
        RESOURCES - {"disk_available_least"}, 0
    )
    assert (host["hypervisor_type"], host["hypervisor_version"]) == ("", 0)
    assert (host["host_ip"], host["disk_available_least"]) == (None, None)
    assert (host["cpu_info"], newer["cpu_info"]) == ("", {})


@pytest.mark.parametrize("text", ["{", "[]", "null", "7", '{"a": nonsense}', "", '{"a": 1} x'])
def test_a_cpu_info_of_another_program_harms_no_answer(fleet: Engine, api: testing.TestClient, text: str) -> None:
    enlist(fleet)
    change(fleet, cpu_info=text)

    assert told(api, "/detail", "2.28")["hypervisors"][0]["cpu_info"] == {}
    assert told(api, "/detail", "2.27")["hypervisors"][0]["cpu_info"] == text


def test_the_state_is_that_of_the_service(fleet: Engine, api: testing.TestClient) -> None:
    for number in (1, 2, 3):
        enlist(fleet, number)
    age(fleet, "last_seen_up", 3600, number=1)
    mine = SERVICES.c.uuid == store.service_uuid(uuid(2), "nova-compute")
    with fleet.begin() as connection:
        changes = {"disabled": True, "disabled_reason": "broken", "forced_down": True}
        connection.execute(update(SERVICES).where(mine).values(changes))

    hosts = told(api, "/detail", "2.53")["hypervisors"]

    assert [(host["state"], host["status"], host["service"]["disabled_reason"]) for host in hosts] == [
        ("down", "enabled", None),
        ("down", "disabled", "broken"),
        ("up", "enabled", None),
    ]


def test_the_list_of_old_versions_is_whole(fleet: Engine, settings: Settings) -> None:
    for number in (1, 2, 3):
        enlist(fleet, number)
    api = client(fleet, replace(settings, api=replace(settings.api, max_limit=2)))

    assert told(api, "", "2.32", limit="1", marker="1") == told(api, "", "2.1")
    assert ids(told(api, "", "2.1")) == [1, 2, 3]
    assert "hypervisors_links" not in told(api, "", "2.1")


@pytest.mark.parametrize("path", ["", "/detail"])
@pytest.mark.parametrize("prefix", ["/v2.1", "/v2.1/some-project"])
def test_links_lead_through_all_pages(fleet: Engine, api: testing.TestClient, path: str, prefix: str) -> None:
    for number in range(1, 6):
        enlist(fleet, number)
    url = f"http://falconframework.org{prefix}/os-hypervisors{path}?limit=2&with_servers=true"
    pages = []
    while url:
        parts = urlsplit(url)
        headers = {"OpenStack-API-Version": "compute 2.53"}
        body = api.simulate_get(parts.path, query_string=parts.query, headers=headers).json
        pages.append(ids(body))
        (link,) = body.get("hypervisors_links", [{"rel": "next", "href": ""}])
        assert link["rel"] == "next"
        url = link["href"]
        if url:
            assert urlsplit(url).path == f"{prefix}/os-hypervisors{path}"
            assert parse_qs(urlsplit(url).query) == {
                "limit": ["2"],
                "with_servers": ["true"],
                "marker": [pages[-1][-1]],
            }

    assert pages == [[uuid(1), uuid(2)], [uuid(3), uuid(4)], [uuid(5)]]


def test_a_page_is_as_long_as_asked_for_and_as_allowed(fleet: Engine, settings: Settings) -> None:
    for number in range(1, 5):
        enlist(fleet, number)
    api = client(fleet, replace(settings, api=replace(settings.api, max_limit=3)))

    for limit, length in (("1", 1), ("3", 3), ("5000", 3), ("9" * 5000, 3), ("000002", 2), ("0", 0), ("00", 0)):
        body = told(api, "", "2.53", limit=limit)
        assert len(body["hypervisors"]) == length
        assert ("hypervisors_links" in body) is (length > 0)
    assert len(told(api, "", "2.53")["hypervisors"]) == 3
    assert "hypervisors_links" not in told(api, "", "2.53", limit="3", marker=uuid(2))


def test_the_last_limit_of_several_counts_until_they_are_fault(fleet: Engine, api: testing.TestClient) -> None:
    for number in (1, 2, 3):
        enlist(fleet, number)
    headers = {"X-OpenStack-Nova-API-Version": "2.33"}

    body = api.simulate_get(HYPERVISORS, query_string="limit=1&limit=2&x=y", headers=headers).json

    assert ids(body) == [1, 2]
    assert parse_qs(urlsplit(body["hypervisors_links"][0]["href"]).query) == {
        "limit": ["1", "2"],
        "x": ["y"],
        "marker": ["2"],
    }


def test_pages_by_number_follow_one_another(fleet: Engine, api: testing.TestClient) -> None:
    for number in (1, 2, 3):
        enlist(fleet, number)

    assert ids(told(api, "", "2.33", limit="2", marker="1")) == [2, 3]
    assert ids(told(api, "", "2.53", limit="2", marker=uuid(1).upper())) == [uuid(2), uuid(3)]


def test_a_retired_host_is_gone(fleet: Engine, api: testing.TestClient) -> None:
    for number in (1, 2):
        enlist(fleet, number)
    store.retire(fleet, uuid(1))

    assert ids(told(api, "/detail", "2.53")) == [uuid(2)]
    assert ask(api, f"/{uuid(1)}", "2.53").status_code == 404


def test_hosts_are_found_by_a_part_of_their_names(fleet: Engine, api: testing.TestClient) -> None:
    for number in (1, 2, 11):
        enlist(fleet, number)

    assert ids(told(api, "/node-1/search")) == [1, 3]
    assert told(api, "/NODE-1/search", "2.52", with_servers="True") == told(api, "/node-1/search")
    assert ids(told(api, "", "2.53", hypervisor_hostname_pattern="node-1")) == [uuid(1), uuid(11)]
    assert "vcpus" in told(api, "/detail", "2.53", hypervisor_hostname_pattern="_ode-2")["hypervisors"][0]


def test_the_pattern_is_ignored_where_it_is_a_path(fleet: Engine, api: testing.TestClient) -> None:
    enlist(fleet)

    assert ids(told(api, "", "2.52", hypervisor_hostname_pattern="nomatch", with_servers="yes")) == [1]
    assert "servers" not in told(api, "/1", "2.52", with_servers="yes")["hypervisor"]
    refusal = (404, "No hypervisor matching 'nomatch' could be found.")
    assert fault(ask(api, "", "2.53", hypervisor_hostname_pattern="nomatch")) == refusal


def test_servers_are_what_runs_there(fleet: Engine, api: testing.TestClient) -> None:
    for number in (1, 2):
        enlist(fleet, number)
    store.record_workload(fleet, vm(1), "node-1")
    report(fleet, 1, discovery(vm(1), vm(2, name="")))
    servers = [{"name": vm_uuid(2), "uuid": vm_uuid(2)}, {"name": "vm-1", "uuid": vm_uuid(1)}]

    def running(version: str, path: str = "", **query: str) -> list[object]:
        return [host.get("servers") for host in told(api, path, version, **query)["hypervisors"]]

    assert running("2.1", "/node/servers") == [servers, None]
    assert running("2.1", "/node/search") == [None, None]
    for path in ("", "/detail"):
        assert running("2.53", path, with_servers="True") == [servers, None]
        assert running("2.74", path, with_servers="on", hypervisor_hostname_pattern="node") == [servers, None]
        assert running("2.75", path, with_servers="1") == [servers, []]
        assert running("2.75", path, with_servers="no") == running("2.75", path) == [None, None]
    assert told(api, f"/{uuid(1)}", "2.53", with_servers="true")["hypervisor"]["servers"] == servers
    assert "servers" not in told(api, f"/{uuid(2)}", "2.74", with_servers="true")["hypervisor"]
    assert told(api, f"/{uuid(2)}", "2.75", with_servers="true")["hypervisor"]["servers"] == []


def test_the_uptime_goes_on_after_the_report(fleet: Engine, api: testing.TestClient) -> None:
    enlist(fleet)
    change(fleet, sequence=86_400_000_000, users=2, load_average="[0.5,0.25,12]")
    age(fleet, "updated_at", 2 * 3600 + 30, HOSTS)
    line = "up 1 day,  2:00,  2 users,  load average: 0.50, 0.25, 12.00"

    for version, name in (("2.1", "1"), ("2.52", "1"), ("2.53", uuid(1)), ("2.87", uuid(1))):
        host = told(api, f"/{name}/uptime", version)["hypervisor"]
        assert set(host) == BRIEF | {"uptime"}
        assert host["uptime"].partition("up ")[2] == line.removeprefix("up ")
    assert told(api, f"/{uuid(1)}", "2.88")["hypervisor"]["uptime"].endswith(line)
    assert ask(api, f"/{uuid(1)}/uptime", "2.88").status_code == 404


@pytest.mark.parametrize(
    "unknown",
    [{"users": None}, {"load_average": None}, {"sequence": None}, {"updated_at": None}, {"load_average": "[1]"}],
    ids=str,
)
def test_an_uptime_that_is_not_known_is_not_told(
    fleet: Engine, api: testing.TestClient, unknown: dict[str, object]
) -> None:
    enlist(fleet)
    change(fleet, **unknown)

    assert fault(ask(api, "/1/uptime")) == (501, "The requested functionality is not supported.")
    assert told(api, f"/{uuid(1)}", "2.88")["hypervisor"]["uptime"] is None


def test_the_uptime_of_a_host_that_is_down_is_nothing(fleet: Engine, api: testing.TestClient) -> None:
    enlist(fleet)
    age(fleet, "last_seen_up", 3600)

    for version, name in (("2.1", "1"), ("2.53", uuid(1))):
        refusal = (400, "Compute service of node-1 is unavailable at this time.")
        assert fault(ask(api, f"/{name}/uptime", version)) == refusal
    assert told(api, "/detail", "2.88")["hypervisors"][0]["uptime"] is None


def test_the_statistics_are_the_sum(fleet: Engine, api: testing.TestClient) -> None:
    for number in (1, 2):
        enlist(fleet, number)

    for version in ("2.1", "2.87"):
        statistics = told(api, "/statistics", version, anything="goes")["hypervisor_statistics"]
        assert (statistics["count"], statistics["vcpus"]) == (2, 16)
        assert all(type(value) is int for value in statistics.values())


def test_it_is_the_same_on_every_database(engine: Engine, api_everywhere: testing.TestClient) -> None:
    for number in (1, 2):
        enlist(engine, number)
    store.record_workload(engine, vm(1), "node-1")

    for version in ("2.1", "2.28", "2.53", "2.88"):
        (one, _) = told(api_everywhere, "/detail", version)["hypervisors"]
        assert one["state"] == "up"
        assert one["hypervisor_hostname"] == "node-1"
        assert told(api_everywhere, f"/{one['id']}", version)["hypervisor"]["service"] == one["service"]
    assert told(api_everywhere, "/detail", "2.88")["hypervisors"][0]["uptime"].endswith(
        "load average: 0.50, 0.25, 0.12"
    )
    page = told(api_everywhere, "", "2.53", limit="1", marker=uuid(1), with_servers="true")
    assert ids(page) == [uuid(2)]
    assert ids(told(api_everywhere, "/NODE-2/search")) == [told(api_everywhere)["hypervisors"][1]["id"]]
    assert fault(ask(api_everywhere, f"/{2**63 - 1}"))[0] == 404
