# SPDX-License-Identifier: Apache-2.0
"""Whole numbers in text."""

from __future__ import annotations

import pytest

from os_capability.number import numbered, whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("999", 999)])
def test_digits_are_a_number(text: str, number: int) -> None:
    assert whole_number(text, 3) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "1\n", "+1", "-1", "1_0", "1.0", "0x1", "\u0663", "\u00b2", "1000", "9" * 5000]
)
def test_anything_else_is_none(text: str) -> None:
    assert whole_number(text, 3) is None


def test_ids_stand_behind_their_prefix() -> None:
    names = ["cpu10", "cpufreq", "cpu2", "cpu", "cpu1x", "cpu-1", "node3", "cpu1234567"]
    assert numbered(names, "cpu") == [2, 10]
