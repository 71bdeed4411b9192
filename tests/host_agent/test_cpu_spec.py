# SPDX-License-Identifier: Apache-2.0
"""Nova's way to write a set of CPUs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.cpu_spec import parse_cpu_spec
from os_capability import CpuSet, InvalidCpuSet


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0", "0"),
        ("0,2,5", "0,2,5"),
        ("0-3", "0-3"),
        ("3-3", "3"),
        ("0-7,^3", "0-2,4-7"),
        ("^3,0-7", "0-2,4-7"),
        ("0-7,^1-2", "0,3-7"),
        ("^1-2,0-7,^6", "0,3-5,7"),
        ("0-3,^3,3", "0-2"),
        ("1,1,0-2,2", "0-2"),
        ("  1 , 4 - 6 ,^ 5 ", "1,4,6"),
        ("\t0\n,\n2\n", "0,2"),
        (",0,,1,", "0-1"),
        ("0-1,^9", "0-1"),
        ("007", "7"),
        ("65535", "65535"),
    ],
)
def test_what_is_a_set(text: str, cpus: str) -> None:
    assert str(parse_cpu_spec(text)) == cpus


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no CPU is left"),
        (" ", "no CPU is left"),
        (",,", "no CPU is left"),
        ("^3", "no CPU is left"),
        ("0-3,^0-3", "no CPU is left"),
        ("^0,0", "no CPU is left"),
        ("2-1", "ends before it starts"),
        ("0-7,^5-4", "ends before it starts"),
        ("-1", "'-1' is neither"),
        ("-1-2", "'-1-2' is neither"),
        ("1-", "'1-' is neither"),
        ("1-2-3", "'1-2-3' is neither"),
        ("1-^2", "'1-^2' is neither"),
        ("^", "'^' is neither"),
        ("^^1", "neither"),
        ("0 1", "'0 1' is neither"),
        ("all", "'all' is neither"),
        ("0x3", "'0x3' is neither"),
        ("1.5", "'1.5' is neither"),
        ("0-62:2", "'0-62:2' is neither"),
        ("٣", "neither"),
        ("65536", "65536 is no CPU id"),
        ("0-99999999999", "neither"),
    ],
)
def test_what_is_none(text: str, reason: str) -> None:
    with pytest.raises(InvalidCpuSet) as refusal:
        parse_cpu_spec(text)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


CPUS = st.sets(st.integers(min_value=0, max_value=200))


@given(st.sets(st.integers(min_value=0, max_value=200), min_size=1))
def test_the_kernels_own_lists_are_read_alike(cpus: set[int]) -> None:
    assert parse_cpu_spec(str(CpuSet(cpus))) == CpuSet(cpus)


@given(CPUS, CPUS, st.randoms())
def test_what_is_behind_a_caret_is_left_out_whatever_the_order(taken: set[int], left: set[int], random: object) -> None:
    elements = [*(f"{cpu}" for cpu in taken), *(f"^{cpu}" for cpu in left)]
    random.shuffle(elements)  # type: ignore[attr-defined]
    if taken - left:
        assert parse_cpu_spec(",".join(elements)) == CpuSet(taken - left)
    else:
        with pytest.raises(InvalidCpuSet):
            parse_cpu_spec(",".join(elements))


@given(st.text())
def test_any_text_is_a_set_or_refused(text: str) -> None:
    try:
        assert parse_cpu_spec(text)
    except InvalidCpuSet as refusal:
        assert "\n" not in str(refusal)
