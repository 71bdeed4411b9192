# SPDX-License-Identifier: Apache-2.0
"""Workloads as an orchestrator writes them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from falcon import testing
from jsonschema import validate

from host_agent import store
from host_agent.api.own import workloads
from host_agent.store.engine import Engine
from tests.host_agent.facts import GIB, record
from tests.host_agent.store.workloads import report, used, vm_uuid

WORKLOADS = "/v1/workloads"
MOST = 2**63 - 1

# As contracts have it.
WEB: dict[str, Any] = {
    "name": "web",
    "engine": "libvirt",
    "kind": "vm",
    "state": "running",
    "host": "node-1",
    "vcpus": 2.5,
    "cpuset": "0-3,8",
    "memory_bytes": 10 * GIB,
    "hugepages": [{"size_bytes": 2**21, "count": 4}],
    "disk_bytes": 80 * GIB,
    "numa_nodes": [0, 1],
    "labels": {"team": "shop", "note": "two\nlines"},
}


def put(api: testing.TestClient, body: object = None, uuid: str = vm_uuid(1), **changes: Any) -> testing.Result:
    answer = api.simulate_put(f"{WORKLOADS}/{uuid}", json={**WEB, **changes} if body is None else body)
    if answer.status_code < 300:
        assert workloads.UPDATE.returns is not None
        validate(answer.json, workloads.UPDATE.returns)
    return answer


def refused(answer: testing.Result) -> str:
    assert answer.status_code == 400, answer.text
    message: str = answer.json["error"]["message"]
    return message


def test_a_workload_is_created_replaced_shown_and_forgotten(api_everywhere: testing.TestClient, engine: Engine) -> None:
    api, path = api_everywhere, f"{WORKLOADS}/{vm_uuid(1)}"
    report(engine)

    created = put(api)
    assert (created.status_code, created.headers["location"]) == (201, f"http://falconframework.org{path}")
    stored = created.json
    assert {name: stored[name] for name in WEB} == WEB
    assert (stored["uuid"], stored["missing_since"]) == (vm_uuid(1), None)
    assert stored["created_at"].endswith("Z")
    assert used(engine) == (3, 10240, 80)
    assert api.simulate_get(path).json == stored

    repeated = put(api)
    assert (repeated.status_code, repeated.json) == (200, stored)
    assert "location" not in repeated.headers

    moved = put(api, host="node-2", state="Paused")
    assert (moved.status_code, moved.json["host"], moved.json["state"]) == (200, "node-2", "paused")
    assert moved.json["created_at"] == stored["created_at"]
    assert used(engine) == (0, 0, 0)

    gone = api.simulate_delete(path)
    assert (gone.status_code, gone.text) == (204, "")
    assert api.simulate_get(path).status_code == api.simulate_delete(path).status_code == 404


def test_what_is_left_out_is_unknown(api: testing.TestClient) -> None:
    answer = put(api, {"host": None})

    assert answer.status_code == 201
    known = {name: value for name, value in answer.json.items() if value is not None}
    assert set(known) == {"uuid", "labels", "created_at", "updated_at"}
    assert known["labels"] == {}


def test_a_uuid_is_one_in_every_form(api: testing.TestClient) -> None:
    for form in [vm_uuid(1).upper(), vm_uuid(1).replace("-", ""), f"{{{vm_uuid(1)}}}"]:
        put(api)

        assert put(api, uuid=form).status_code == 200
        assert api.simulate_get(f"{WORKLOADS}/{form}").json["uuid"] == vm_uuid(1)
        assert api.simulate_delete(f"{WORKLOADS}/{form}").status_code == 204


def test_what_is_no_uuid_is_refused(api: testing.TestClient) -> None:
    for uuid in ["web", "1", "..", "a" * 300]:
        assert "not a uuid" in refused(put(api, uuid=uuid))
        assert api.simulate_get(f"{WORKLOADS}/{uuid}").status_code == 400
        assert api.simulate_delete(f"{WORKLOADS}/{uuid}").status_code == 400


WRONG: list[tuple[str, Any]] = [
    ("name", "a" * 256),
    ("name", "nul\0"),
    ("name", "line\n"),
    ("name", ""),
    ("name", 1),
    ("engine", "\x1b[31m"),
    ("kind", "pod"),
    ("state", "\x7f"),
    ("host", ""),
    ("host", ["node-1"]),
    ("vcpus", -1),
    ("vcpus", 65537),
    ("vcpus", "2"),
    ("vcpus", True),
    ("cpuset", "3-0"),
    ("cpuset", "0-65536"),
    ("cpuset", "all"),
    ("cpuset", [0, 1]),
    ("memory_bytes", -1),
    ("memory_bytes", MOST + 1),
    ("memory_bytes", 1.5),
    ("disk_bytes", 10**30),
    ("hugepages", {}),
    ("numa_nodes", [0, 0]),
    ("numa_nodes", 0),
    ("labels", []),
    ("hosts", "node-1"),
    ("created_at", "2026-01-01T00:00:00Z"),
]


def test_what_no_workload_can_have_is_refused_and_named(api: testing.TestClient) -> None:
    for field, value in WRONG:
        assert field in refused(put(api, **{field: value}))
        assert api.simulate_get(f"{WORKLOADS}/{vm_uuid(1)}").status_code == 404


WRONG_INSIDE: list[tuple[dict[str, Any], str]] = [
    ({"hugepages": [{"size_bytes": 0, "count": 1}]}, "size_bytes. Value: 0. 0 is less than the minimum of 1"),
    ({"hugepages": [{"size_bytes": 2**21}]}, "'count' is a required property"),
    ({"hugepages": [{"size_bytes": 2**21, "count": -1}]}, "count. Value: -1. -1 is less than the minimum of 0"),
    ({"hugepages": [{"size_bytes": 2**21, "count": 1, "node": 0}]}, "('node' was unexpected)"),
    ({"numa_nodes": [-1]}, "Value: -1. -1 is less than the minimum of 0"),
    ({"numa_nodes": ["0"]}, "'0' is not of type 'integer'"),
    ({"labels": {"team": 1}}, "team. Value: 1. 1 is not of type 'string'"),
    ({"labels": {"te\0am": "x"}}, "does not match"),
]


def test_what_is_wrong_deeper_inside_is_named_too(api: testing.TestClient) -> None:
    for changes, told in WRONG_INSIDE:
        assert told in refused(put(api, **changes))


def test_a_body_that_is_none_is_refused(api: testing.TestClient) -> None:
    for body in [b"", b"{", b"[]", b"null", b"{}", b'{"host": "\xff"}', b"[" * 5000]:
        refused(api.simulate_put(f"{WORKLOADS}/{vm_uuid(1)}", body=body))


def test_the_largest_sizes_are_taken_by_every_database(api_everywhere: testing.TestClient, engine: Engine) -> None:
    report(engine)
    pages = [{"size_bytes": 2**21, "count": 2**40}]
    largest = {"vcpus": 65536, "memory_bytes": MOST, "disk_bytes": MOST, "hugepages": pages, "cpuset": None}

    for number in (1, 2, 3):
        answer = put(api_everywhere, uuid=vm_uuid(number), **largest)
        assert (answer.status_code, answer.json["memory_bytes"]) == (201, MOST)
    assert used(engine)[0] == 3 * 65536
    assert api_everywhere.simulate_get("/v1/hosts/node-1/numa").status_code == 200


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(api: testing.TestClient) -> None:
    body = json.dumps({**WEB, "memory_bytes": 1.0, "numa_nodes": [1.0]})

    answer = api.simulate_put(f"{WORKLOADS}/{vm_uuid(1)}", body=body)

    assert answer.status_code == 201
    assert '"memory_bytes":1,' in answer.text
    assert '"numa_nodes":[1]' in answer.text


def test_they_are_listed_in_pages_by_host(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record())
    for number, host in ((1, "node-1"), (2, "node-2"), (3, "node-1"), (4, "node-1")):
        put(api, uuid=vm_uuid(number), name=f"web-{number}", host=host)

    query, seen = "host=node-1&limit=2", []
    while query:
        answer = api.simulate_get(WORKLOADS, query_string=query).json
        assert workloads.LIST.returns is not None
        validate(answer, workloads.LIST.returns)
        seen.append([workload["name"] for workload in answer["workloads"]])
        query = urlsplit(answer["next"] or "").query

    assert seen == [["web-1", "web-3"], ["web-4"]]
    assert len(api.simulate_get(WORKLOADS).json["workloads"]) == 4
    assert api.simulate_get(WORKLOADS, query_string="host=nosuch").json == {"workloads": [], "next": None}


def test_what_is_wrong_in_a_query_is_refused(api: testing.TestClient) -> None:
    for query in ["limit=0", "marker=web", f"marker={vm_uuid(9)}", "host=%00", "host=a&host=b", "x=1"]:
        refused(api.simulate_get(WORKLOADS, query_string=query))
