# SPDX-License-Identifier: Apache-2.0
"""What happened to one host, or in the fleet."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from falcon import testing
from jsonschema import validate

from host_agent import store
from host_agent.api.own import events
from host_agent.event import Event
from host_agent.store.engine import Engine
from tests.host_agent.facts import record, uuid

NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


def event_uuid(number: int) -> str:
    return f"eeeeeeee-0000-4000-8000-{number:012d}"


def happened(engine: Engine, number: int, *, host: int = 1, code: str = "memory-changed") -> None:
    """Store an event that was so many minutes after noon."""
    told = Event(
        code=code,
        message=f"event {number}",
        detail={"number": number},
        at=NOON + timedelta(minutes=number),
        boot_id=uuid(77),
        sequence=number,
        uuid=event_uuid(number),
    )
    # Told by another boot: the clock of the host stands for its time.
    store.add_events(
        engine, uuid(host), f"node-{host}", [told], boot_id=None, sequence=0, max_age_days=3650, max_per_host=100
    )


def listed(api: testing.TestClient, query: str = "", path: str = "/v1/events") -> list[int]:
    answer = api.simulate_get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    assert events.LIST.returns is not None
    validate(answer.json, events.LIST.returns)
    return [event["detail"]["number"] for event in answer.json["events"]]


def refused(api: testing.TestClient, query: str, path: str = "/v1/events") -> Any:
    answer = api.simulate_get(path, query_string=query)
    return answer.status_code, answer.json["error"]["message"]


def test_an_event_has_the_members_of_the_contract(api_everywhere: testing.TestClient, engine: Engine) -> None:
    happened(engine, 1)

    (event,) = api_everywhere.simulate_get("/v1/events").json["events"]

    assert event.pop("created_at") >= "2026"
    assert event == {
        "uuid": event_uuid(1),
        "host_uuid": uuid(1),
        "host": "node-1",
        "at": "2026-01-02T12:01:00Z",
        "code": "memory-changed",
        "message": "event 1",
        "detail": {"number": 1},
        "boot_id": uuid(77),
        "sequence": 1,
    }


def test_events_are_chosen_by_host_time_and_code(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert_many(fleet, [record(1), record(2)])
    for number, host, code in ((1, 1, "a"), (2, 2, "b"), (3, 1, "b")):
        happened(fleet, number, host=host, code=code)

    assert listed(api) == [3, 2, 1]
    assert listed(api, "host=node-1") == listed(api, f"host={uuid(1).upper()}") == [3, 1]
    assert listed(api, path="/v1/hosts/node-1/events") == listed(api, path=f"/v1/hosts/{uuid(1)}/events") == [3, 1]
    assert listed(api, "code=b&since=2026-01-02T12:03:00Z", "/v1/hosts/node-1/events") == [3]
    assert listed(api, "code=b") == [3, 2]
    assert listed(api, "code=c") == []


def test_since_is_a_time_in_any_zone(api: testing.TestClient, fleet: Engine) -> None:
    for since in [
        "2026-01-02T12:02:00Z",
        "2026-01-02t12:01:00.000001z",
        "2026-01-02T14:02:00%2B02:00",
        "2026-01-02T14:02:00+02:00",
        "2026-01-02T11:02:00-01:00",
        "2026-01-02T12:01:59.999999999Z",
    ]:
        for number in (1, 2):
            happened(fleet, number)

        assert listed(api, f"since={since}") == [2]


def test_what_is_no_time_is_refused(api: testing.TestClient) -> None:
    for since in [
        "yesterday",
        "2026-01-02",
        "2026-13-02T12:00:00Z",
        "2026-01-02T12:00:00",
        "0001-01-01T00:00:00%2B23:59",
    ]:
        status, message = refused(api, f"since={since}")

        assert status == 400
        assert message.startswith("Invalid input for query parameters since. Value: ")


@pytest.mark.parametrize("path", ["/v1/events", "/v1/hosts/100%25%20caf%C3%A9/events"])
def test_pages_follow_each_other(api: testing.TestClient, fleet: Engine, path: str) -> None:
    store.upsert(fleet, record(1, hypervisor_hostname="100% café"))
    for number in (1, 2, 3):
        happened(fleet, number)

    query, seen = "limit=2&code=memory-changed", []
    while query:
        answer = api.simulate_get(path, query_string=query).json
        seen.append([event["detail"]["number"] for event in answer["events"]])
        following = urlsplit(answer["next"] or "")
        assert following.path in (path, "")
        query = following.query

    assert seen == [[3, 2], [1]]


def test_what_is_wrong_in_a_query_is_refused(api: testing.TestClient) -> None:
    for query in [
        "limit=0",
        "limit=x",
        "limit=1&limit=2",
        "bogus=1",
        "code=A B",
        "host=",
        "marker=node-1",
        f"marker={uuid(9)}",
    ]:
        assert refused(api, query)[0] == 400


def test_a_host_that_was_never_there_is_not_found(api: testing.TestClient) -> None:
    assert refused(api, "host=nosuch")[0] == refused(api, "", "/v1/hosts/nosuch/events")[0] == 404
    assert refused(api, "", f"/v1/hosts/{uuid(9)}/events")[0] == 404


def test_a_uuid_chooses_events_of_a_host_that_has_no_row(api: testing.TestClient, fleet: Engine) -> None:
    happened(fleet, 1)

    assert listed(api, f"host={uuid(1)}") == [1]
    assert listed(api, f"host={uuid(9)}") == []
