# SPDX-License-Identifier: Apache-2.0
"""The status line: what is wrong, else that nothing is."""

from __future__ import annotations

import pytest

from host_agent.health import JobHealth, Snapshot
from host_agent.publisher import status_line

FAILED = JobHealth(trouble="nobody listens")
STUCK = JobHealth(running_since=1.0, is_stuck=True)


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (Snapshot(now=9, started_at=1), "starting"),
        (Snapshot(now=9, started_at=1, stored_at=5), "the row of this host is up to date"),
        (Snapshot(now=9, started_at=1, stored_at=5, report=FAILED), "nobody listens"),
        (Snapshot(now=9, started_at=1, collect=STUCK, report=FAILED), "the collect job hangs; nobody listens"),
        (
            Snapshot(now=9, started_at=1, stored_at=5, is_duplicate=True),
            "another machine claims this host's uuid",
        ),
        (Snapshot(now=9, started_at=1, is_duplicate=True, report=FAILED), "nobody listens"),
    ],
)
def test_the_line_says_what_is_wrong(snapshot: Snapshot, line: str) -> None:
    assert status_line(snapshot) == line
