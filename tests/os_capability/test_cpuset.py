# SPDX-License-Identifier: Apache-2.0
"""CpuSet: the kernel's text forms, and the laws of sets with Python's frozenset as the model."""

from __future__ import annotations

import contextlib
import itertools
import operator
import pickle
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from os_capability import CpuSet, InvalidCpuSet

# Derandomized: the same examples at every run, and nothing stored in the source tree.
law = settings(derandomize=True, deadline=None, max_examples=80)

HIGHEST = 65_535
ids = st.frozensets(st.one_of(st.integers(0, 80), st.integers(0, 4_200), st.integers(0, HIGHEST)), max_size=60)
HUGE_TEXTS = [
    *("9" * 1_000_000, "f" * 1_000_000, "0," * 500_000, "," * 1_000_000, "-" * 1_000_000, "\0" * 1_000_000),
    *("0-99999999999", "1-2:" + "3" * 200_000, "0-65535:2/3," * 8_000 + "0", "0-65535," * 32_000 + "0"),
]
OPERATORS: list[Callable[[Any, Any], object]] = [
    *(operator.or_, operator.and_, operator.sub, operator.xor),
    *(operator.le, operator.lt, operator.ge, operator.gt, operator.eq, operator.ne),
]


class TestLists:
    @pytest.mark.parametrize(
        ("text", "cpus"),
        [
            ("", []),
            ("\n", []),
            (" \n", []),
            ("0", [0]),
            ("0\n", [0]),
            ("0-3,8\n", [0, 1, 2, 3, 8]),
            ("31\n\0", [31]),
            ("0-3\0", [0, 1, 2, 3]),
            ("8,0-1", [0, 1, 8]),
            ("0-2,1-3", [0, 1, 2, 3]),
            ("5-5", [5]),
            (" 0 , 2 ", [0, 2]),
            ("0-6:2", [0, 2, 4, 6]),
            ("1-10:4", [1, 5, 9]),
            ("0-9:2/5", [0, 1, 5, 6]),
            ("0-6:4/5", [0, 1, 2, 3, 5, 6]),
            ("0-3:1/1", [0, 1, 2, 3]),
            ("0-1:8", [0]),
            ("065535", [HIGHEST]),
        ],
    )
    def test_kernel_lists(self, text: str, cpus: list[int]) -> None:
        assert list(CpuSet.parse_list(text)) == cpus

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "x",
                "0-",
                "-3",
                "-",
                "3-1",
                "0,,1",
                ",",
                "0,",
                ",0",
                "0-3-5",
                "0--3",
                "+1",
                "1_0",
                "0x3",
                "1.5",
                "0 1",
                "0;1",
            ),
            *("0-3:", "0-3:0", "0-3:2/", "0-3:/2", "0-3:3/2", "0-3:0/2", "0-3:1/2/3", "0:2:2", "0-3:-2"),
            *("65536", "0-65536", "0-99999999999", "9" * 30, "٣", "²", "(null)", "all", "0-3\n4", "\0000"),
        ],
    )
    def test_anything_else_is_refused_and_quoted(self, text: str) -> None:
        with pytest.raises(InvalidCpuSet) as caught:
            CpuSet.parse_list(text)
        assert repr(text) in str(caught.value)
        assert "\n" not in str(caught.value)

    @law
    @given(ids)
    def test_what_we_write_we_read_back(self, numbers: frozenset[int]) -> None:
        cpus = CpuSet(numbers)
        assert CpuSet.parse_list(str(cpus)) == cpus
        assert CpuSet.parse_list(f"{cpus}\n\0") == cpus

    @law
    @given(ids)
    def test_the_written_list_is_the_shortest(self, numbers: frozenset[int]) -> None:
        text = str(CpuSet(numbers))
        spans = [tuple(map(int, span.split("-"))) for span in text.split(",") if span]
        assert all(span[0] < span[-1] for span in spans if len(span) == 2)
        assert all(before[-1] + 1 < after[0] for before, after in itertools.pairwise(spans))

    @law
    @given(first=st.integers(0, 500), length=st.integers(0, 500), group=st.integers(1, 40), data=st.data())
    def test_strides_are_the_kernels(self, first: int, length: int, group: int, data: st.DataObject) -> None:
        used = data.draw(st.integers(1, group))
        last = first + length
        taken = [cpu for cpu in range(first, last + 1) if (cpu - first) % group < used]
        assert list(CpuSet.parse_list(f"{first}-{last}:{used}/{group}")) == taken
        if used == 1:
            assert list(CpuSet.parse_list(f"{first}-{last}:{group}")) == taken


class TestMasks:
    @pytest.mark.parametrize(
        ("text", "cpus"),
        [
            ("0", []),
            ("f\n", [0, 1, 2, 3]),
            ("0x3", [0, 1]),
            ("FF00", [8, 9, 10, 11, 12, 13, 14, 15]),
            ("00000001,00000002", [1, 32]),
            ("0001,00000000,00000000", [64]),
            ("80000000\n\0", [31]),
        ],
    )
    def test_kernel_masks(self, text: str, cpus: list[int]) -> None:
        assert list(CpuSet.parse_mask(text)) == cpus

    @pytest.mark.parametrize("text", ["", "\n", "g", "-1", "+1", "1_0", "0o7", "1 2", "0x", ",", "1" + "0" * 16_384])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidCpuSet):
            CpuSet.parse_mask(text)

    def test_the_widest_mask_holds_the_highest_cpu(self) -> None:
        assert CpuSet.parse_mask("8" + "0" * 16_383).last() == HIGHEST

    @law
    @given(ids)
    def test_what_we_write_we_read_back_in_words_of_32_bits(self, numbers: frozenset[int]) -> None:
        cpus = CpuSet(numbers)
        assert CpuSet.parse_mask(cpus.to_mask()) == cpus
        assert all(len(word) == 8 for word in cpus.to_mask().split(","))


class TestAnyText:
    @law
    @given(st.one_of(st.text(), st.text(alphabet="0123456789-,:/ \n\0"), st.text(alphabet="0123456789abcdefx,_+-")))
    @example("0-99999999999")
    @example("9" * 30)
    def test_it_is_a_set_or_refused(self, text: str) -> None:
        for parse in (CpuSet.parse_list, CpuSet.parse_mask):
            try:
                cpus = parse(text)
            except InvalidCpuSet:
                continue
            assert not cpus or cpus.last() <= HIGHEST

    @pytest.mark.parametrize("text", HUGE_TEXTS, ids=lambda text: f"{text[:20]!a}...")
    @pytest.mark.parametrize("parse", [CpuSet.parse_list, CpuSet.parse_mask])
    def test_a_huge_text_takes_little_time_and_memory(self, text: str, parse: Callable[[str], CpuSet]) -> None:
        tracemalloc.start()
        started = time.process_time()
        with contextlib.suppress(InvalidCpuSet):
            parse(text)
        elapsed = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert elapsed < 5
        assert peak < 64 << 20

    def test_a_huge_text_is_not_repeated_in_the_message(self) -> None:
        for text in ("9" * 100_000, "1," + "x" * 100_000, "9" * 1_000_000):
            with pytest.raises(InvalidCpuSet) as caught:
                CpuSet.parse_list(text)
            assert len(str(caught.value)) < 250


class TestAlgebra:
    @law
    @given(ids, ids)
    def test_every_operator_does_what_frozenset_does(self, one: frozenset[int], other: frozenset[int]) -> None:
        for operate in OPERATORS:
            expected, found = operate(one, other), operate(CpuSet(one), CpuSet(other))
            assert (frozenset(found) if isinstance(found, CpuSet) else found) == expected

    @law
    @given(ids, st.frozensets(st.integers(0, 80)))
    def test_subsets_and_disjoint_sets(self, one: frozenset[int], other: frozenset[int]) -> None:
        assert CpuSet(one & other) <= CpuSet(one)
        assert CpuSet(one).isdisjoint(CpuSet(other)) == one.isdisjoint(other)
        assert CpuSet(one - other).isdisjoint(CpuSet(other))

    @law
    @given(ids, ids)
    def test_equal_sets_have_equal_hashes(self, one: frozenset[int], other: frozenset[int]) -> None:
        assert hash(CpuSet(one)) == hash(CpuSet(sorted(one, reverse=True)))
        assert len({CpuSet(one), CpuSet(other)}) == len({one, other})

    @law
    @given(ids)
    def test_it_is_a_collection_in_ascending_order(self, numbers: frozenset[int]) -> None:
        cpus = CpuSet(numbers)
        assert list(cpus) == sorted(numbers)
        assert len(cpus) == len(numbers)
        assert bool(cpus) == bool(numbers)
        assert all(cpu in cpus for cpu in numbers)
        assert [cpu for first, last in cpus.ranges() for cpu in range(first, last + 1)] == sorted(numbers)
        if numbers:
            assert (cpus.first(), cpus.last()) == (min(numbers), max(numbers))

    @law
    @given(ids)
    def test_it_survives_pickling_and_its_own_repr(self, numbers: frozenset[int]) -> None:
        cpus = CpuSet(numbers)
        assert pickle.loads(pickle.dumps(cpus)) == cpus
        assert eval(repr(cpus), {"CpuSet": CpuSet}) == cpus

    @pytest.mark.parametrize(
        "operate", [operator.or_, operator.and_, operator.sub, operator.xor, operator.le, operator.lt]
    )
    def test_other_types_are_not_mixed_in(self, operate: Callable[[object, object], object]) -> None:
        with pytest.raises(TypeError):
            operate(CpuSet([1]), {1})

    def test_it_equals_nothing_but_a_cpuset(self) -> None:
        assert CpuSet([1]) != {1}
        assert CpuSet() != 0

    @pytest.mark.parametrize("stranger", [-1, HIGHEST + 1, 10**30, "1", None, 1.5])
    def test_what_is_no_cpu_id_is_not_in_it(self, stranger: object) -> None:
        assert stranger not in CpuSet(range(64))

    @pytest.mark.parametrize("number", [-1, HIGHEST + 1, 10**30])
    def test_an_impossible_id_is_refused(self, number: int) -> None:
        with pytest.raises(InvalidCpuSet):
            CpuSet([number])

    def test_an_empty_set_has_no_first_and_no_last(self) -> None:
        with pytest.raises(ValueError, match="no first"):
            CpuSet().first()
        with pytest.raises(ValueError, match="no last"):
            CpuSet().last()

    @law
    @given(st.lists(ids, max_size=5))
    def test_the_union_of_many_is_what_is_in_any(self, sets: list[frozenset[int]]) -> None:
        assert set(CpuSet.union(map(CpuSet, sets))) == set().union(*sets)


class TestImmutability:
    def test_it_takes_no_new_value(self) -> None:
        cpus = CpuSet([1])
        with pytest.raises(AttributeError, match="does not change"):
            cpus._bits = 7
        with pytest.raises(AttributeError):
            cpus.name = "cpus"
        assert list(cpus) == [1]

    def test_nothing_of_it_can_be_deleted(self) -> None:
        cpus = CpuSet([1])
        with pytest.raises(AttributeError, match="does not change"):
            del cpus._bits
        assert list(cpus) == [1]

    def test_augmented_assignment_makes_a_new_set(self) -> None:
        cpus = before = CpuSet([1])
        cpus |= CpuSet([2])
        assert (list(before), list(cpus)) == ([1], [1, 2])


def test_4096_cpus_are_fast() -> None:
    every_other = ",".join(str(cpu) for cpu in range(0, 4096, 2))
    started = time.process_time()
    for _ in range(20):
        cpus = CpuSet.parse_list(every_other)
        assert CpuSet.parse_mask(cpus.to_mask()) == cpus
        assert str(cpus) == every_other
        assert len(list(cpus)) == 2048
    assert time.process_time() - started < 2
