# SPDX-License-Identifier: Apache-2.0
"""Migrations as an orchestrator writes them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from falcon import testing
from jsonschema import validate

from host_agent import store
from host_agent.api.own import migrations
from host_agent.store.engine import Engine
from tests.host_agent.facts import GIB
from tests.host_agent.store.workloads import report, used, vm, vm_uuid

MIGRATIONS = "/v1/migrations"
# As contracts have it, without the sizes, which may be left out.
MOVE: dict[str, Any] = {
    "workload_uuid": vm_uuid(1),
    "source_host": "node-1",
    "dest_host": "node-2",
    "status": "running",
    "migration_type": "live-migration",
}


def move_uuid(number: int = 1) -> str:
    return f"bbbbbbbb-0000-4000-8000-{number:012d}"


def put(api: testing.TestClient, number: int = 1, **changes: Any) -> testing.Result:
    answer = api.simulate_put(f"{MIGRATIONS}/{move_uuid(number)}", json={**MOVE, **changes})
    if answer.status_code < 300:
        assert migrations.UPDATE.returns is not None
        validate(answer.json, migrations.UPDATE.returns)
    return answer


def test_a_migration_is_created_followed_shown_and_forgotten(
    api_everywhere: testing.TestClient, engine: Engine
) -> None:
    api, path = api_everywhere, f"{MIGRATIONS}/{move_uuid()}"
    for number in (1, 2):
        report(engine, number)
    store.record_workload(engine, vm(), "node-1")

    created = put(api)
    assert (created.status_code, created.headers["location"]) == (201, f"http://falconframework.org{path}")
    stored = created.json
    sizes = {"vcpus": None, "memory_bytes": None, "disk_bytes": None}
    assert {name: stored[name] for name in (*MOVE, *sizes)} == {**MOVE, **sizes}
    assert used(engine, 2) == (4, 10240, 80)
    assert api.simulate_get(path).json == stored

    repeated = put(api)
    assert (repeated.status_code, repeated.json) == (200, stored)

    larger = put(api, vcpus=8, memory_bytes=16 * GIB, disk_bytes=0)
    assert (larger.status_code, larger.json["vcpus"], larger.json["memory_bytes"]) == (200, 8, 16 * GIB)
    assert used(engine, 2) == (8, 16384, 0)

    assert put(api, status="Completed").json["status"] == "completed"
    assert used(engine, 2) == (0, 0, 0)

    gone = api.simulate_delete(path)
    assert (gone.status_code, gone.text) == (204, "")
    assert api.simulate_get(path).status_code == api.simulate_delete(path).status_code == 404


def test_the_workload_need_not_be_recorded_and_is_known_in_every_form(api: testing.TestClient) -> None:
    answer = put(api, workload_uuid=vm_uuid(7).upper(), source_host=None)

    assert (answer.status_code, answer.json["workload_uuid"], answer.json["source_host"]) == (201, vm_uuid(7), None)


WRONG: list[tuple[str, Any]] = [
    ("workload_uuid", "web"),
    ("workload_uuid", None),
    ("source_host", ""),
    ("dest_host", "a\0"),
    ("status", None),
    ("status", ""),
    ("status", "x" * 256),
    ("migration_type", "\n"),
    ("vcpus", -0.5),
    ("memory_bytes", 2**63),
    ("disk_bytes", "1G"),
    ("state", "running"),
]


def test_what_no_migration_can_have_is_refused_and_named(api: testing.TestClient) -> None:
    for field, value in WRONG:
        answer = put(api, **{field: value})

        assert answer.status_code == 400
        assert field in answer.json["error"]["message"]
        assert api.simulate_get(f"{MIGRATIONS}/{move_uuid()}").status_code == 404


def test_what_says_where_to_and_how_far_is_needed(api: testing.TestClient) -> None:
    for left_out in ["workload_uuid", "source_host", "dest_host", "status"]:
        body = {name: value for name, value in MOVE.items() if name != left_out}

        answer = api.simulate_put(f"{MIGRATIONS}/{move_uuid()}", json=body)

        assert (answer.status_code, answer.json["error"]["message"]) == (400, f"'{left_out}' is a required property")


def test_they_are_listed_in_pages_by_host_and_by_progress(api: testing.TestClient) -> None:
    put(api, 1, status="done")
    put(api, 2, dest_host="node-3")
    put(api, 3, source_host="node-2", dest_host="node-1")
    put(api, 4, source_host="node-2", dest_host="node-3")

    def listed(query: str) -> list[list[int]]:
        seen = []
        while query:
            answer = api.simulate_get(MIGRATIONS, query_string=query).json
            assert migrations.LIST.returns is not None
            validate(answer, migrations.LIST.returns)
            seen.append([int(one["uuid"][-1]) for one in answer["migrations"]])
            query = urlsplit(answer["next"] or "").query
        return seen

    assert listed("limit=3") == [[1, 2, 3], [4]]
    assert listed("host=node-1&limit=2") == [[1, 2], [3]]
    assert listed("host=node-1&in_progress=true") == [[2, 3]]
    assert listed("in_progress=false") == [[1, 2, 3, 4]]


def test_what_is_wrong_in_a_query_is_refused(api: testing.TestClient) -> None:
    for query in ["in_progress=yes", "limit=-1", "marker=x", f"marker={move_uuid(9)}", "status=done"]:
        assert api.simulate_get(MIGRATIONS, query_string=query).status_code == 400


def test_what_is_no_uuid_is_refused(api: testing.TestClient) -> None:
    for uuid in ["move", "1"]:
        path = f"{MIGRATIONS}/{uuid}"
        answers = [api.simulate_get(path), api.simulate_put(path, json=MOVE), api.simulate_delete(path)]
        assert [answer.status_code for answer in answers] == [400, 400, 400]
