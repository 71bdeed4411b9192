# SPDX-License-Identifier: Apache-2.0
"""The line of ``uptime``: as procps prints it, and as the clients take it apart."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import pytest

from host_agent.api.nova.uptime import uptime_line

NOW = datetime(2026, 3, 4, 17, 37, 14, tzinfo=timezone.utc)
# That of python-openstackclient and of openstacksdk.
READ = re.compile(r"\s*(.+)\sup\s+(.+),\s+(.+)\susers?,\s+load average:\s(.+)")


@pytest.mark.parametrize(
    ("up_seconds", "users", "loads", "line"),
    [
        (9180, 3, (0.33, 0.36, 0.34), " 17:37:14 up  2:33,  3 users,  load average: 0.33, 0.36, 0.34"),
        (2066.9, 0, (2.34, 1.67, 0.81), " 17:37:14 up 34 min,  0 user,  load average: 2.34, 1.67, 0.81"),
        (0, 1, (0, 0, 0), " 17:37:14 up 0 min,  1 user,  load average: 0.00, 0.00, 0.00"),
        (3599, 1, (1, 2, 3), " 17:37:14 up 59 min,  1 user,  load average: 1.00, 2.00, 3.00"),
        (3600, 2, (1, 2, 3), " 17:37:14 up  1:00,  2 users,  load average: 1.00, 2.00, 3.00"),
        (86399, 2, (1, 2, 3), " 17:37:14 up 23:59,  2 users,  load average: 1.00, 2.00, 3.00"),
        (86400, 12, (1, 2, 3), " 17:37:14 up 1 day, 0 min, 12 users,  load average: 1.00, 2.00, 3.00"),
        (2 * 86400 + 60, 1, (1, 2, 3), " 17:37:14 up 2 days, 1 min,  1 user,  load average: 1.00, 2.00, 3.00"),
        (34603260, 1, (100, 9.995, 0.004), " 17:37:14 up 400 days, 12:01,  1 user,  load average: 100.00, 9.99, 0.00"),
    ],
)  # fmt: skip
def test_it_is_the_line_of_procps(up_seconds: float, users: int, loads: tuple[float, float, float], line: str) -> None:
    assert uptime_line(NOW, up_seconds, users, loads) == line


@pytest.mark.parametrize("up_seconds", [0, 3600, 86400, 86400 * 9 + 3661])
def test_clients_take_it_apart(up_seconds: float) -> None:
    found = READ.match(uptime_line(NOW, up_seconds, 3, (1, 2, 3)))
    assert found is not None
    assert (found[1], found[3], found[4]) == ("17:37:14", "3", "1.00, 2.00, 3.00")
