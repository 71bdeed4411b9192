# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.workloads.cgroup_limits import parse_bytes, parse_events, parse_list, parse_quota
from os_capability import CpuSet


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("max\n", None),
        ("-1\n", None),
        ("9223372036854771712\n", None),
        ("9223372036854710272\n", None),  # pages of 64 KiB
        ("536870912\n", 536870912),
        ("0\n", 0),
        (None, None),
        ("", None),
        ("1.5", None),
        ("99999999999999999999999", None),
        ("²", None),
    ],
)
def test_bytes(text: str | None, limit: int | None) -> None:
    assert parse_bytes(text) == limit


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [
        ("150000", "100000", 1.5),
        ("max", "100000", None),
        ("-1", "100000", None),
        ("0", "100000", None),
        ("50000", "0", None),
        ("50000", None, None),
        (None, None, None),
        ("6553600000", "100000", 65536.0),
        ("6553700000", "100000", None),
        ("9" * 19, "1", None),
    ],
)
def test_quota(quota: str | None, period: str | None, cpus: float | None) -> None:
    assert parse_quota(quota, period) == cpus


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-3,8\n", "0-3,8"), ("\n", None), (None, None), ("x", None), ("3-1", None)]
)
def test_list(text: str | None, cpus: str | None) -> None:
    assert parse_list(text) == (None if cpus is None else CpuSet.parse_list(cpus))


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("populated 1\nfrozen 0\n", {"populated": True, "frozen": False}),
        ("populated 0\n", {"populated": False}),
        ("", {}),
        ("populated\n1 2 3\n", {}),
    ],
)
def test_events(text: str, events: dict[str, bool]) -> None:
    assert parse_events(text) == events


@given(st.text(alphabet="0123456789-, \nmax²\0populated frozen"), st.text())
def test_any_text(text: str, other: str) -> None:
    for limit in (parse_bytes(text), parse_quota(text, other), parse_quota(other, text)):
        assert limit is None or limit >= 0
    assert parse_list(text) or parse_list(text) is None
    assert set(parse_events(text + other).values()) <= {True, False}
