# SPDX-License-Identifier: Apache-2.0
"""NUMA nodes in numbers: each size of page apart, and nothing known where something is not."""

from __future__ import annotations

from typing import Any

import pytest

from host_agent.demand import HostDemand
from host_agent.numa import HostNuma, NumaCell, PagePool
from host_agent.numa.inventory import ORDINARY, NodeInventory, digest_of, node_inventories, total
from os_capability import CpuSet

GIB, MIB = 1024**3, 1024**2
SMALL, LARGE = 2 * MIB, GIB


def inventories(*cells: NumaCell, ratio: float | None = 1.0) -> dict[tuple[int, int], NodeInventory]:
    found = node_inventories(HostNuma(cells=cells), ram_ratio=ratio)
    assert len({(one.page_size_bytes, one.node_id) for one in found}) == len(found)
    return {(one.page_size_bytes, one.node_id): one for one in found}


def cell(number: int = 0, *, cpus: str = "0-3", **changes: object) -> NumaCell:
    known: dict[str, object] = {"memory_total_bytes": 8 * GIB, "hugepages": ()}
    return NumaCell(id=number, cpuset=CpuSet.parse_list(cpus), **known | changes)  # type: ignore[arg-type]


def test_ordinary_memory_is_all_but_the_pools_less_what_is_held() -> None:
    pools = (PagePool(size_bytes=SMALL, total=512, taken=100, reserved=10, allocated=20),)
    found = inventories(cell(hugepages=pools, held_bytes=GIB))
    assert found[ORDINARY, 0] == NodeInventory(
        page_size_bytes=ORDINARY,
        node_id=0,
        free_bytes=6 * GIB,
        floating_cpus=4,
        pinning_cpus=4,
        either_cpus=4,
    )
    # What processes took is more than what is reserved and held: nobody else has it.
    assert found[SMALL, 0].free_bytes == 412 * SMALL


def test_a_ratio_gives_ordinary_memory_away_more_than_once_and_makes_no_workload_larger() -> None:
    assert inventories(cell(held_bytes=GIB), ratio=1.5)[ORDINARY, 0].free_bytes == 8 * GIB
    assert inventories(cell(held_bytes=9 * GIB), ratio=1.5)[ORDINARY, 0].free_bytes == 3 * GIB
    assert inventories(cell(held_bytes=13 * GIB), ratio=1.5)[ORDINARY, 0].free_bytes == 0
    assert inventories(cell(), ratio=None)[ORDINARY, 0].free_bytes is None


def test_a_size_that_one_node_has_is_told_of_all_and_a_size_that_none_has_of_none() -> None:
    empty = PagePool(size_bytes=LARGE, total=0, taken=0)
    some = PagePool(size_bytes=SMALL, total=4, taken=0)
    found = inventories(cell(0, hugepages=(some, empty)), cell(1, cpus="4-7", hugepages=(empty,)))
    assert set(found) == {(ORDINARY, 0), (ORDINARY, 1), (SMALL, 0), (SMALL, 1)}
    # Its CPUs are there all the same.
    assert (found[SMALL, 1].free_bytes, found[SMALL, 1].floating_cpus) == (0, 4)


def test_what_is_not_known_is_no_number() -> None:
    unknown = PagePool(size_bytes=SMALL, total=None, taken=None)
    found = inventories(cell(hugepages=(unknown,)), cell(1, cpus="4", pins=None, memory_total_bytes=None))
    assert found[SMALL, 0].free_bytes is None
    assert found[ORDINARY, 0].free_bytes is None
    told = found[ORDINARY, 1]
    assert (told.free_bytes, told.floating_cpus, told.pinning_cpus, told.either_cpus) == (None, None, None, None)
    assert inventories(cell(0, hugepages=(unknown,)), cell(1, hugepages=None))[SMALL, 1].free_bytes is None


def test_memory_that_is_no_plain_ram_is_none() -> None:
    found = inventories(cell(memory_kind="cxl", held_bytes=5))
    assert found[ORDINARY, 0].free_bytes == 0


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        # floating, pinning, either
        ({}, (3, 3, 3)),
        ({"dedicated_cpus": CpuSet([0, 1])}, (0, 1, 0)),
        ({"shared_cpus": CpuSet([2, 3])}, (2, 0, 0)),
        ({"dedicated_cpus": CpuSet([0, 1]), "shared_cpus": CpuSet([2, 3])}, (2, 1, 0)),
    ],
)
def test_cpus_count_as_the_operator_keeps_them(sets: dict[str, Any], expected: tuple[int, int, int]) -> None:
    (one,) = inventories(cell(pins=((0, 1),), **sets)).values()
    assert (one.floating_cpus, one.pinning_cpus, one.either_cpus) == expected


def test_a_sum_of_which_a_part_is_not_known_is_not_known() -> None:
    assert total([]) == 0
    assert total([1, 2]) == 3
    assert total([1, None]) is None
    assert len({digest_of("a", 1.0), digest_of("b", 1.0), digest_of("a", None), digest_of("a", 1.5)}) == 4
    assert len(digest_of("a", 1.0)) == 32


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "nothing is asked for"),
        ({"vcpus": -1}, "vcpus: -1 is less than 0"),
        ({"vcpus": 1, "numa_nodes": 0}, "numa_nodes: 0 is less than 1"),
        ({"vcpus": 1, "hugepage_size_bytes": SMALL}, "hugepage_size_bytes: .* none is asked for"),
        ({"memory_bytes": 1, "hugepage_size_bytes": 0}, "hugepage_size_bytes: 0 is less than 1"),
    ],
)
def test_a_demand_that_nobody_can_have_is_refused(wanted: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HostDemand(**wanted)  # type: ignore[arg-type]


def test_each_node_takes_an_even_share_rounded_up() -> None:
    wanted = HostDemand(vcpus=3, pcpus=1, memory_bytes=5 * MIB, hugepage_size_bytes=SMALL, numa_nodes=2)
    assert (wanted.memory_mb, wanted.pages_bytes) == (5, 6 * MIB)
    share = wanted.of_node
    assert (share.vcpus, share.pcpus, share.memory_bytes, share.pages_bytes) == (2, 1, 5 * MIB // 2, 4 * MIB)
    assert HostDemand(memory_bytes=MIB + 1).memory_mb == 2
