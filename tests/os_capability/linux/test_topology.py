# SPDX-License-Identifier: Apache-2.0
"""Rows joined to processors and counts."""

from __future__ import annotations

import pytest

from os_capability.cpuset import CpuSet
from os_capability.linux.agreement import disagreements
from os_capability.linux.hugepages import default_pool, node_default_pool, parse_pool_size
from os_capability.linux.lscpu import LscpuRow
from os_capability.linux.lscpu_source import topology_rows
from os_capability.linux.node import parse_distances
from os_capability.linux.topology import Placement, TopologyRow, cores_of, join, parse_id


def cpus(text: str) -> CpuSet:
    return CpuSet.parse_list(text)


def row(cpu: int, siblings: str | None = None, *, core_id: int | None = None, socket: int | None = None) -> TopologyRow:
    return TopologyRow(cpu, None if siblings is None else cpus(siblings), core_id=core_id, socket=socket)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3\n", 3),
        ("31\n\0", 31),
        ("-1\n", None),
        ("4294967295", None),
        ("", None),
        (None, None),
        ("x", None),
        ("9" * 30, None),
    ],
)
def test_minus_one_is_never_an_id(text: str | None, value: int | None) -> None:
    assert parse_id(text) == value


def test_an_x86_without_clusters_has_none() -> None:
    assert parse_id("65535\n", cluster=True) is None
    assert parse_id("65535\n") == 65535


def test_cores_are_sibling_sets_though_core_ids_repeat() -> None:
    rows = [
        row(0, "0,2", core_id=0, socket=0),
        row(1, "1,3", core_id=0, socket=0),
        row(2, "0,2", core_id=0, socket=0),
        row(3, "1,3"),
    ]
    topology = join(Placement(cpus("0-3"), rows, {}), {})
    assert [processor.core for processor in topology.processors] == [0, 1, 0, 1]
    assert topology.cores == 2


def test_without_siblings_cores_are_told_by_all_their_ids() -> None:
    rows = [row(0, core_id=0, socket=0), row(1, core_id=0, socket=1), row(2, core_id=0, socket=0)]
    assert cores_of(rows, cpus("0-2")) == {0: cpus("0,2"), 1: cpus("1"), 2: cpus("0,2")}


def test_a_core_nobody_knows_makes_the_count_unknown() -> None:
    topology = join(Placement(cpus("0-1"), [row(0, "0"), row(1)], {}), {})
    assert topology.cores is None
    assert {processor.core for processor in topology.processors} == {None}


def test_an_offline_cpu_is_listed_and_not_counted() -> None:
    rows = [row(0, "0-1", socket=0), row(1, socket=1)]
    topology = join(Placement(cpus("0"), rows, {}), {})
    assert [(p.id, p.online, p.core) for p in topology.processors] == [(0, True, 0), (1, False, None)]
    assert (topology.cores, topology.sockets) == (1, 1)


def test_each_book_numbers_its_sockets_anew() -> None:
    rows = [row(cpu, str(cpu), socket=1)._replace(book=cpu // 2, drawer=0) for cpu in range(4)]
    assert join(Placement(cpus("0-3"), rows, {}), {}).sockets == 2


def test_sockets_without_ids_are_their_package_masks() -> None:
    rows = [row(0, "0")._replace(package=cpus("0-1")), row(1, "1")._replace(package=cpus("0-1"))]
    assert join(Placement(cpus("0-1"), rows, {}), {}).sockets == 1


def test_package_masks_that_repeat_the_thread_masks_tell_no_sockets() -> None:
    rows = [row(0, "0-1")._replace(package=cpus("0-1")), row(1, "0-1")._replace(package=cpus("0-1"))]
    assert join(Placement(cpus("0-1"), rows, {}), {}).sockets is None


def test_a_cpu_in_two_nodes_is_in_none_and_without_nodes_all_are_in_node_0() -> None:
    overlapping = Placement(cpus("0-2"), [], {0: cpus("0-1"), 3: cpus("1")})
    assert overlapping.node_of_cpu() == {0: 0, 1: None}
    assert Placement(cpus("4-5"), [], {}).node_of_cpu() == {4: 0, 5: 0}


def test_lscpus_running_numbers_become_sets() -> None:
    places = ((0, 0, 0), (1, 0, 0), (2, None, None))
    logical = [LscpuRow(cpu, core, socket, None, None, None, True) for cpu, core, socket in places]
    rows = topology_rows(logical, {0: row(0, core_id=8, socket=4)})
    assert rows[0] == TopologyRow(0, cpus("0-1"), cpus("0-1"), core_id=8, socket=4)
    assert rows[2] == TopologyRow(2)


class TestAgreement:
    """lscpu against sysfs."""

    SYSFS = Placement(cpus("0-1"), [row(0, "0-1"), row(1, "0-1")], {0: cpus("0-1")})

    def test_two_that_agree_are_silent(self) -> None:
        assert list(disagreements(self.SYSFS, self.SYSFS)) == []

    def test_what_one_does_not_know_is_no_disagreement(self) -> None:
        assert list(disagreements(self.SYSFS, self.SYSFS._replace(rows=[row(0), row(1)]))) == []

    @pytest.mark.parametrize(
        ("lscpu", "names"),
        [
            (SYSFS._replace(online=cpus("0")), ["0", "0-1", "online"]),
            (SYSFS._replace(rows=[row(0, "0"), row(1, "1")]), ["in 2", "in 1", "cores"]),
            (SYSFS._replace(node_cpus={0: cpus("0"), 1: cpus("1")}), ["NUMA nodes", "CPUs 1"]),
        ],
    )
    def test_a_difference_names_both_answers(self, lscpu: Placement, names: list[str]) -> None:
        (message,) = disagreements(self.SYSFS, lscpu)
        assert all(name in message for name in names)


class TestNodes:
    """Distances of nodes, huge page folders."""

    @pytest.mark.parametrize(
        ("text", "nodes", "distances"),
        [
            pytest.param("10 21 31\n", [0, 2, 3], {0: 10, 2: 21, 3: 31}, id="columns follow the online nodes"),
            pytest.param("0\n", [0], None, id="an old kernel's single 0"),
            pytest.param("10 21\n", [0], None, id="stale"),
            pytest.param("ten\n", [0], None, id="words"),
            pytest.param("", [0], None, id="empty"),
            pytest.param("10\n\0", [0], {0: 10}, id="a trailing NUL"),
        ],
    )
    def test_distances(self, text: str, nodes: list[int], distances: dict[int, int] | None) -> None:
        assert parse_distances(text, nodes) == distances

    @pytest.mark.parametrize(
        ("folder", "size"),
        [
            ("hugepages-2048kB", 2 << 20),
            ("hugepages-kB", None),
            ("hugepages-2048", None),
            ("power", None),
            ("hugepages-2048kBkB", None),
            ("hugepages-0kB", None),
        ],
    )
    def test_pool_folders(self, folder: str, size: int | None) -> None:
        assert parse_pool_size(folder) == size

    def test_meminfo_without_a_size_tells_of_no_pool(self) -> None:
        assert default_pool({"HugePages_Total": 4}) is None
        assert node_default_pool({"HugePages_Total": 4}, None) is None
