# SPDX-License-Identifier: Apache-2.0
"""What a host offers to workloads, and which settings it cannot meet."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.capacity import Capacity, Inventory, capacity, refuse_impossible
from host_agent.errors import ConfigError
from host_agent.reserved_pages import ReservedPages
from host_agent.settings import CapacitySettings, load
from host_agent.workloads.discovery import DiskSpace
from os_capability import CpuSet, Host, NumaTopology
from os_capability.model import NodeHugePages
from tests.host_agent.facts import GIB, cpu_of, machine

MIB = 1024**2
PAGE = 2 * MIB
DISK = DiskSpace(total_bytes=100 * GIB, free_bytes=40 * GIB)


def cpus(text: str) -> CpuSet:
    return CpuSet.parse_list(text)


def sets(dedicated: str | None, shared: str | None) -> CapacitySettings:
    return CapacitySettings(
        cpu_dedicated_set=None if dedicated is None else cpus(dedicated),
        cpu_shared_set=None if shared is None else cpus(shared),
    )


def without(host: Host, offline: str) -> Host:
    gone = cpus(offline)
    return replace(host, cpu=cpu_of(tuple(replace(cpu, online=cpu.id not in gone) for cpu in host.cpu.processors)))


def offered(host: Host | None = None, disk: DiskSpace | None = DISK, **settings: Any) -> Capacity:
    return capacity(host or machine(), CapacitySettings(**settings), disk)


def inventories(of: Capacity) -> dict[str, Inventory]:
    return {inventory.resource_class: inventory for inventory in of.inventories()}


@pytest.mark.parametrize(
    ("dedicated", "shared", "offline", "vcpu", "pcpu"),
    [
        (None, None, "", "0-7", ""),
        (None, None, "3", "0-2,4-7", ""),
        ("2-3,6-7", None, "", "", "2-3,6-7"),
        (None, "0-1", "", "0-1", ""),
        ("2-3", "0-1", "", "0-1", "2-3"),
        ("2-3", "0-1", "1-2", "0", "3"),
        ("2-3,9", "0-1,12", "", "0-1", "2-3"),
        ("2-3", "0-1", "0-3", "", ""),
    ],
)
def test_cpus_count_where_the_operator_wants_them_and_while_they_are_online(
    dedicated: str | None, shared: str | None, offline: str, vcpu: str, pcpu: str
) -> None:
    of = capacity(without(machine(), offline), sets(dedicated, shared), None)
    assert (of.shared_cpus, of.dedicated_cpus) == (cpus(vcpu), cpus(pcpu))
    assert of.usable_cpus == cpus(vcpu) | cpus(pcpu)
    totals = {name: inventory.total for name, inventory in inventories(of).items()}
    assert (totals.get("VCPU", 0), totals.get("PCPU", 0)) == (len(cpus(vcpu)), len(cpus(pcpu)))


def test_without_any_setting_the_defaults_are_novas() -> None:
    assert offered().inventories() == (
        Inventory(resource_class="VCPU", total=8, reserved=0, ratio=4.0),
        Inventory(resource_class="MEMORY_MB", total=8192, reserved=512, ratio=1.0),
        Inventory(resource_class="DISK_GB", total=100, reserved=0, ratio=1.0),
    )


def test_what_is_reserved_is_taken_off_before_the_ratio() -> None:
    of = inventories(
        offered(
            cpu_shared_set=cpus("0-3"),
            cpu_dedicated_set=cpus("4-7"),
            reserved_host_cpus=1,
            reserved_host_memory_mb=2048,
            reserved_host_disk_mb=10 * 1024,
            cpu_allocation_ratio=16.0,
            ram_allocation_ratio=1.5,
            disk_allocation_ratio=0.5,
        )
    )
    assert {name: inventory.capacity for name, inventory in of.items()} == {
        "VCPU": 48,
        "PCPU": 4,
        "MEMORY_MB": 9216,
        "DISK_GB": 45,
    }


def test_reserved_pages_are_no_memory_for_placement_and_are_told_apart() -> None:
    of = offered(reserved_huge_pages=(ReservedPages(node=1, size_bytes=PAGE, count=5),))
    assert (of.reserved_memory_bytes, of.reserved_pages_bytes) == (512 * MIB, 5 * PAGE)
    assert inventories(of)["MEMORY_MB"].reserved == 512 + 10
    assert [cell.hugepages[0].reserved for cell in of.numa.cells if cell.hugepages] == [0, 5]
    assert [cell.hugepages[0].used for cell in of.numa.cells if cell.hugepages] == [3, 5]


def test_page_pools_are_kept_apart_and_idle_ones_are_not_used() -> None:
    of = offered()
    (pool,) = of.hugepages
    assert (pool.size_bytes, pool.total, pool.used) == (PAGE, 16, 6)
    assert (of.memory_bytes, of.ordinary_memory_bytes) == (8 * GIB, 8 * GIB - 16 * PAGE)


def test_an_unknown_pool_leaves_the_ordinary_memory_unknown() -> None:
    node = machine().numa.nodes[0]
    pools = tuple(replace(pool, total=None) for pool in node.hugepages or ())
    host = replace(machine(), numa=NumaTopology(synthetic=False, nodes=(replace(node, hugepages=pools),)))
    assert (offered(host).ordinary_memory_bytes, offered(host).hugepages[0].total) == (None, None)


@pytest.mark.parametrize(("mb", "gb"), [(0, 0), (1, 1), (1024, 1), (1025, 2), (99 * 1024 + 1, 100)])
def test_reserved_disk_is_rounded_up_to_gib(mb: int, gb: int) -> None:
    assert inventories(offered(reserved_host_disk_mb=mb))["DISK_GB"].reserved == gb


def test_what_is_unknown_is_left_out() -> None:
    host = replace(machine(), memory=replace(machine().memory, total_bytes=None))
    assert inventories(offered(host, None)).keys() == {"VCPU"}
    assert offered(host, None).memory_bytes is None


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"reserved_host_cpus": 9}, "reserved_host_cpus = 9: this machine has 8 CPUs"),
        ({"reserved_host_memory_mb": 8193}, "reserved_host_memory_mb = 8193: this machine has 8192 MiB"),
        ({"reserved_host_disk_mb": 102401}, "reserved_host_disk_mb = 102401: this machine has 102400 MiB"),
    ],
)
def test_what_is_reserved_beyond_all_there_is_leaves_nothing_and_is_said(settings: Any, warning: str) -> None:
    of = offered(**settings)
    assert any(warning in line for line in of.warnings)
    (used_up,) = (inventory for inventory in of.inventories() if inventory.reserved == inventory.total)
    assert used_up.capacity == 0


def test_folders_that_nothing_can_be_measured_of_are_named() -> None:
    (warning,) = offered(disk=None, instances_path=("/srv/a", "/srv/b")).warnings
    assert warning.startswith("[compute] instances_path = /srv/a,/srv/b: ")
    assert offered(instances_path=("/srv/a", "/srv/b")).warnings == offered(disk=None).warnings == ()


def test_what_is_just_enough_is_no_warning() -> None:
    assert offered(reserved_host_cpus=8, reserved_host_memory_mb=8192, reserved_host_disk_mb=102400).warnings == ()


@pytest.mark.parametrize(
    ("dedicated", "shared", "offline", "parts"),
    [
        ("2-3,9", None, "", ["cpu_dedicated_set = 2-3,9: CPU 9 is not there; online are 0-7"]),
        ("8-9", None, "", ["CPUs 8-9 are not there"]),
        ("2-3", None, "3", ["cpu_dedicated_set = 2-3: CPU 3 is offline; online are 0-2,4-7"]),
        ("2-3,8", None, "2-3", ["CPU 8 is not there and CPUs 2-3 are offline"]),
        (None, "0,8", "", ["cpu_shared_set = 0,8: CPU 8 is not there"]),
        ("9", "8", "", ["cpu_dedicated_set = 9: CPU 9 is not there", "cpu_shared_set = 8: CPU 8 is not there"]),
    ],
)
def test_a_cpu_that_is_not_there_or_offline_is_refused_by_name_and_later_only_warned_of(
    dedicated: str | None, shared: str | None, offline: str, parts: list[str]
) -> None:
    host = without(machine(), offline)
    with pytest.raises(ConfigError) as refusal:
        refuse_impossible(host, sets(dedicated, shared))
    for part in parts:
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "; ".join(capacity(host, sets(dedicated, shared), None).warnings) == str(refusal.value)


@pytest.mark.parametrize(
    ("pages", "part"),
    [
        (ReservedPages(node=2, size_bytes=PAGE, count=1), "there is no NUMA node 2; there are 0, 1"),
        (ReservedPages(node=1, size_bytes=GIB, count=1), "node 1 has 0 such pages; it has 8 of 2048 KiB"),
        (ReservedPages(node=1, size_bytes=PAGE, count=9), "node 1 has 8 such pages"),
    ],
)
def test_pages_that_the_machine_lacks_are_refused(pages: ReservedPages, part: str) -> None:
    settings = CapacitySettings(reserved_huge_pages=(pages,))
    with pytest.raises(ConfigError, match=part) as refusal:
        refuse_impossible(machine(), settings)
    assert str(refusal.value).startswith(f"[DEFAULT] reserved_huge_pages = {pages}: ")
    assert capacity(machine(), settings, None).warnings == (str(refusal.value),)


def test_a_node_that_does_not_tell_of_pages_is_refused_one_that_does_not_count_them_is_not() -> None:
    settings = CapacitySettings(reserved_huge_pages=(ReservedPages(node=0, size_bytes=PAGE, count=1),))
    node = machine().numa.nodes[0]
    for pools, refused in (
        (None, True),
        ((), True),
        (tuple(replace(p, total=None) for p in node.hugepages or ()), False),
    ):
        host = replace(machine(), numa=NumaTopology(synthetic=False, nodes=(replace(node, hugepages=pools),)))
        if refused:
            with pytest.raises(ConfigError, match="huge pages"):
                refuse_impossible(host, settings)
        else:
            refuse_impossible(host, settings)


def test_what_the_machine_has_is_not_refused() -> None:
    pages = (ReservedPages(node=0, size_bytes=PAGE, count=8),)
    settings = CapacitySettings(cpu_dedicated_set=cpus("0-3"), cpu_shared_set=cpus("4-7"), reserved_huge_pages=pages)
    refuse_impossible(machine(), settings)
    assert capacity(machine(), settings, DISK).warnings == ()


def test_labels_say_what_they_are_about() -> None:
    of = offered(cpu_labels={"rack": "1"}, memory_labels={"rack": "2"}, disk_labels={"kind": "ssd"})
    assert of.labels == {"cpu.rack": "1", "memory.rack": "2", "disk.kind": "ssd"}


CPU_SETS = st.none() | st.builds(CpuSet, st.sets(st.integers(0, 12)))
MUCH = st.integers(0, 2**31 - 1)


@given(
    st.builds(
        CapacitySettings,
        cpu_dedicated_set=CPU_SETS,
        cpu_shared_set=CPU_SETS,
        reserved_host_cpus=MUCH,
        reserved_host_memory_mb=MUCH,
        reserved_host_disk_mb=MUCH,
        cpu_allocation_ratio=st.none() | st.floats(0.01, 100),
    ),
    st.builds(CpuSet, st.sets(st.integers(0, 6))),
)
def test_whatever_is_set_nothing_is_negative(settings: CapacitySettings, offline: CpuSet) -> None:
    host = without(machine(), str(offline))
    of = capacity(host, settings, DISK)
    assert of.usable_cpus <= host.cpu.online
    for inventory in of.inventories():
        assert 0 <= inventory.reserved <= inventory.total
        assert inventory.capacity >= 0


def test_the_pages_example_is_what_comes_out(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "capacity.md").read_text()
    conf = tmp_path / "agent.conf"
    conf.write_text(page.partition("```ini\n")[2].partition("```")[0])
    settings = load([str(conf)], environ={}).settings.capacity

    host = machine(cores=12)
    pages = (NodeHugePages(size_bytes=GIB, total=32, free=32, surplus=0),)
    nodes = tuple(replace(node, memory_total_bytes=128 * GIB, hugepages=pages) for node in host.numa.nodes)
    numa = NumaTopology(synthetic=False, nodes=nodes)
    host = replace(host, numa=numa, memory=replace(host.memory, total_bytes=256 * GIB))
    refuse_impossible(host, settings)
    of = capacity(host, settings, DiskSpace(total_bytes=1800 * GIB, free_bytes=GIB))

    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \| (\d+) \| ([\d.]+) \| (\d+) \|$", page, re.MULTILINE)
    assert rows == [
        (each.resource_class, str(each.total), str(each.reserved), str(each.ratio), str(each.capacity))
        for each in of.inventories()
    ]
    assert len(rows) == 4
