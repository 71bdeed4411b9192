# SPDX-License-Identifier: Apache-2.0
"""The state of a host, from its row alone."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone

import pytest

from host_agent.liveness import silent_seconds, state

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
NEVER, LONG_AGO, JUST_NOW = None, NOW - timedelta(seconds=1001), NOW - timedelta(seconds=59)


def row(**changes: object) -> dict[str, object]:
    up = {"retired_at": None, "last_seen_up": JUST_NOW, "updated_at": JUST_NOW, "disabled": False, "forced_down": False}
    return {**up, "now": NOW, **changes}


def state_of(**changes: object) -> str:
    return state(row(**changes), down_after_seconds=60, stale_after_seconds=1000)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "up"),
        ({"retired_at": LONG_AGO}, "retired"),
        ({"last_seen_up": NOW - timedelta(seconds=60)}, "up"),
        ({"last_seen_up": NOW - timedelta(seconds=60.1)}, "down"),
        ({"last_seen_up": NEVER}, "down"),
        ({"forced_down": True}, "down"),
        ({"disabled": True}, "disabled"),
        ({"updated_at": NOW - timedelta(seconds=1000)}, "up"),
        ({"updated_at": LONG_AGO}, "stale"),
        ({"updated_at": NEVER}, "stale"),
        # No service at all.
        ({"last_seen_up": None, "disabled": None, "forced_down": None}, "down"),
        # After a failover to a server whose clock is behind.
        ({"last_seen_up": NOW + timedelta(days=1), "updated_at": NOW + timedelta(days=1)}, "up"),
    ],
)
def test_each_state_has_its_cause(changes: dict[str, object], expected: str) -> None:
    assert state_of(**changes) == expected


def test_of_several_causes_the_one_that_matters_most_is_told() -> None:
    causes: dict[str, dict[str, object]] = {
        "retired": {"retired_at": LONG_AGO},
        "down": {"last_seen_up": LONG_AGO},
        "disabled": {"disabled": True},
        "stale": {"updated_at": LONG_AGO},
    }
    for count in range(1, 5):
        for names in itertools.combinations(causes, count):
            together = {column: value for name in names for column, value in causes[name].items()}
            assert state_of(**together) == names[0]


def test_the_silence_is_known_only_where_the_host_was_heard() -> None:
    assert silent_seconds(row(last_seen_up=LONG_AGO)) == 1001
    assert silent_seconds(row(last_seen_up=NOW + timedelta(seconds=1))) == 0
    assert silent_seconds(row(last_seen_up=None)) is None
