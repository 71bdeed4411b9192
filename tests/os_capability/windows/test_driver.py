# SPDX-License-Identifier: Apache-2.0
"""WindowsDriver on buffers built from the documented structures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from os_capability import SourceUnreadable
from os_capability.pycpuinfo import CpuName
from os_capability.windows.driver import WindowsDriver
from tests.os_capability.windows import recorded as w

GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "counts", "nodes"),
    [
        ("hybrid-laptop", (12, 10, 1), {0: "0-11"}),
        ("two-groups", (128, 64, 2), {0: "0-63", 1: "64-127"}),
        ("uneven-groups", (40, 40, 1), {0: "0-19,64-83"}),
    ],
)
def test_a_machine_is_what_it_is(name: str, counts: tuple[int, int, int], nodes: dict[int, str]) -> None:
    host = WindowsDriver(w.ALL[name]()).collect()
    assert (host.cpu.threads, host.cpu.cores, host.cpu.sockets) == counts
    assert {node.id: str(node.cpus) for node in host.numa.nodes} == nodes


def test_efficiency_classes_are_kinds_strongest_first() -> None:
    kinds = WindowsDriver(w.hybrid_laptop()).collect().cpu.kinds
    assert [(kind.name, str(kind.cpus), kind.threads_per_core) for kind in kinds] == [
        ("performance", "0-3", 2),
        ("efficiency", "4-11", 1),
    ]


def test_more_than_two_classes_are_named_by_their_number() -> None:
    cores = (w.relation(w.CORE, (cpu,), efficiency_class=cpu) for cpu in range(3))
    kinds = WindowsDriver(replace(w.hybrid_laptop(), information=b"".join(cores))).collect().cpu.kinds
    assert [kind.name for kind in kinds] == ["efficiency-class-2", "efficiency-class-1", "efficiency-class-0"]


def test_names_come_from_the_registry() -> None:
    host = WindowsDriver(w.hybrid_laptop()).collect()
    assert (host.system.os, host.system.kernel) == ("Windows 11 Pro 23H2", "10.0.22631.3447")
    cpu = host.cpu
    assert (cpu.model, cpu.vendor, cpu.family, cpu.microcode) == (
        *("12th Gen Intel(R) Core(TM) i5-1235U", "GenuineIntel", "6", "0x42c"),
    )


def test_py_cpuinfo_is_asked_only_where_the_registry_does_not_name_the_cpu() -> None:
    def never() -> CpuName:
        raise AssertionError("a second wasted")

    assert WindowsDriver(w.hybrid_laptop(), never).collect().cpu.model
    nameless = replace(w.hybrid_laptop(), values={})
    named = WindowsDriver(nameless, lambda: CpuName("GenuineIntel", "A CPU", ("sse",))).collect().cpu
    assert (named.vendor, named.model, named.flags) == ("GenuineIntel", "A CPU", ("sse",))


def test_a_nodes_memory_is_known_where_it_is_the_only_one() -> None:
    (node,) = WindowsDriver(w.hybrid_laptop()).collect().numa.nodes
    assert (node.memory_total_bytes, node.memory_free_bytes) == (16 * GIB, 8 * GIB)
    nodes = WindowsDriver(w.two_groups()).collect().numa.nodes
    assert [(node.memory_total_bytes, node.memory_free_bytes) for node in nodes] == [
        (None, 249 * GIB),
        (None, 251 * GIB),
    ]


def test_a_machine_without_node_records_has_a_synthetic_one() -> None:
    numa = WindowsDriver(replace(w.hybrid_laptop(), information=w.relation(w.CORE, (0, 1)))).collect().numa
    assert (numa.synthetic, str(numa.node(0).cpus)) == (True, "0-1")


def test_a_cpu_in_two_nodes_is_in_none() -> None:
    information = w.relation(w.CORE, (0,)) + w.relation(w.CORE, (1,)) + w.node(0, (0, 1)) + w.node(1, (1,))
    processors = WindowsDriver(replace(w.hybrid_laptop(), information=information)).collect().cpu.processors
    assert [processor.node for processor in processors] == [0, None]


def test_without_psutil_swap_is_unknown_and_a_warning_names_the_extra() -> None:
    host = WindowsDriver(replace(w.hybrid_laptop(), with_psutil=False)).collect()
    assert (host.memory.swap_total_bytes, host.system.users) == (None, None)
    assert [(warning.code, "[psutil]" in warning.message) for warning in host.warnings] == [("package-missing", True)]


def test_a_windows_container_is_one() -> None:
    machine = w.hybrid_laptop()
    machine.values[r"SYSTEM\CurrentControlSet\Control", "ContainerType"] = 2
    assert WindowsDriver(machine).collect().system.view == "container"


def test_a_refresh_reads_memory_again() -> None:
    machine = w.two_groups()
    driver = WindowsDriver(machine)
    before = driver.collect()
    machine.memory = w.memory_status(512 * GIB, 7 * GIB)
    machine.node_bytes[1] = 3 * GIB
    after = driver.refresh(before)
    assert (after.memory.available_bytes, after.numa.node(1).memory_free_bytes) == (7 * GIB, 3 * GIB)


def test_a_cpu_added_while_it_runs_is_a_whole_collection() -> None:
    machine = w.hybrid_laptop()
    driver = WindowsDriver(machine)
    before = driver.collect()
    machine.information += w.relation(w.CORE, (12,))
    assert str(driver.refresh(before).cpu.online) == "0-12"


def test_without_cores_there_is_no_machine() -> None:
    with pytest.raises(SourceUnreadable, match="names no core"):
        WindowsDriver(replace(w.hybrid_laptop(), information=b"")).collect()
