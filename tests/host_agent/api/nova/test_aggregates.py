# SPDX-License-Identifier: Apache-2.0
"""``os-aggregates`` on the wire, in every version that differs from the one before."""

from __future__ import annotations

from typing import Any

import pytest
from falcon import testing

from host_agent import store
from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.identity import Identity
from host_agent.api.nova import aggregates
from host_agent.api.operation import Operation
from host_agent.api.wsgi import build
from host_agent.settings import Settings
from host_agent.store.engine import Engine
from tests.host_agent.api.nova.asking import ask, fault, fits
from tests.host_agent.store.fleet import enlist
from tests.host_agent.store.workloads import vm

VERSIONS = ("2.1", "2.40", "2.41", "2.101", "2.102", "2.104")
TIME = len("2026-11-21T01:44:57.875187")

WRONG = "Invalid input for field/attribute"
NAME = "An invalid 'name' value was provided. The name must be: "
NO_ZONE = f"{WRONG} availability_zone. Value: {{0}}. '{{0}}' is not valid under any of the given schemas"
UNEXPECTED = "Additional properties are not allowed ('{}' was unexpected)"


@pytest.fixture
def hosts(fleet: Engine) -> Engine:
    """Give the database with node-1 and node-2."""
    for number in (1, 2):
        enlist(fleet, number)
    return fleet


def told(answer: testing.Result, operation: Operation, version: str = "2.104") -> dict[str, Any]:
    return dict(fits(answer, operation, version)["aggregate"])


def made(api: testing.TestClient, name: str, zone: str | None = None, version: str = "2.104") -> dict[str, Any]:
    body = {"aggregate": {"name": name, "availability_zone": zone}}
    return told(ask(api, "POST", "/os-aggregates", version, body), aggregates.CREATE, version)


def act(api: testing.TestClient, number: int, action: str, version: str = "2.104", **content: object) -> testing.Result:
    return ask(api, "POST", f"/os-aggregates/{number}/action", version, {action: content})


def test_an_aggregate_lives_through_all_that_can_be_done(hosts: Engine, api: testing.TestClient) -> None:
    for version in VERSIONS:
        lives(api, version)


def lives(api: testing.TestClient, version: str) -> None:
    own = set() if int(version[2:]) < 41 else {"uuid"}
    first = made(api, "one", "zone-a", version)
    path = f"/os-aggregates/{first['id']}"
    assert set(first) == own | {
        *("id", "name", "availability_zone", "created_at", "updated_at", "deleted", "deleted_at")
    }
    assert (first["name"], first["availability_zone"], first["updated_at"], first["deleted"]) == (
        *("one", "zone-a", None, False),
    )
    assert len(first["created_at"]) == TIME

    shown = told(ask(api, "GET", path, version), aggregates.SHOW, version)
    assert shown == first | {"hosts": [], "metadata": {"availability_zone": "zone-a"}}
    for host in ("node-2", "node-1"):
        full = told(act(api, first["id"], "add_host", version, host=host), aggregates.ACT, version)
    assert full == shown | {"hosts": ["node-1", "node-2"]}
    metadata = {"ssd": "true", "gone": None, "k:e.y _-": ""}
    full = told(act(api, first["id"], "set_metadata", version, metadata=metadata), aggregates.ACT, version)
    assert full["metadata"] == {"availability_zone": "zone-a", "ssd": "true", "k:e.y _-": ""}
    body = {"aggregate": {"name": " two ", "availability_zone": "zone-b"}}
    full = told(ask(api, "PUT", path, version, body), aggregates.UPDATE, version)
    assert (full["name"], full["availability_zone"], len(full["updated_at"])) == ("two", "zone-b", TIME)
    assert fits(ask(api, "GET", "/os-aggregates", version), aggregates.LIST, version)["aggregates"] == [full]

    for host in ("node-1", "node-2"):
        full = told(act(api, first["id"], "remove_host", version, host=host), aggregates.ACT, version)
    assert full["hosts"] == []
    gone = ask(api, "DELETE", path, version)
    assert (gone.status_code, gone.text) == (200, "")
    assert ask(api, "GET", "/os-aggregates", version).json == {"aggregates": []}


def test_it_is_the_same_on_every_backend(engine: Engine, api_everywhere: testing.TestClient) -> None:
    enlist(engine)
    first = made(api_everywhere, "one", "zone-a")
    told(act(api_everywhere, first["id"], "add_host", host="node-1"), aggregates.ACT)
    assert fault(act(api_everywhere, first["id"], "add_host", host="node-1"))[0] == 409
    assert fault(ask(api_everywhere, "GET", f"/os-aggregates/{2**63 - 1}"))[0] == 404
    shown = told(ask(api_everywhere, "GET", f"/os-aggregates/{first['id']}"), aggregates.SHOW)
    assert (shown["hosts"], shown["metadata"]) == (["node-1"], {"availability_zone": "zone-a"})
    assert (len(shown["created_at"]), shown["updated_at"]) == (TIME, None)


def test_what_can_be_no_aggregate_is_refused(fleet: Engine, api: testing.TestClient) -> None:
    unpadded = f"{NAME}printable characters. Can not start or end with whitespace."
    refused: list[tuple[Any, str]] = [
        ({}, f"{WRONG} aggregate. Value: {{}}. 'name' is a required property"),
        ({"name": ""}, f"{WRONG} name. Value: . '' should be non-empty"),
        ({"name": "a" * 256}, f"{WRONG} name. Value: {'a' * 256}. '{'a' * 256}' is too long"),
        ({"name": 1}, f"{WRONG} name. Value: 1. 1 is not of type 'string'"),
        (
            {"name": "a", "x": 1},
            f"{WRONG} aggregate. Value: {{'name': 'a', 'x': 1}}. {UNEXPECTED.format('x')}",
        ),
        *(({"name": name}, unpadded) for name in (" a", "a ", "\ta", "a\nb", "a\0", " ")),
        *(({"name": "a", "availability_zone": zone}, NO_ZONE.format(zone)) for zone in ("", " z", "a:b", "z" * 256)),
    ]
    for wanted, message in refused:
        assert fault(ask(api, "POST", "/os-aggregates", body={"aggregate": wanted})) == (400, message)
    assert store.list_aggregates(fleet) == []


def test_what_no_aggregate_can_become_is_refused(fleet: Engine, api: testing.TestClient) -> None:
    first = store.create_aggregate(fleet, "a", "zone-a")
    printable = f"{NAME}printable characters with at least one non space character"
    nameless = f"Cannot update aggregate {first.id}. Reason: an availability zone needs a name."
    refused: list[tuple[Any, str]] = [
        ({}, f"{WRONG} aggregate. Value: {{}}. {{}} is not valid under any of the given schemas"),
        ({"name": "  "}, printable),
        ({"name": " a\nb "}, printable),
        ({"availability_zone": "a:b"}, NO_ZONE.format("a:b")),
        ({"availability_zone": None}, nameless),
        ({"name": "b", "availability_zone": None}, nameless),
    ]
    for wanted, message in refused:
        assert fault(ask(api, "PUT", f"/os-aggregates/{first.id}", body={"aggregate": wanted})) == (400, message)
    assert store.list_aggregates(fleet) == [first]


def test_what_is_no_action_is_refused(hosts: Engine, api: testing.TestClient) -> None:
    first = store.create_aggregate(hosts, "a", "zone-a")
    host, key = "'^[a-zA-Z0-9-._]*$'", "'^[a-zA-Z0-9-_:. ]{1,255}$'"
    stays = "an aggregate that is an availability zone stays one: give it another name instead"
    one = {"host": "node-1"}
    refused: list[tuple[Any, str]] = [
        ({}, "Malformed request body"),
        ({"add_host": one, "remove_host": one}, "Malformed request body"),
        ({"bogus": one}, "There is no such action: bogus"),
        ({"add_host": {}}, f"{WRONG} add_host. Value: {{}}. 'host' is a required property"),
        ({"add_host": {"host": "a b"}}, f"{WRONG} host. Value: a b. 'a b' does not match {host}"),
        ({"remove_host": {"host": ""}}, f"{WRONG} host. Value: . '' should be non-empty"),
        ({"remove_host": one | {"x": 1}}, f"{WRONG} remove_host. Value: {one | {'x': 1}}. {UNEXPECTED.format('x')}"),
        ({"set_metadata": {"metadata": {"k": 1}}}, f"{WRONG} k. Value: 1. 1 is not of type 'string', 'null'"),
        (
            {"set_metadata": {"metadata": {"ü": "v"}}},
            f"{WRONG} metadata. Value: {{'ü': 'v'}}. 'ü' does not match any of the regexes: {key}",
        ),
        (
            {"set_metadata": {"metadata": {"availability_zone": None}}},
            f"Cannot update metadata of aggregate {first.id}. Reason: {stays}.",
        ),
    ]
    for body, message in refused:
        assert fault(ask(api, "POST", f"/os-aggregates/{first.id}/action", body=body)) == (400, message)
    assert store.list_aggregates(hosts) == [first]


def test_what_is_not_there_is_said(hosts: Engine, api: testing.TestClient) -> None:
    first = store.create_aggregate(hosts, "a")
    for number in (9999, -1, 0, "9" * 18):
        absent = (404, f"Aggregate {number} could not be found.")
        path = f"/os-aggregates/{number}"
        assert fault(ask(api, "GET", path)) == fault(ask(api, "DELETE", path)) == absent
        assert fault(ask(api, "PUT", path, body={"aggregate": {"name": "b"}})) == absent
        assert fault(ask(api, "POST", f"{path}/action", body={"add_host": {"host": "node-1"}})) == absent
        assert fault(ask(api, "POST", f"{path}/action", body={"set_metadata": {"metadata": {"a": "b"}}})) == absent
        assert fault(ask(api, "POST", f"{path}/action", body={"remove_host": {"host": "node-1"}})) == (
            404,
            f"Cannot remove host node-1 in aggregate {number}",
        )
    assert fault(act(api, first.id, "add_host", host="nohost")) == (404, "Compute host nohost could not be found.")
    assert fault(act(api, first.id, "remove_host", host="node-1"))[0] == 404


def test_an_id_is_a_number(api: testing.TestClient) -> None:
    wrong = (400, "Invalid input received: id must be an integer")
    for name in ("abc", "1.0", "0x1", "1_0", "cc2068ff-0936-47cd-906a-46e60f34e2f1", "%20"):
        path = f"/os-aggregates/{name}"
        assert fault(ask(api, "GET", path)) == fault(ask(api, "DELETE", path)) == wrong
        assert fault(ask(api, "PUT", path, body={"aggregate": {"name": "b"}})) == wrong
        for action in ("add_host", "remove_host"):
            assert fault(ask(api, "POST", f"{path}/action", body={action: {"host": "h"}})) == wrong


def test_what_is_in_the_way_is_said(hosts: Engine, api: testing.TestClient) -> None:
    a, b = (store.create_aggregate(hosts, name, f"zone-{name}").id for name in "ab")
    store.add_host(hosts, a, "node-1")
    store.record_workload(hosts, vm(), "node-1")
    before = store.list_aggregates(hosts)
    path, wanted = f"/os-aggregates/{a}", {"availability_zone": "zone-c"}

    def put(aggregate: object) -> tuple[int, str]:
        return fault(ask(api, "PUT", path, body={"aggregate": aggregate}))

    taken = (409, "Aggregate b already exists.")
    assert fault(ask(api, "POST", "/os-aggregates", body={"aggregate": {"name": "b"}})) == put({"name": " b"}) == taken
    assert fault(act(api, a, "add_host", host="node-1")) == (409, f"Aggregate {a} already has host node-1.")
    second = "is in the availability zone 'zone-a' by another aggregate, and cannot be in 'zone-b' as well"
    assert fault(act(api, b, "add_host", host="node-1")) == (
        409,
        f"Cannot add host to aggregate {b}. Reason: host 'node-1' {second}.",
    )
    empty = f"Cannot remove host from aggregate {a}. Reason: Host aggregate is not empty."
    assert fault(ask(api, "DELETE", path)) == (400, empty)
    stays = "has 1 workloads in the availability zone 'zone-a', which cannot become '{}' under them"
    reason = f"Reason: host 'node-1' {stays}."
    assert fault(act(api, a, "remove_host", host="node-1")) == (
        409,
        f"Cannot remove host from aggregate {a}. {reason.format('nova')}",
    )
    # These two are no conflicts to Nova.
    assert put(wanted) == (400, f"Cannot update aggregate {a}. {reason.format('zone-c')}")
    assert fault(act(api, a, "set_metadata", metadata=wanted)) == (
        400,
        f"Cannot update metadata of aggregate {a}. {reason.format('zone-c')}",
    )
    assert store.list_aggregates(hosts) == before


def test_each_action_has_a_policy_of_its_own(hosts: Engine, settings: Settings) -> None:
    class Permitting(NoAuthentication):
        def permits(self, identity: Identity, *, rule: str, role: str) -> bool:
            return rule == "os_compute_api:os-aggregates:set_metadata"

    api = testing.TestClient(build(settings, hosts, Permitting()))
    first = store.create_aggregate(hosts, "one")
    assert act(api, first.id, "set_metadata", metadata={"a": "b"}).status_code == 200
    for action in ("add_host", "remove_host"):
        answer = act(api, first.id, action, host="node-1")
        assert answer.status_code == 403
        assert answer.json["forbidden"]["message"] == (
            f"Policy doesn't allow os_compute_api:os-aggregates:{action} to be performed."
        )
    both = {"set_metadata": {"metadata": {}}, "add_host": {"host": "node-1"}}
    assert ask(api, "POST", f"/os-aggregates/{first.id}/action", body=both).status_code == 403
    assert store.get_aggregate(hosts, first.id).hosts == ()


def test_all_are_listed_however_many(fleet: Engine, api: testing.TestClient) -> None:
    many = 1200
    with fleet.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO aggregates (uuid, name, created_at) "
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) "
            "SELECT printf('00000000-0000-4000-8000-%012d', i), 'a' || i, '2026-01-02 03:04:05.000000' FROM n"
        )
    assert len(fits(ask(api, "GET", "/os-aggregates"), aggregates.LIST, "2.104")["aggregates"]) == many


def test_an_unknown_parameter_is_refused_from_2_102_on(fleet: Engine, api: testing.TestClient) -> None:
    first = store.create_aggregate(fleet, "one")
    for path in ("", f"/{first.id}"):
        assert ask(api, "GET", f"/os-aggregates{path}?bogus=1", "2.101").status_code == 200
        assert fault(ask(api, "GET", f"/os-aggregates{path}?bogus=1", "2.102")) == (400, UNEXPECTED.format("bogus"))
