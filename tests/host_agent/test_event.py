# SPDX-License-Identifier: Apache-2.0
"""Events as JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from host_agent.event import Event
from tests.host_agent.events import event


@pytest.mark.parametrize("boot_id", [None, "11111111-2222-4333-8444-555555555555"])
def test_an_event_survives_its_json(boot_id: str | None) -> None:
    told = replace(event(3, cpus="0-3", old=None, new=[1, 2]), boot_id=boot_id)
    assert Event.from_dict(json.loads(json.dumps(told.to_dict()))) == told


@pytest.mark.parametrize(
    "change",
    [
        {"uuid": "7"},
        {"code": None},
        {"code": "x" * 256},
        {"detail": []},
        {"at": "yesterday"},
        {"at": "2026-01-01T00:00:00"},
        {"sequence": "1"},
        {"sequence": -1},
        {"sequence": 10**30},
        {"boot_id": 1},
        {"boot_id": "x" * 37},
    ],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Event.from_dict(event().to_dict() | change)


@pytest.mark.parametrize("data", [None, [], "event", {}])
def test_so_is_what_is_no_event_at_all(data: object) -> None:
    with pytest.raises(ValueError, match="not an event"):
        Event.from_dict(data)
