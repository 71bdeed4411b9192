# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import pytest

from os_capability.cpuset import CpuSet
from os_capability.wording import counted, cpus_text, listed, nodes_text


@pytest.mark.parametrize(("number", "text"), [(0, "0 cores"), (1, "1 core"), (2, "2 cores")])
def test_a_number_stands_with_its_noun(number: int, text: str) -> None:
    assert counted(number, "core") == text


@pytest.mark.parametrize(("cpus", "text"), [("", "no CPU"), ("12", "CPU 12"), ("4-7,9", "CPUs 4-7,9")])
def test_cpus_are_named(cpus: str, text: str) -> None:
    assert cpus_text(CpuSet.parse_list(cpus)) == text


@pytest.mark.parametrize(
    ("ids", "text"),
    [([], "no node"), ([8], "node 8"), ([8, 1, 0, 0], "nodes 0-1,8"), ([10**9], "node 1000000000")],
)
def test_nodes_are_named_however_large_their_ids_are(ids: Sequence[int], text: str) -> None:
    assert nodes_text(ids) == text


@pytest.mark.parametrize(("names", "text"), [("", ""), ("abcde", "a, b, c, d, e"), ("abcdef", "a, b, c, d and 2 more")])
def test_a_long_list_says_how_many_more_there_are(names: str, text: str) -> None:
    assert listed(list(names)) == text
