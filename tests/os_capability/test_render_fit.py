# SPDX-License-Identifier: Apache-2.0
"""How an answer to a demand is worded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from os_capability import Host
from os_capability.insight.fit import Demand, fit
from os_capability.model import Limits
from os_capability.render.fit import render_fit
from tests.os_capability.insight.small_machines import Core, Node, machine

FOUR_CORES = (Core(), Core(), Core(), Core())
LAZY = machine(Node(total=30, free=20), Node(total=20, free=10), total=100, available=90)


@pytest.mark.parametrize(
    ("host", "demand", "lines"),
    [
        (
            machine(Node(cores=FOUR_CORES), isolated="6-7"),
            Demand(vcpus=8),
            ["no", "needs 8 shared CPUs: node 0 has 6 free, 2 short (2 isolated CPUs are not shared)"],
        ),
        (
            machine(Node(total=40, pages={8: 5}), reserved={8: 2}),
            Demand(memory_bytes=40, hugepage_size_bytes=8),
            ["no", "needs 5 huge pages of 8 B: node 0 has 5 free, 2 of them reserved machine-wide, 2 short"],
        ),
        (
            machine(Node(total=40, pages={8: 5})),
            Demand(memory_bytes=4, hugepage_size_bytes=4),
            ["no", "needs 1 huge page of 4 B: no node has huge pages of 4 B"],
        ),
        (
            machine(Node(total=9, free=9), Node(total=9, free=9, kind="gpu"), Node(total=9, free=8)),
            Demand(memory_bytes=18),
            [
                "no",
                "needs 18 B of memory: nodes 0, 2 have 17 B free, 1 B short",
                "not counted: 9 B of gpu memory on node 1",
            ],
        ),
        (
            machine(Node(cores=FOUR_CORES), Node(total=9, free=9, kind="cxl")),
            Demand(memory_bytes=5),
            ["no", "needs 5 B of memory: no node has plain RAM", "not counted: 9 B of cxl memory on node 1"],
        ),
        (
            LAZY,
            Demand(memory_bytes=50),
            [
                "unknown",
                "needs 50 B of memory: unknown: this machine's nodes do not count all of its memory yet",
            ],
        ),
        (
            LAZY,
            Demand(memory_bytes=99),
            ["no", "needs 99 B of memory: nodes 0, 1 have at most 90 B free, 9 B short"],
        ),
    ],
)
def test_a_refusal_names_its_reason(host: Host, demand: Demand, lines: list[str]) -> None:
    assert render_fit(fit(host, demand), demand).splitlines() == lines


@pytest.mark.parametrize("number", [1, 9])
def test_what_was_not_considered_comes_last(number: int) -> None:
    host, demand = replace(machine(Node(cores=FOUR_CORES)), limits=Limits(cpu_quota=0.5)), Demand(vcpus=number)
    last = render_fit(fit(host, demand), demand).splitlines()[-1]
    assert last == "not considered: this process may use 0.5 CPUs of time"
