# SPDX-License-Identifier: Apache-2.0
"""FreebsdDriver on recorded answers."""

from __future__ import annotations

import pytest

from os_capability import MissingProgram, SourceUnreadable, UnparsableText
from os_capability.freebsd.driver import FreebsdDriver
from tests.os_capability.recorded import FREEBSDS, RecordedPrograms

MACHINE = {folder.name: folder for folder in FREEBSDS}
GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "counts", "nodes"),
    [
        ("two-sockets", (40, 20, 2), 2),
        ("ryzen", (24, 12, 1), 1),
        ("jail", (8, 4, None), 1),
        ("one-cpu-guest", (1, 1, None), 1),
        ("arm64-router", (8, 8, None), 1),
    ],
)
def test_a_machine_is_what_it_is(name: str, counts: tuple[int, int, int | None], nodes: int) -> None:
    host = FreebsdDriver(RecordedPrograms(MACHINE[name])).collect()
    assert (host.cpu.threads, host.cpu.cores, host.cpu.sockets) == counts
    assert len(host.numa.nodes) == nodes
    assert host.numa.synthetic == (name == "arm64-router")


def test_two_domains_have_their_cpus_memory_and_distances() -> None:
    first, second = FreebsdDriver(RecordedPrograms(MACHINE["two-sockets"])).collect().numa.nodes
    assert (str(first.cpus), str(second.cpus)) == ("0-19", "20-39")
    assert (first.memory_total_bytes, second.memory_total_bytes) == (34342498304, 32 * GIB)
    assert (first.memory_free_bytes, second.memory_free_bytes) == (4988112 * 4096, 5211034 * 4096)
    assert (first.distances, second.distances) == ({0: 10, 1: 21}, {0: 21, 1: 10})


def test_a_cpu_whose_domain_is_not_told_is_in_none() -> None:
    programs = RecordedPrograms(MACHINE["two-sockets"])
    programs.change("sysctl", "dev.cpu.7.%domain: 0\n", "")
    host = FreebsdDriver(programs).collect()
    assert [processor.node for processor in host.cpu.processors if processor.id in (6, 7, 8)] == [0, None, 0]
    assert str(host.numa.node(0).cpus) == "0-6,8-19"


def test_the_boot_messages_name_what_sysctl_does_not() -> None:
    cpu = FreebsdDriver(RecordedPrograms(MACHINE["ryzen"])).collect().cpu
    assert (cpu.vendor, cpu.family, cpu.sockets) == ("AuthenticAMD", "23", 1)
    assert {"aes", "avx", "svm", "mmxext"} <= set(cpu.flags or ())
    assert {processor.socket for processor in cpu.processors} == {0}


def test_without_boot_messages_the_topology_is_the_same() -> None:
    programs = RecordedPrograms(MACHINE["ryzen"])
    before = FreebsdDriver(programs).collect()
    programs.answers["sysctl"] = programs.answers["sysctl"].partition("kern.msgbuf")[0]
    cpu = FreebsdDriver(programs).collect().cpu
    assert (cpu.cores, cpu.caches, cpu.model) == (before.cpu.cores, before.cpu.caches, before.cpu.model)
    assert (cpu.vendor, cpu.flags, cpu.sockets) == (None, None, None)


def test_zfs_gives_up_its_cache_above_the_minimum() -> None:
    memory = FreebsdDriver(RecordedPrograms(MACHINE["ryzen"])).collect().memory
    assert memory.available_bytes == (3211034 + 214188) * 4096 + 9663676416 - 1038090240
    assert memory.available_estimated


def test_swap_in_use_is_unknown_but_where_there_is_none() -> None:
    swap = {name: FreebsdDriver(RecordedPrograms(MACHINE[name])).collect().memory for name in ("ryzen", "jail")}
    assert (swap["ryzen"].swap_total_bytes, swap["ryzen"].swap_free_bytes) == (0, 0)
    assert (swap["jail"].swap_total_bytes, swap["jail"].swap_free_bytes) == (2 * GIB, None)


def test_a_jail_is_a_container_with_its_cpus_and_without_an_id() -> None:
    host = FreebsdDriver(RecordedPrograms(MACHINE["jail"])).collect()
    assert (host.system.view, host.system.container) == ("container", "jail")
    assert (str(host.limits.affinity), str(host.cpu.online), host.machine_id) == ("2-3", "0-7", None)


@pytest.mark.parametrize(
    ("told", "name"),
    [("none", None), ("bhyve", "bhyve"), ("kvm", "kvm"), ("hv", "microsoft"), ("generic", "vm-other")],
)
def test_the_hypervisor_has_its_usual_name(told: str, name: str | None) -> None:
    programs = RecordedPrograms(MACHINE["one-cpu-guest"])
    programs.change("sysctl", "kern.vm_guest: bhyve", f"kern.vm_guest: {told}")
    assert FreebsdDriver(programs).collect().system.virtualization == name


def test_cores_that_are_counted_otherwise_are_a_warning_that_names_both() -> None:
    programs = RecordedPrograms(MACHINE["ryzen"])
    programs.change("sysctl", "kern.smp.cores: 12", "kern.smp.cores: 24")
    host = FreebsdDriver(programs).collect()
    (warning,) = host.warnings
    assert (warning.code, host.cpu.cores) == ("topology-disagreement", 12)
    assert "12" in warning.message
    assert "24" in warning.message


def test_without_a_topology_threads_that_share_cores_are_unknown() -> None:
    programs = RecordedPrograms(MACHINE["arm64-router"])
    programs.change("sysctl", "kern.smp.cores: 8", "kern.smp.cores: 4")
    cpu = FreebsdDriver(programs).collect().cpu
    assert (cpu.cores, cpu.smt.active, {processor.core for processor in cpu.processors}) == (None, None, {None})


def test_without_cpuset_the_affinity_is_unknown_and_a_warning() -> None:
    host = FreebsdDriver(RecordedPrograms(MACHINE["arm64-router"])).collect()
    assert host.limits.affinity is None
    assert [warning.code for warning in host.warnings] == ["source-unreadable"]


def test_a_refresh_reads_memory_and_load_again() -> None:
    programs = RecordedPrograms(MACHINE["two-sockets"])
    driver = FreebsdDriver(programs)
    before = driver.collect()
    programs.change("sysctl", "vm.domain.0.stats.free_count: 4988112", "vm.domain.0.stats.free_count: 7")
    programs.change("sysctl", "vm.stats.vm.v_free_count: 10199146", "vm.stats.vm.v_free_count: 9")
    programs.asked.clear()
    after = driver.refresh(before)
    assert after.memory.free_bytes == 9 * 4096
    assert after.numa.node(0).memory_free_bytes == 7 * 4096
    assert after.numa.node(0).memory_total_bytes == before.numa.node(0).memory_total_bytes
    assert programs.asked == ["sysctl", "cpuset"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param("", SourceUnreadable, id="says nothing"),
        pytest.param("hw.ncpu: 4\n", SourceUnreadable, id="no memory"),
        pytest.param("hw.ncpu: 99999999\n", SourceUnreadable, id="absurd"),
        pytest.param("kern.sched.topology_spec: <groups>\n", UnparsableText, id="half a topology"),
    ],
)
def test_half_a_machine_is_an_error(answer: str, error: type[Exception]) -> None:
    programs = RecordedPrograms(MACHINE["jail"])
    programs.answers["sysctl"] = answer
    with pytest.raises(error):
        FreebsdDriver(programs).collect()


def test_without_sysctl_there_is_an_error_that_names_it() -> None:
    programs = RecordedPrograms(MACHINE["jail"])
    del programs.answers["sysctl"]
    with pytest.raises(MissingProgram, match="/sbin/sysctl: not found"):
        FreebsdDriver(programs).collect()
