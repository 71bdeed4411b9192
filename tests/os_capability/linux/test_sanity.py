# SPDX-License-Identifier: Apache-2.0
"""What cannot be so is taken out and said; what merely disagrees is said; what is only odd is left in peace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from os_capability import CpuSet, Host, collect
from os_capability.linux import sanity
from os_capability.model import HostWarning, HugePages, Memory, NodeHugePages, NumaNode, NumaTopology

GIB = 1 << 30
HOSTS = Path(__file__).resolve().parents[2] / "hosts"


@pytest.fixture(scope="module")
def host() -> Host:
    """Give a machine of two nodes with 8 GiB each."""
    return collect(str(HOSTS / "x86_64-two-sockets" / "root"), "sysfs")


def with_memory(
    host: Host, *, nodes: Mapping[str, object] | None = None, **figures: Any
) -> tuple[Memory, NumaTopology]:
    memory = replace(host.memory, **figures)
    changed = tuple(replace(node, **nodes or {}) for node in host.numa.nodes)  # type: ignore[arg-type]
    return memory, replace(host.numa, nodes=changed)


def codes(warnings: list[HostWarning]) -> list[str]:
    return [warning.code for warning in warnings]


def test_a_sound_machine_is_left_as_it_is(host: Host) -> None:
    assert sanity.check_memory(host.memory, host.numa, is_host=True) == (host.memory, host.numa, [])
    assert sanity.check_nodes(host.numa, host.cpu.online) == (host.numa, [])
    assert sanity.check_cpus(host.cpu) == (host.cpu, [])


@pytest.mark.parametrize(
    ("figures", "nulled", "code"),
    [
        ({"available_bytes": 0, "free_bytes": 4 * GIB}, "available_bytes", "memory-available-wrong"),
        ({"available_bytes": 99 * GIB}, "available_bytes", "memory-available-wrong"),
        ({"free_bytes": 99 * GIB}, "free_bytes", "memory-free-wrong"),
        ({"swap_total_bytes": 5, "swap_free_bytes": 6}, "swap_free_bytes", "swap-free-wrong"),
        ({"cached_bytes": (1 << 64) - 512}, "cached_bytes", "memory-cache-wrong"),
        ({"shmem_bytes": 99 * GIB}, "shmem_bytes", "memory-cache-wrong"),
    ],
)
def test_a_figure_that_cannot_be_is_null(host: Host, figures: dict[str, Any], nulled: str, code: str) -> None:
    memory, numa = with_memory(host, **figures)
    checked, same, warnings = sanity.check_memory(memory, numa, is_host=True)
    assert checked == replace(memory, **{nulled: None})  # type: ignore[arg-type]
    assert (same, codes(warnings)) == (numa, [code])


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param({"available_bytes": 0, "free_bytes": 1 << 20}, id="nothing available and hardly anything free"),
        pytest.param({"available_bytes": None}, id="not known"),
        pytest.param({"total_bytes": None}, id="the total is not known"),
        pytest.param({"swap_total_bytes": 0, "swap_free_bytes": 0}, id="no swap"),
        pytest.param(
            {"hugepages": (HugePages(size_bytes=2 << 20, total=9, free=9, reserved=9, surplus=9),)}, id="full"
        ),
    ],
)
def test_what_is_only_odd_is_left_in_peace(host: Host, figures: dict[str, Any]) -> None:
    memory, numa = with_memory(host, **figures)
    assert sanity.check_memory(memory, numa, is_host=True) == (memory, numa, [])


def test_of_swap_that_no_machine_has_nothing_is_known(host: Host) -> None:
    memory, numa = with_memory(host, swap_total_bytes=9007199254740988 << 10, swap_free_bytes=5)
    checked, _, warnings = sanity.check_memory(memory, numa, is_host=False)
    assert (checked.swap_total_bytes, checked.swap_free_bytes) == (None, None)
    assert codes(warnings) == ["swap-total-wrong"]


@pytest.mark.parametrize("reserved", [(1 << 64) - 1, 10])
def test_more_reserved_pages_than_there_are_are_null(host: Host, reserved: int) -> None:
    pool = HugePages(size_bytes=2 << 20, total=9, free=9, reserved=reserved, surplus=0)
    memory, numa = with_memory(host, hugepages=(pool,))
    checked, _, warnings = sanity.check_memory(memory, numa, is_host=True)
    assert checked.hugepages == (replace(pool, reserved=None),)
    assert codes(warnings) == ["hugepages-wrong"]


def test_a_nodes_free_memory_beyond_its_total_is_null_and_the_node_is_named(host: Host) -> None:
    memory, numa = with_memory(host, nodes={"memory_free_bytes": 99 * GIB})
    _, checked, warnings = sanity.check_memory(memory, numa, is_host=True)
    assert {node.memory_free_bytes for node in checked.nodes} == {None}
    assert "node 1" in warnings[-1].message


@pytest.mark.parametrize(
    ("counts", "left"),
    [
        pytest.param((4, 5, 0), (4, None, 0), id="more free than there are"),
        pytest.param((4, 1, 9), (4, 1, None), id="more surplus than there are"),
        pytest.param((10**9, 1, 0), (None, 1, 0), id="a pool larger than the memory"),
        pytest.param((10**9, 10**9, 0), (None, None, 0), id="a pool larger than the memory, all of it free"),
        pytest.param((None, 1, 0), (None, 1, 0), id="not known"),
    ],
)
def test_huge_pages_that_cannot_be_are_null(
    host: Host, counts: tuple[int | None, int, int], left: tuple[int | None, int | None, int | None]
) -> None:
    total, free, surplus = counts
    machine = HugePages(size_bytes=2 << 20, total=total, free=free, reserved=0, surplus=surplus)
    pool = NodeHugePages(size_bytes=2 << 20, total=total, free=free, surplus=surplus)
    memory, numa = with_memory(host, hugepages=(machine,), nodes={"hugepages": (pool,)})
    checked, nodes, warnings = sanity.check_memory(memory, numa, is_host=True)
    assert [(pages.total, pages.free, pages.surplus) for pages in checked.hugepages or ()] == [left]
    for node in nodes.nodes:
        assert [(pages.total, pages.free, pages.surplus) for pages in node.hugepages or ()] == [left]
    assert set(codes(warnings)) == (set() if left == counts else {"hugepages-wrong"})
    assert any("2 MiB of NUMA node 1" in warning.message for warning in warnings) == (left != counts)


def test_a_containers_memory_beside_the_hosts_pools_and_nodes_contradicts_nothing(host: Host) -> None:
    pool = HugePages(size_bytes=GIB, total=8, free=8, reserved=0, surplus=0)
    memory, numa = with_memory(host, total_bytes=GIB, free_bytes=0, available_bytes=0, hugepages=(pool,))
    assert sanity.check_memory(memory, numa, is_host=False) == (memory, numa, [])
    assert set(codes(sanity.check_memory(memory, numa, is_host=True)[2])) == {
        "hugepages-wrong",
        "node-memory-disagreement",
    }


def nodes_of(*sizes: tuple[int | None, int | None]) -> NumaTopology:
    """Give nodes of these totals and free sizes, in MiB."""
    return NumaTopology(
        synthetic=False,
        nodes=tuple(
            NumaNode(
                id=at,
                cpus=CpuSet([at]),
                memory_total_bytes=total and total << 20,
                memory_free_bytes=free and free << 20,
                memory_kind="dram",
                memory_kind_evidence=None,
                hugepages=None,
                distances=None,
            )
            for at, (total, free) in enumerate(sizes)
        ),
    )


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        pytest.param([(8000, 4000), (8000, 4000)], None, id="the sum is right"),
        pytest.param([(8270, 4000), (8270, 4000)], None, id="an old kernel counts 3.4 % more"),
        pytest.param([(8000, 4000), (8900, 4000)], "more", id="far more"),
        pytest.param([(8000, 4000), (4000, 2000)], "less", id="a node is missing, and some of its memory is used"),
        pytest.param([(4000, 2000), (2000, 1000)], "less", id="less than half, most of it free"),
        pytest.param([(8000, 3000), (4000, 1000)], None, id="all that is missing is free: not touched yet"),
        pytest.param([(8000, 4000), (None, None)], None, id="a node does not say"),
        pytest.param([(8000, None), (4000, None)], "less", id="nobody says what is free"),
    ],
)
def test_the_nodes_add_up_to_the_machine(
    host: Host, nodes: list[tuple[int | None, int | None]], words: str | None
) -> None:
    figures: dict[str, Any] = {"total_bytes": 16000 << 20, "free_bytes": 8000 << 20, "available_bytes": None}
    memory, _ = with_memory(host, hugepages=None, **figures)
    checked, numa, warnings = sanity.check_memory(memory, nodes_of(*nodes), is_host=True)
    assert (checked, numa) == (memory, nodes_of(*nodes)), "a mere disagreement keeps the numbers"
    assert codes(warnings) == ([] if words is None else ["node-memory-disagreement"])
    assert all(words is not None and words in warning.message and "0-1" in warning.message for warning in warnings)


def test_cpus_in_no_node_and_in_several_are_named(host: Host) -> None:
    numa = nodes_of((1, 1), (1, 1))
    assert codes(sanity.check_nodes(numa, CpuSet([0, 1]))[1]) == []
    (warning,) = sanity.check_nodes(numa, CpuSet(range(4)))[1]
    assert (warning.code, "CPUs 2-3" in warning.message) == ("cpus-in-no-node", True)
    twice = replace(numa, nodes=tuple(replace(node, cpus=CpuSet([0, 1])) for node in numa.nodes))
    assert codes(sanity.check_nodes(twice, CpuSet([0, 1]))[1]) == ["cpus-in-several-nodes"]


@pytest.mark.parametrize(
    ("distances", "is_wrong"),
    [({0: 10, 1: 20}, False), ({0: 10, 1: 10}, False), ({0: 20, 1: 10}, True), (None, False)],
)
def test_a_node_that_is_nearer_to_another_than_to_itself_has_no_distances(
    distances: dict[int, int] | None, is_wrong: bool
) -> None:
    near, other = nodes_of((1, 1), (1, 1)).nodes
    other = replace(other, distances={0: 20, 1: 10})
    numa, warnings = sanity.check_nodes(
        NumaTopology(synthetic=False, nodes=(replace(near, distances=distances), other)), CpuSet([0, 1])
    )
    assert numa.node(0).distances == (None if is_wrong else distances)
    assert numa.node(1) == other
    assert codes(warnings) == (["node-distances-wrong"] if is_wrong else [])


@pytest.mark.parametrize(
    ("sockets", "cores", "left"),
    [(1, 4, (1, 4)), (5, 4, (None, 4)), (1, 99, (1, None)), (99, None, (None, None)), (None, None, (None, None))],
)
def test_counts_that_cannot_be_are_null(
    host: Host, sockets: int | None, cores: int | None, left: tuple[int | None, int | None]
) -> None:
    checked, warnings = sanity.check_cpus(replace(host.cpu, sockets=sockets, cores=cores))
    assert (checked.sockets, checked.cores) == left
    assert codes(warnings) == ([] if left == (sockets, cores) else ["cpu-counts-wrong"])


@pytest.mark.parametrize(
    ("possible", "present", "online", "says"),
    [
        ("0-7", "0-3", "0-3", []),
        (None, None, "0-3", []),
        ("", "0-3", "0-3", []),
        ("0-7", "0-1", "0-3", ["online but not present: CPUs 2-3"]),
        ("0-3", "0-7", "0-3", ["present but not possible: CPUs 4-7"]),
        ("0-1", None, "0-3", ["online but not possible: CPUs 2-3"]),
    ],
)
def test_the_kernels_sets_lie_within_each_other(
    possible: str | None, present: str | None, online: str, says: list[str]
) -> None:
    possible_cpus, present_cpus = (None if text is None else CpuSet.parse_list(text) for text in (possible, present))
    warnings = sanity.check_cpu_sets(possible_cpus, present_cpus, CpuSet.parse_list(online))
    assert [warning.message for warning in warnings] == says


def test_no_machine_of_ours_is_doubted_without_a_reason() -> None:
    for root in sorted(HOSTS.glob("*/root")):
        found = {warning.code for warning in collect(str(root), "sysfs").warnings}
        assert found <= {*re.findall(r'"code": "([^"]+)"', (root.parent / "expected.json").read_text())}, root


def test_no_warning_of_this_kind_holds_a_figure_that_moves(host: Host) -> None:
    memory, numa = with_memory(host, available_bytes=0, free_bytes=99 * GIB, nodes={"memory_free_bytes": 98 * GIB})
    _, _, warnings = sanity.check_memory(memory, numa, is_host=True)
    assert warnings
    assert not [w for w in warnings if re.search(r"\d{2,}", w.message)]
