# SPDX-License-Identifier: Apache-2.0
"""Refresh reads what moves by itself, notices a topology that moved, and says what moved."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from os_capability import CpuSet, Host, collect, refresh
from os_capability.model import HostWarning
from tests.os_capability.conftest import HOSTS

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
POOL = "hugepages/hugepages-2048kB"


def apart_from_the_moment(host: Host) -> Host:
    return replace(host, collected_at=datetime(2000, 1, 1, tzinfo=timezone.utc))


def moves(host: Host) -> list[str]:
    return [warning.message for warning in host.warnings if warning.code == "topology-changed"]


def test_memory_huge_pages_and_uptime_are_new_and_the_processors_are_the_same_object(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    meminfo = machine / "proc" / "meminfo"
    lines = [line for line in meminfo.read_text().splitlines() if not line.startswith("MemFree:")]
    meminfo.write_text("\n".join([*lines, "MemFree: 77 kB", ""]))
    (machine / "proc" / "uptime").write_text("99.25 1.0\n")
    node = machine / NODE / "node0" / "meminfo"
    node.write_text("Node 0 MemTotal: 500 kB\nNode 0 MemFree: 55 kB\n")
    after = refresh(before, str(machine))
    assert after.memory.free_bytes == 77 * 1024
    assert after.system.uptime_seconds == 99.25
    assert after.numa.node(0).memory_free_bytes == 55 * 1024
    assert after.cpu is before.cpu


def test_nothing_moved_gives_an_equal_host(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    assert apart_from_the_moment(refresh(before, str(machine))) == apart_from_the_moment(before)


def take_offline(machine: Path, cpu: int) -> None:
    online = CpuSet.parse_list((machine / CPU / "online").read_text()) - CpuSet([cpu])
    (machine / CPU / "online").write_text(f"{online}\n")
    shutil.rmtree(machine / CPU / f"cpu{cpu}" / "topology")


def test_a_cpu_taken_offline_is_a_full_collection_that_says_so_once(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    take_offline(machine, 3)
    after = refresh(before, str(machine))
    assert after.cpu.offline == CpuSet([3])
    assert [p.core for p in after.cpu.processors if p.id == 3] == [None]
    assert moves(after) == ["CPU 3 went offline"]
    assert moves(refresh(after, str(machine))) == []


def test_a_cpu_that_comes_back_is_told_too(machine: Path) -> None:
    take_offline(Path(shutil.copytree(machine, machine.parent / "less")), 3)
    before = collect(str(machine.parent / "less"), "sysfs")
    assert moves(refresh(before, str(machine))) == ["CPU 3 came online"]


def test_a_node_added_by_hot_plug_is_named(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    shutil.copytree(machine / NODE / "node0", machine / NODE / "node1")
    (machine / NODE / "node1" / "cpumap").write_text("0\n")
    (machine / NODE / "online").write_text("0-1\n")
    assert moves(refresh(before, str(machine))) == ["node 1 is new, with no CPU and 4 GiB"]


def resize(machine: Path, pages: int, *, surplus: int = 0) -> None:
    for folder in (machine / NODE / "node0" / POOL, machine / "sys/kernel/mm" / POOL):
        (folder / "nr_hugepages").write_text(f"{pages}\n")
        (folder / "surplus_hugepages").write_text(f"{surplus}\n")


def test_a_resized_pool_is_named_with_its_node_and_both_sizes(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    resize(machine, 16)
    after = refresh(before, str(machine))
    assert moves(after) == ["2 MiB huge pages on node 0: 0 -> 16"]
    assert after.cpu is before.cpu, "the pools are read again anyway"
    assert moves(refresh(after, str(machine))) == []


def test_surplus_pages_come_and_go_without_a_word(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    resize(machine, 16, surplus=16)
    assert moves(refresh(before, str(machine))) == []


def test_a_pool_of_a_machine_without_nodes_is_named_too(machine: Path) -> None:
    shutil.rmtree(machine / NODE)
    before = collect(str(machine), "sysfs")
    resize_machine = machine / "sys/kernel/mm" / POOL / "nr_hugepages"
    resize_machine.write_text("16\n")
    assert moves(refresh(before, str(machine))) == ["2 MiB huge pages: 0 -> 16"]


def test_a_page_size_that_came_is_read_on_every_node(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    for folder in (machine / NODE / "node0", machine / "sys/kernel/mm"):
        shutil.copytree(folder / POOL, folder / "hugepages/hugepages-1048576kB")
        (folder / "hugepages/hugepages-1048576kB/nr_hugepages").write_text("2\n")
    after = refresh(before, str(machine))
    assert [pool.size_bytes for pool in after.numa.node(0).hugepages or ()] == [2 << 20, 1 << 30]
    assert moves(after) == ["1 GiB huge pages on node 0: 0 -> 2"]


def test_a_synthetic_node_follows_the_machines_memory(machine: Path) -> None:
    shutil.rmtree(machine / NODE)
    before = collect(str(machine), "sysfs")
    (machine / "proc" / "meminfo").write_text("MemTotal: 900 kB\nMemFree: 90 kB\n")
    after = refresh(before, str(machine))
    assert before.numa.synthetic
    assert (after.numa.node(0).memory_total_bytes, after.numa.node(0).memory_free_bytes) == (900 * 1024, 90 * 1024)


class TestWarnings:
    """A warning stays as long as what it says was not looked at again."""

    @pytest.mark.parametrize("path", ["proc/meminfo", "proc/loadavg", f"{NODE}/node0/meminfo", "proc/self/status"])
    def test_about_a_file_that_is_good_again_it_goes(self, machine: Path, path: str) -> None:
        good = (machine / path).read_text()
        (machine / path).write_text("MemTotal: much\nCpus_allowed_list: all\n")
        before = collect(str(machine), "sysfs")
        assert [warning.code for warning in before.warnings] == ["text-unparsable"]
        assert refresh(before, str(machine)).warnings == before.warnings, "it is still bad"
        (machine / path).write_text(good)
        assert refresh(before, str(machine)).warnings == ()

    def test_about_a_file_that_went_bad_it_comes(self, machine: Path) -> None:
        before = collect(str(machine), "sysfs")
        (machine / "proc" / "loadavg").write_text("busy\n")
        after = refresh(before, str(machine))
        assert [warning.code for warning in after.warnings] == ["text-unparsable"]
        assert after.system.load_average is None

    def test_about_a_file_that_is_not_read_again_it_stays(self, machine: Path) -> None:
        (machine / "etc" / "os-release").write_bytes(b"\0\1")
        before = collect(str(machine), "sysfs")
        (machine / "etc" / "os-release").write_text("NAME=Example\n")
        assert refresh(before, str(machine)).warnings == before.warnings != ()

    def test_about_memory_that_is_sound_again_it_goes_and_about_the_topology_it_stays(self, machine: Path) -> None:
        meminfo = machine / "proc" / "meminfo"
        good = meminfo.read_text()
        meminfo.write_text("MemTotal: 4194304 kB\nMemFree: 9999999 kB\nMemAvailable: 5 kB\n")
        (machine / NODE / "node0" / "cpumap").write_text("7f\n")
        before = collect(str(machine), "sysfs")
        assert [warning.code for warning in before.warnings] == ["cpus-in-no-node", "memory-free-wrong"]
        meminfo.write_text(good)
        assert [warning.code for warning in refresh(before, str(machine)).warnings] == ["cpus-in-no-node"]

    def test_of_somebody_else_it_stays(self, machine: Path) -> None:
        warning = HostWarning(code="container-view", message="these are the facts a container is shown")
        before = replace(collect(str(machine), "sysfs"), warnings=(warning,))
        assert refresh(before, str(machine)).warnings == (warning,)


def test_a_device_that_was_plugged_in_or_out_is_named(tmp_path: Path) -> None:
    root = Path(shutil.copytree(HOSTS / "x86_64-pci" / "root", tmp_path / "machine", symlinks=True))
    devices = root / "sys/bus/pci/devices"
    before = collect(str(root), "sysfs")
    address = before.pci[0].address if before.pci else ""
    (devices / address).rename(tmp_path / "unplugged")
    without = refresh(before, str(root))
    assert [move for move in moves(without) if address in move]
    assert address not in [device.address for device in without.pci or ()]
    (tmp_path / "unplugged").rename(devices / address)
    again = refresh(without, str(root))
    assert [move for move in moves(again) if address in move]
    assert again.pci == before.pci


def test_memory_that_was_added_is_named(machine: Path) -> None:
    before = collect(str(machine), "sysfs")
    meminfo = machine / "proc/meminfo"
    total = (before.memory.total_bytes or 0) // 1024
    meminfo.write_text(meminfo.read_text().replace(f"{total} kB", f"{total + 4 * 1024**2} kB", 1))
    assert [move for move in moves(refresh(before, str(machine))) if "gained 4 GiB" in move]
