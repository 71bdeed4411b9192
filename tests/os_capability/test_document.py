# SPDX-License-Identifier: Apache-2.0
"""The document ``os-capability/1``: whatever a Host holds comes back, and what is none is refused by its path."""

from __future__ import annotations

import copy
import json
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from os_capability import CpuSet, Host, InvalidDocument

# Derandomized: the same examples at every run, and nothing stored in the source tree.
law = settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

EXPECTED = Path(__file__).resolve().parents[1] / "hosts" / "x86_64-hybrid" / "expected.json"

SCALARS: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: st.datetimes(
        datetime(1970, 1, 1), timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-7))])
    ),
    CpuSet: st.frozensets(st.integers(0, 300), max_size=6).map(CpuSet),
}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Give a strategy for an annotation of the model, so that a new field is tested without a word here."""
    if hint in SCALARS:
        return SCALARS[hint]
    if is_dataclass(hint):
        assert isinstance(hint, type)
        hints = get_type_hints(hint)
        return st.builds(hint, **{field.name: values(hints[field.name]) for field in fields(hint)})
    choices = get_args(hint)
    if isinstance(hint, types.UnionType) or get_origin(hint) is Union:
        return st.one_of([st.none() if choice is type(None) else values(choice) for choice in choices])
    if get_origin(hint) is tuple:
        return st.lists(values(choices[0]), max_size=2).map(tuple)
    return st.dictionaries(values(choices[0]), values(choices[1]), max_size=2)


@pytest.fixture
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXPECTED.read_text())
    found["collected_at"] = "2026-11-21T02:43:02.000001Z"
    found["warnings"] = [{"code": "source-missing", "message": "one"}]
    return found


def places(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, container, key) of everything inside a document."""
    if isinstance(value, dict):
        for key in value:
            below = f"{path}.{key}" if path else key
            yield below, value, key
            yield from places(value[key], below)
    elif isinstance(value, list):
        for at in range(len(value)):
            yield f"{path}[{at}]", value, at
            yield from places(value[at], f"{path}[{at}]")


class TestRoundTrip:
    @law
    @given(values(Host))
    def test_any_host_comes_back_from_its_document(self, host: Host) -> None:
        assert Host.from_dict(host.to_dict()) == host

    @law
    @given(values(Host))
    def test_any_host_comes_back_from_json(self, host: Host) -> None:
        text = json.dumps(host.to_dict(), allow_nan=False)
        back = Host.from_dict(json.loads(text))
        assert back == host
        assert hash(back) == hash(host)
        assert json.dumps(back.to_dict()) == text

    def test_a_document_of_ours_comes_back_as_it_was(self, document: dict[str, Any]) -> None:
        assert Host.from_dict(document).to_dict() == document

    def test_the_schema_comes_first(self, document: dict[str, Any]) -> None:
        assert next(iter(Host.from_dict(document).to_dict().items())) == ("schema", "os-capability/1")

    def test_times_are_utc_whatever_zone_they_came_in(self, document: dict[str, Any]) -> None:
        document["collected_at"] = "2026-11-21T04:43:02+02:00"
        assert Host.from_dict(document).to_dict()["collected_at"] == "2026-11-21T02:43:02Z"

    def test_any_mapping_will_do(self, document: dict[str, Any]) -> None:
        assert Host.from_dict(types.MappingProxyType(document)) == Host.from_dict(document)


class TestForwardCompatibility:
    def test_unknown_keys_are_ignored_in_every_object(self, document: dict[str, Any]) -> None:
        wider = copy.deepcopy(document)
        free = ("distances", "vulnerabilities")  # mappings, whose keys are data
        for path, container, key in list(places(wider)):
            if isinstance(container[key], dict) and not path.endswith(free):
                container[key]["something_of_2030"] = {"nested": [1, "two", None]}
        wider["sensors"] = []
        assert Host.from_dict(wider) == Host.from_dict(document)

    def test_a_fact_that_an_older_writer_did_not_know_is_unknown(self, document: dict[str, Any]) -> None:
        del document["cpu"]["caches"], document["machine_id"], document["cpu"]["processors"][0]["cluster"]
        host = Host.from_dict(document)
        assert (host.cpu.caches, host.machine_id, host.cpu.processors[0].cluster) == (None, None, None)


class TestRefusal:
    def test_a_wrong_type_is_named_by_its_path_wherever_it_stands(self, document: dict[str, Any]) -> None:
        for path, container, key in list(places(document)):
            right = container[key]
            container[key] = 7 if isinstance(right, (str, list, dict)) else {"a": 1}
            with pytest.raises(InvalidDocument) as caught:
                Host.from_dict(document)
            assert caught.value.path == path
            assert "\n" not in str(caught.value)
            container[key] = right

    def test_a_needed_key_is_named_wherever_it_lacks(self, document: dict[str, Any]) -> None:
        for path, container, key in list(places(document)):
            if not isinstance(container, dict):
                continue
            shorter = copy.deepcopy(container)
            right = container.pop(key)
            try:
                Host.from_dict(document)
            except InvalidDocument as error:
                named = error.path
            else:
                named = path  # a fact that may be unknown, or an entry of a mapping
            assert named == path
            container.clear()
            container.update(shorter | {key: right})

    @pytest.mark.parametrize("key", ["collected_at", "system", "cpu", "memory", "numa", "limits", "warnings"])
    def test_the_main_keys_are_needed(self, document: dict[str, Any], key: str) -> None:
        del document[key]
        with pytest.raises(InvalidDocument, match=f"document key {key}: "):
            Host.from_dict(document)

    @pytest.mark.parametrize("schema", [None, "os-capability/2", "", 1, ["os-capability/1"]])
    def test_another_schema_is_refused(self, document: dict[str, Any], schema: object) -> None:
        document["schema"] = schema
        with pytest.raises(InvalidDocument, match="document key schema: expected 'os-capability/1'"):
            Host.from_dict(document)

    @pytest.mark.parametrize("top", [None, [], "text", 7])
    def test_what_is_no_object_is_refused(self, top: Any) -> None:
        with pytest.raises(InvalidDocument, match="expected an object"):
            Host.from_dict(top)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("cpu.online", "0-"),
            ("cpu.online", "0-99999999999"),
            ("cpu.threads", True),
            ("cpu.threads", 4.0),
            ("cpu.threads", "4"),
            ("system.uptime_seconds", "1"),
            ("system.uptime_seconds", True),
            ("system.uptime_seconds", 10**400),
            ("memory.total_bytes", 1 << 64),
            ("cpu.threads", -(1 << 64)),
            ("collected_at", "yesterday"),
            ("collected_at", "2026-11-21T02:43:02"),
            ("collected_at", "0001-01-01T00:00:00+14:00"),
            ("memory.available_estimated", 0),
            ("memory.available_estimated", None),
            ("cpu.present", None),
        ],
    )
    def test_a_wrong_value_is_named_by_its_path(self, document: dict[str, Any], path: str, value: object) -> None:
        *above, last = path.split(".")
        container = document
        for key in above:
            container = container[key]
        container[last] = value
        with pytest.raises(InvalidDocument) as caught:
            Host.from_dict(document)
        assert caught.value.path == path

    @pytest.mark.parametrize("key", ["near", "", "1.5", None])
    def test_a_node_id_that_is_no_number_is_refused(self, document: dict[str, Any], key: Any) -> None:
        document["numa"]["nodes"][0]["distances"] = {key: 10}
        with pytest.raises(InvalidDocument, match="is not an integer") as caught:
            Host.from_dict(document)
        assert caught.value.path == "numa.nodes[0].distances"

    @law
    @given(ANY_JSON)
    def test_any_json_is_a_host_or_refused(self, anything: object) -> None:
        for candidate in (anything, {"schema": "os-capability/1", "cpu": anything, "numa": anything}):
            with pytest.raises(InvalidDocument):
                Host.from_dict(candidate)  # type: ignore[arg-type]
