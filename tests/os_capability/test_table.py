# SPDX-License-Identifier: Apache-2.0
"""The table a person sees first."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from os_capability import CpuSet, Host, collect
from os_capability.model import HostWarning, NodeHugePages
from os_capability.render.table import render_fields, render_host
from os_capability.size import format_bytes
from tests.os_capability.conftest import HOSTS

GIB = 1 << 30


@pytest.fixture
def host() -> Host:
    return collect(str(HOSTS / "x86_64-plain" / "root"), "sysfs")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (24 * GIB, "24 GiB"),
        (1 << 62, "4096 PiB"),
        (30 * GIB - 1, "30 GiB"),
    ],
)
def test_sizes_are_for_people(size: int | None, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("size", "text"), [((3 << 30) + 1, "3.1 GiB"), (3 << 30, "3 GiB"), ((200 << 20) + 1, "201 MiB"), (None, "unknown")]
)
def test_a_size_that_must_be_enough_is_rounded_up(size: int | None, text: str) -> None:
    assert format_bytes(size, round_up=True) == text


@pytest.mark.parametrize("folder", sorted(HOSTS.glob("*/root")), ids=lambda folder: folder.parent.name)
def test_every_node_of_every_machine_has_its_line(folder: Path) -> None:
    table = render_host(collect(str(folder), "sysfs")).splitlines()
    expected = json.loads((folder.parent / "expected.json").read_text())
    start = next(at for at, line in enumerate(table) if line.split()[:1] == ["NODE"])
    ids = [int(line.split()[0]) for line in table[start + 1 :] if line.split()[0].isdigit() and line[:4].strip()]
    assert ids == [node["id"] for node in expected["numa"]["nodes"]]


@pytest.mark.parametrize("folder", sorted(HOSTS.glob("*/root")), ids=lambda folder: folder.parent.name)
def test_no_line_is_wider_than_80_columns_coloured_or_not(folder: Path) -> None:
    host = collect(os.path.relpath(folder), "sysfs")
    plain, coloured = render_host(host), render_host(host, colour=True)
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
    assert [line for line in plain.splitlines() if len(line) > 80] == []


def test_an_idle_huge_page_pool_is_not_used_memory(host: Host) -> None:
    node = replace(
        host.numa.nodes[0],
        memory_total_bytes=16 * GIB,
        memory_free_bytes=5 * GIB,
        hugepages=(NodeHugePages(size_bytes=GIB, total=10, free=10, surplus=0),),
    )
    table = render_host(replace(host, numa=replace(host.numa, nodes=(node,))))
    assert "1 GiB / 16 GiB  #........." in table
    assert "1 GiB 10/10" in table


def test_unknown_is_said_and_never_zero(host: Host) -> None:
    node = replace(host.numa.nodes[0], memory_total_bytes=None, memory_free_bytes=None, hugepages=None)
    memory = replace(host.memory, total_bytes=None)
    table = render_host(replace(host, memory=memory, numa=replace(host.numa, nodes=(node,))))
    assert "Memory      unknown" in table
    assert table.count("unknown") == 2


def test_offline_and_isolated_cpus_are_shown_where_there_are_any(host: Host) -> None:
    assert "offline" not in render_host(host)
    cpu = replace(host.cpu, offline=CpuSet([9]), isolated=CpuSet([2, 3]))
    table = render_host(replace(host, cpu=cpu))
    assert "offline CPU 9" in table
    assert "isolated CPUs 2-3" in table


def test_limits_are_shown_where_they_bind(host: Host) -> None:
    free = replace(host.limits, cpus=host.cpu.online, affinity=host.cpu.online, cpu_quota=None, memory_bytes=None)
    assert "Limits" not in render_host(replace(host, limits=free))
    bound = replace(free, cpus=CpuSet([0]), cpu_quota=0.5, memory_bytes=GIB)
    assert "Limits      cgroup CPU 0, quota of 0.5 CPUs, memory 1 GiB (this process)" in render_host(
        replace(host, limits=bound)
    )


@pytest.mark.parametrize(
    ("machine", "in_the_total", "rows"),
    [
        ("x86_64-plain", None, []),
        ("aarch64-gpu-memory", "of it 12 GiB GPU memory", ["RAM", "GPU", ""]),
        ("x86_64-fast-memory", "of it 4 GiB HBM memory, 12 GiB memory of unknown kind", ["RAM", "HBM", "unknown"]),
    ],
)
def test_memory_that_is_no_plain_ram_is_named(machine: str, in_the_total: str | None, rows: list[str]) -> None:
    lines = render_host(collect(str(HOSTS / machine / "root"), "sysfs")).splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("NODE"))
    place = lines[start].find("KIND")
    assert [line[place:].split("  ")[0].strip() for line in lines[start + 1 :][: len(rows)]] == rows
    assert ("KIND" in lines[start]) == bool(rows)
    assert [line.strip() for line in lines if "of it" in line] == ([in_the_total] if in_the_total else [])


def test_the_machine_cannot_steer_the_terminal(host: Host) -> None:
    steering = "\x1b[2J\n\x9b2J\u202e"
    warning = HostWarning(code="some-code", message=steering)
    host = replace(
        host,
        hostname=steering,
        system=replace(host.system, os=steering, kernel=steering, virtualization=steering),
        cpu=replace(host.cpu, model=steering),
        warnings=(warning,),
    )
    assert [line for line in render_host(host).splitlines() if not line.isprintable()] == []
    fields = render_fields({"cpu.model": steering, "warnings": [steering]})
    assert [line for line in fields.splitlines() if not line.isprintable()] == []
    assert len(fields.splitlines()) == 2


def test_a_list_of_512_strided_cpus_fits(host: Host) -> None:
    node = replace(host.numa.nodes[0], cpus=CpuSet(range(0, 1024, 2)))
    lines = render_host(replace(host, numa=replace(host.numa, nodes=(node,)))).splitlines()
    assert max(map(len, lines)) <= 80
    shown = "".join(line[6:].strip() for line in lines if line.startswith("      ") and line[6].isdigit())
    assert shown.endswith("1022")


def test_warnings_come_last_and_are_wrapped(host: Host) -> None:
    table = render_host(replace(host, warnings=(HostWarning(code="some-code", message="word " * 40),))).splitlines()
    assert table[-3].startswith("! some-code: word word")
    assert max(map(len, table)) <= 80


def test_a_word_without_end_is_broken_too(host: Host) -> None:
    table = render_host(replace(host, warnings=(HostWarning(code="some-code", message="x" * 300),))).splitlines()
    assert max(map(len, table)) == 80
    assert "".join(line.strip() for line in table[-4:]).endswith("x" * 300)


@pytest.mark.parametrize(("free", "text"), [(GIB, "swap 3 GiB used of 4 GiB"), (None, "swap 4 GiB total")])
def test_swap_in_use_is_said_only_where_it_is_known(host: Host, free: int | None, text: str) -> None:
    memory = replace(host.memory, swap_total_bytes=4 * GIB, swap_free_bytes=free)
    assert text in render_host(replace(host, memory=memory))
