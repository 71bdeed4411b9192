# SPDX-License-Identifier: Apache-2.0
"""Whatever anybody sends is answered with what is wrong about it, and changes and tells nothing.

The requests are made from the table of routes: a new route is tested by standing there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from host_agent.api.openapi.apis import api_of
from host_agent.api.openapi.page import other_form
from host_agent.api.operation import Operation
from host_agent.api.routes import NOVA, ROUTES, Route
from host_agent.settings import Settings, load
from host_agent.store import open_engine
from host_agent.store.engine import Engine
from tests.host_agent.api.attacks import HEADERS, ODD, RAW, TEXTS, broken_bodies, wrong_values
from tests.host_agent.api.samples import SAMPLES, Sample, fleet
from tests.host_agent.api.target import Target, in_its_words
from tests.host_agent.databases import own_database

# What has several forms, as with a project before it, has the same handlers in each.
_PATHS = {route.path for route in ROUTES}
SERVED = [
    (route, method, operation)
    for route in ROUTES
    for method, operation in route.operations.items()
    if other_form(route.path) not in _PATHS
]
WRITING = [sample for sample in SAMPLES if sample.body is not None]
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")

by_sample = pytest.mark.parametrize("sample", WRITING, ids=lambda sample: f"{sample.method} {sample.path}")
# What nothing is called, and no number.
NOBODY = "nobody"


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Settings]]:
    environ = {"OS_CAPABILITY_CONFIG_FILE": "/dev/null", "STATE_DIRECTORY": "/nonexistent"}
    # Nothing here is refused for being one too many.
    environ["OS_CAPABILITY_API__MAX_WRITES_PER_MINUTE"] = "0"
    settings = load(environ=environ).settings
    for url in own_database("sqlite", tmp_path_factory.mktemp("hostile")):
        engine = open_engine(url)
        fleet(engine)
        yield engine, settings
        engine.dispose()


@pytest.fixture
def target(anywhere: tuple[Engine, Settings]) -> Iterator[Target]:
    """Give the application over SQLite; what is sent to it in a test changes nothing."""
    one = Target(*anywhere)
    yield one
    assert one.ails() == []


@pytest.fixture
def patient_target(anywhere: tuple[Engine, Settings]) -> Iterator[Target]:
    """Give one that reads bodies of megabytes."""
    engine, settings = anywhere
    one = Target(engine, replace(settings, api=replace(settings.api, max_body_bytes=4 * 1024 * 1024)))
    yield one
    assert one.ails() == []


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def any_target(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, opened: Callable[..., Engine]
) -> Iterator[Target]:
    """Give the application over each database in turn: what one takes another chokes on."""
    for url in own_database(request.param, tmp_path):
        engine = opened(url, connections=1)
        fleet(engine)
        one = Target(engine, settings)
        yield one
        assert one.ails() == []
        engine.dispose()


def test_a_method_that_is_not_there_is_refused_on_every_route(target: Target) -> None:
    for route in ROUTES:
        for method in METHODS:
            if method not in route.operations:
                reply = target.refused(route, method, path_of(route, NOBODY), body=b"{}")
                assert reply.status == (404 if route.dialect is NOVA else 405), reply.asked
        assert target.send("BREW", path_of(route, "3")).status == 400, "no method of HTTP"


def test_texts_that_databases_differ_in_name_nothing_in_any(any_target: Target) -> None:
    send_everywhere(any_target, TEXTS)


def test_odd_texts_name_nothing(target: Target) -> None:
    send_everywhere(target, ODD)


def send_everywhere(target: Target, values: Sequence[str]) -> None:
    """Put each text in the place of each part of a path, and of each parameter of a query."""
    for route, method, operation in SERVED:
        body = next((one.body for one in WRITING if (one.path, one.method) == (route.path, method)), None)
        for headers in versions(route, operation):
            for value in values:
                text = quote(value, safe="")
                if "{" in route.path:
                    target.send(method, path_of(route, text), "", headers, json.dumps(body).encode())
                for name in parameters(operation):
                    if method in ("GET", "DELETE"):
                        target.send(method, path_of(route, NOBODY), f"{name}={text}", headers)


def test_a_path_that_is_no_utf8_or_climbs_is_refused(target: Target) -> None:
    for route, method, _ in SERVED:
        for value in RAW:
            path = path_of(route, value) if "{" in route.path else f"{route.path.rstrip('/')}/{value}"
            target.send(method, path)
    for path in ("/../../etc/passwd", "/v1//hosts", "/v1/../v1/hosts", "/v2.1/%2e%2e/"):
        assert 400 <= target.send("GET", path).status < 500, path


def test_a_query_that_is_none_is_refused(target: Target) -> None:
    many = "&".join(f"a{number}=1" for number in range(101))
    for route, method, operation in SERVED:
        path = path_of(route, NOBODY)
        for query in ("a=%ff", "%ff=1", many):
            assert 400 <= target.send(method, path, query).status < 500
        for name in parameters(operation):
            for query in (f"{name}=1&{name}=2&{name}=3", f"{name}[a]=1", f"{name}", f"{name}=", f"{name}=;{name}=1"):
                target.send(method, path, query)


@by_sample
def test_a_body_that_is_none_is_refused(target: Target, patient_target: Target, sample: Sample) -> None:
    for name, body in broken_bodies():
        for one in (target, patient_target):
            headers = {**sample.headers, "X-What": name}
            one.refused(route_of(sample), sample.method, sample.url, headers=headers, body=body)


@by_sample
def test_a_body_that_is_too_large_is_refused_unread(target: Target, sample: Sample) -> None:
    body = b'{"host": "' + b"x" * 200_000 + b'"}'
    reply = target.refused(route_of(sample), sample.method, sample.url, headers=sample.headers, body=body)
    assert reply.status == 413


@by_sample
def test_a_member_of_the_wrong_type_is_refused(target: Target, sample: Sample) -> None:
    variant = route_of(sample).operations[sample.method].variants[-1]
    assert variant.body is not None
    tried = 0
    for what, body in wrong_values(variant.body, sample.body):
        headers = {**sample.headers, "X-What": quote(what)}
        target.refused(route_of(sample), sample.method, sample.url, headers=headers, body=json.dumps(body).encode())
        tried += 1
    assert tried > 10


def test_every_operation_with_a_body_is_among_them() -> None:
    taking = {
        (route.path, method)
        for route, method, one in SERVED
        if any(variant.body is not None for variant in one.variants)
    }
    assert taking == {(sample.path, sample.method) for sample in WRITING}


@pytest.mark.parametrize("headers", HEADERS, ids=lambda one: f"{next(iter(one))}-{len(str(one))}")
def test_any_header_is_taken_or_refused(target: Target, headers: dict[str, str]) -> None:
    for route, method, _ in SERVED:
        if method == "GET":
            reply = target.send(method, path_of(route, NOBODY), headers=headers)
            if 400 <= reply.status < 500:
                in_its_words(route, reply)


def route_of(sample: Sample) -> Route:
    return next(route for route in ROUTES if route.path == sample.path)


def path_of(route: Route, value: str) -> str:
    return re.sub(r"\{\w+\}", lambda _: value, route.path.replace("{major:int}", "3"))


def parameters(operation: Operation) -> list[str]:
    return list(dict.fromkeys(name for one in operation.variants for name in (one.query or {}).get("properties", ())))


def versions(route: Route, operation: Operation) -> list[dict[str, str]]:
    """Give headers that ask for the oldest and for the newest version that there is."""
    if api_of(route.dialect).name != "Nova":
        return [{}]
    told = {str(one.until or "latest") for one in (operation.variants[0], operation.variants[-1])}
    return [{"OpenStack-API-Version": f"compute {version}"} for version in sorted(told)]
