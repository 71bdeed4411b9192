# SPDX-License-Identifier: Apache-2.0
"""What one client may send: so many writes a minute, so many bytes."""

from __future__ import annotations

import dataclasses

import pytest
from falcon import testing

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.errors import TooManyRequests
from host_agent.api.limits import WriteLimit
from host_agent.api.wsgi import build
from host_agent.settings import Settings
from host_agent.store.engine import Engine

AGGREGATES = "/v2.1/os-aggregates"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_minutes_writes_may_come_at_once_and_no_more(clock: Clock) -> None:
    limit = WriteLimit(60, clock)
    for _ in range(60):
        limit.admit("a")
    with pytest.raises(TooManyRequests) as refusal:
        limit.admit("a")
    assert refusal.value.headers == {"Retry-After": "1"}

    clock.now += 1
    limit.admit("a")
    with pytest.raises(TooManyRequests):
        limit.admit("a")


def test_what_was_not_used_is_not_saved(clock: Clock) -> None:
    limit = WriteLimit(2, clock)
    limit.admit("a")
    clock.now += 3600
    limit.admit("a")
    limit.admit("a")
    with pytest.raises(TooManyRequests) as refusal:
        limit.admit("a")
    assert refusal.value.headers == {"Retry-After": "30"}


def test_one_client_takes_nothing_from_another(clock: Clock) -> None:
    limit = WriteLimit(1, clock)
    limit.admit("a")
    limit.admit("b")
    with pytest.raises(TooManyRequests):
        limit.admit("a")


def test_of_very_many_clients_the_oldest_is_forgotten(clock: Clock) -> None:
    limit = WriteLimit(1, clock)
    for number in range(10_001):
        limit.admit(str(number))
    limit.admit("0")
    with pytest.raises(TooManyRequests):
        limit.admit("10000")


def test_zero_is_no_limit(clock: Clock) -> None:
    limit = WriteLimit(0, clock)
    for _ in range(10_000):
        limit.admit("a")


def test_a_client_that_writes_too_much_is_told_when_to_come_again(fleet: Engine, settings: Settings) -> None:
    tight = dataclasses.replace(settings, api=dataclasses.replace(settings.api, max_writes_per_minute=2))
    client = testing.TestClient(build(tight, fleet, NoAuthentication()))

    def write(address: str) -> testing.Result:
        return client.simulate_delete(f"{AGGREGATES}/4711", remote_addr=address)

    assert [write("192.0.2.1").status_code for _ in range(3)] == [404, 404, 429]
    refused = write("192.0.2.1")
    assert refused.json["overLimit"]["code"] == 429
    assert refused.headers["retry-after"] == "30"
    assert write("192.0.2.2").status_code == 404
    assert client.simulate_get(AGGREGATES, remote_addr="192.0.2.1").status_code == 200


def body_of(length: int) -> bytes:
    start, end = b'{"aggregate": {"name": "', b'"}}'
    return start + b"x" * (length - len(start) - len(end)) + end


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_body_has_so_many_bytes_at_most(fleet: Engine, settings: Settings, in_chunks: bool) -> None:
    tight = dataclasses.replace(settings, api=dataclasses.replace(settings.api, max_body_bytes=1024))
    client = testing.TestClient(build(tight, fleet, NoAuthentication()))

    def send(body: bytes) -> testing.Result:
        # In chunks no length is told; a server that knows where they end says that it does.
        chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""} if in_chunks else {}
        return client.simulate_post(AGGREGATES, body=body, extras=chunked)

    assert send(body_of(1025)).json == {"overLimit": {"code": 413, "message": "The body is larger than 1024 bytes."}}
    # This one is read, and its name found too long.
    assert send(body_of(1024)).status_code == 400
    assert send(b'{"aggregate": {"name": "one"}}').status_code == 200
