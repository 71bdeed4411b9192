# SPDX-License-Identifier: Apache-2.0
"""docs/api.md shows what happens: every operation, with a request that was sent and what came back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from host_agent.api.microversion import Microversion
from host_agent.api.openapi.page import other_form
from host_agent.api.routes import ROUTES
from host_agent.demand import REASONS
from host_agent.store import open_engine
from tests.host_agent.api.samples import BEGIN, END, PAGE, SAMPLES, Answered, answered, fleet, operation_of, page


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Answered]]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('samples')}/state.sqlite")
    fleet(engine)
    yield list(answered(engine))
    engine.dispose()


def test_every_operation_has_a_sample() -> None:
    paths = {route.path for route in ROUTES}
    served = {
        (route.path, method)
        for route in ROUTES
        for method in route.operations
        if method != "HEAD" and other_form(route.path) not in paths
    }
    assert served == {(sample.path, sample.method) for sample in SAMPLES}


def test_every_sample_was_answered_as_it_is_described(answers: list[Answered]) -> None:
    for sample, answer in answers:
        _, operation = operation_of(sample)
        asked = f"{sample.method} {sample.url}"
        assert answer.status_code in (operation.status, *operation.also, 501), f"{asked}: {answer.text}"
        version = (sample.version or "").partition(" ")[2]
        variant = operation.variant(Microversion.parse(version) if version else None)
        assert variant is not None, asked
        schema = variant.returns or operation.returns
        if answer.status_code == 501:
            continue
        if answer.headers.get("content-type") == "application/json" and answer.content:
            assert schema is not None, f"{asked} gives a body that nobody describes"
            errors = [
                f"{one.json_path}: {one.message}" for one in Draft202012Validator(schema).iter_errors(answer.json)
            ]
            assert errors == [], asked
        else:
            assert answer.content == b"" or "application/json" not in operation.produces[:1] or schema, asked


def test_the_page_shows_what_was_answered(answers: list[Answered]) -> None:
    shown = PAGE.read_text().partition(f"{BEGIN}\n")[2].partition(f"\n{END}")[0]
    assert shown == page(answers), "`make api-samples` writes it anew"


def test_the_page_names_each_reason_not_to_fit() -> None:
    _, _, told = PAGE.read_text().partition("A host\nthat cannot take it")
    assert tuple(re.findall(r"`(\w+)`", told.partition("\n\n")[0])) == REASONS


def test_the_page_names_every_field_that_went(answers: list[Answered]) -> None:
    details = {
        sample.version: set(answer.json["hypervisors"][0])
        for sample, answer in answers
        if sample.path == "/v2.1/os-hypervisors/detail"
    }
    gone = details["compute 2.87"] - details["compute 2.104"]
    assert {"vcpus", "cpu_info", "disk_available_least"} <= gone
    _, _, table = PAGE.read_text().partition("## What 2.88 removed")
    assert gone <= set(re.findall(r"`(\w+)`", table.partition("\n# ")[0]))
