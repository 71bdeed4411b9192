# SPDX-License-Identifier: Apache-2.0
"""The whole document of a host."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from falcon import testing
from sqlalchemy import update

from host_agent import store
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS, SERVICES
from os_capability import Host
from tests.host_agent.facts import machine, record
from tests.host_agent.store.fleet import age, enlist, host

DOCUMENT = "/v1/hosts/node-1/document"


def test_it_is_what_was_stored_to_the_letter(api_everywhere: testing.TestClient, engine: Engine) -> None:
    store.upsert(engine, record())

    answer = api_everywhere.simulate_get(DOCUMENT)

    assert answer.text == host(engine)["facts"]
    assert answer.headers["content-type"] == "application/json"
    assert Host.from_dict(answer.json).hostname == "node-1"


def test_it_tells_how_old_it_is(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record())
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
    with fleet.begin() as connection:
        connection.execute(update(HOSTS).values(facts_at=moment, updated_at=moment))

    headers = api.simulate_get(DOCUMENT).headers

    assert parsedate_to_datetime(headers["last-modified"]) == moment.replace(microsecond=0)
    assert headers["os-capability-reported-at"] == "2026-01-02T03:04:05.678000Z"


def test_it_tells_whether_its_host_is_alive(api: testing.TestClient, fleet: Engine) -> None:
    def state() -> str:
        return api.simulate_get(DOCUMENT).headers["os-capability-host-state"]

    enlist(fleet)
    assert state() == "up"
    age(fleet, "updated_at", 7 * 86400, HOSTS)
    assert state() == "stale"
    age(fleet, "last_seen_up", 7 * 86400, SERVICES)
    assert state() == "down"


def test_no_cache_between_keeps_what_a_token_opened(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record())
    assert api.simulate_get(DOCUMENT).headers["cache-control"] == "private, no-cache"


def test_who_has_it_already_is_told_so(api: testing.TestClient, fleet: Engine) -> None:
    for form in ["{}", '"other", {}', "*", "{0},{0}"]:
        store.upsert(fleet, record())
        tag = api.simulate_get(DOCUMENT).headers["etag"]
        assert tag == f'W/"{host(fleet)["facts_digest"]}"'

        for known in (tag, tag.removeprefix("W/")):
            answer = api.simulate_get(DOCUMENT, headers={"If-None-Match": form.format(known)})
            assert (answer.status_code, answer.text, answer.headers["etag"]) == (304, "", tag)


def test_who_has_an_older_one_gets_the_new_one(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record())
    tag = api.simulate_get(DOCUMENT).headers["etag"]
    store.upsert(fleet, record(facts=machine(flag="avx512f"), sequence=2))

    answer = api.simulate_get(DOCUMENT, headers={"If-None-Match": tag})

    assert answer.status_code == 200
    assert answer.headers["etag"] != tag
    assert "avx512f" in answer.json["cpu"]["flags"]


def test_a_host_that_has_told_nothing_has_none(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record())
    with fleet.begin() as connection:
        connection.execute(update(HOSTS).values(facts=None))

    answer = api.simulate_get(DOCUMENT)

    assert (answer.status_code, answer.json["error"]["message"]) == (
        404,
        "The host node-1 has not told its facts yet",
    )


def test_nobody_has_none(api: testing.TestClient) -> None:
    assert api.simulate_get(DOCUMENT).status_code == 404
