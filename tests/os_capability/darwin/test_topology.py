# SPDX-License-Identifier: Apache-2.0
"""The CPUs of Macs, from counts."""

from __future__ import annotations

import pytest

from os_capability.cpuset import CpuSet
from os_capability.darwin.topology import join, read_cpus
from os_capability.sysctl import Sysctl

M1_PRO = {
    "hw.ncpu": "10",
    "hw.logicalcpu_max": "10",
    "hw.packages": "1",
    "hw.nperflevels": "2",
    "hw.perflevel0.name": "Performance",
    "hw.perflevel0.logicalcpu": "8",
    "hw.perflevel0.logicalcpu_max": "8",
    "hw.perflevel0.physicalcpu_max": "8",
    "hw.perflevel0.l2cachesize": "12582912",
    "hw.perflevel0.cpusperl2": "4",
    "hw.perflevel1.name": "Efficiency",
    "hw.perflevel1.logicalcpu": "2",
    "hw.perflevel1.logicalcpu_max": "2",
    "hw.perflevel1.physicalcpu_max": "2",
    "hw.perflevel1.l2cachesize": "4194304",
    "hw.perflevel1.cpusperl2": "2",
}


def cpus(text: str) -> CpuSet:
    return CpuSet.parse_list(text)


def test_the_weakest_level_has_the_lowest_ids_and_the_strongest_is_told_first() -> None:
    found = read_cpus(Sysctl(M1_PRO))
    assert found is not None
    kinds = join(Sysctl(M1_PRO), found).kinds
    assert [(kind.name, str(kind.cpus)) for kind in kinds] == [("performance", "2-9"), ("efficiency", "0-1")]


def test_a_level_with_two_second_level_caches_has_both() -> None:
    found = read_cpus(Sysctl(M1_PRO))
    assert found is not None
    caches = join(Sysctl(M1_PRO), found).caches
    assert [(cache.size_bytes, str(cache.shared_cpus)) for cache in caches] == [
        (4 << 20, "0-1"),
        (12 << 20, "2-5"),
        (12 << 20, "6-9"),
    ]


def test_three_levels_keep_their_names() -> None:
    levels = {"Super": 2, "Performance": 6, "Efficiency": 4}
    values = {"hw.logicalcpu_max": "12", "hw.nperflevels": "3"}
    for number, (name, count) in enumerate(levels.items()):
        values |= {f"hw.perflevel{number}.name": name, f"hw.perflevel{number}.logicalcpu_max": str(count)}
    found = read_cpus(Sysctl(values))
    assert found is not None
    assert [(level.name, str(level.cpus)) for level in found.levels] == [
        ("super", "10-11"),
        ("performance", "4-9"),
        ("efficiency", "0-3"),
    ]


def test_levels_without_names_are_performance_and_efficiency() -> None:
    values = {name: value for name, value in M1_PRO.items() if not name.endswith(".name")}
    found = read_cpus(Sysctl(values))
    assert found is not None
    assert [level.name for level in found.levels] == ["performance", "efficiency"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"hw.perflevel1.logicalcpu_max": "4"}, id="do not add up"),
        pytest.param({"hw.perflevel1.logicalcpu_max": ""}, id="one is not counted"),
        pytest.param({"hw.nperflevels": "99"}, id="more than there can be"),
    ],
)
def test_levels_that_make_no_sense_are_none(damage: dict[str, str]) -> None:
    found = read_cpus(Sysctl(M1_PRO | damage))
    assert found is not None
    assert (len(found.levels), found.online) == (1, cpus("0-9"))
    assert join(Sysctl(M1_PRO | damage), found).kinds == ()


def test_cpus_taken_offline_are_present_and_in_no_core() -> None:
    values = {"hw.logicalcpu_max": "8", "hw.logicalcpu": "4", "hw.physicalcpu_max": "4", "hw.packages": "1"}
    found = read_cpus(Sysctl(values))
    assert found is not None
    topology = join(Sysctl(values), found)
    assert (found.present, found.online, topology.cores) == (cpus("0-7"), cpus("0-3"), 2)
    assert {(p.core, p.socket, p.node) for p in topology.processors if not p.online} == {(None, None, None)}


def test_cores_that_the_threads_do_not_fill_evenly_are_unknown_and_counted() -> None:
    values = {"hw.ncpu": "7", "hw.physicalcpu_max": "4", "hw.physicalcpu": "4"}
    found = read_cpus(Sysctl(values))
    assert found is not None
    topology = join(Sysctl(values), found)
    assert {processor.core for processor in topology.processors} == {None}
    assert topology.cores == 4


@pytest.mark.parametrize("count", ["", "0", "-1", "9" * 12])
def test_without_a_sensible_count_there_is_no_machine(count: str) -> None:
    assert read_cpus(Sysctl({"hw.ncpu": count})) is None
