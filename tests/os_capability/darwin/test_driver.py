# SPDX-License-Identifier: Apache-2.0
"""DarwinDriver on recorded answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from os_capability import MissingProgram, SourceUnreadable, UnparsableText
from os_capability.darwin.driver import DarwinDriver
from tests.os_capability.recorded import MACS, RecordedPrograms

MAC = {folder.name: folder for folder in MACS}


@pytest.mark.parametrize(
    ("name", "model", "counts"),
    [
        ("m1", "Apple M1", (8, 8, 1)),
        ("m1-pro-8", "Apple M1 Pro", (8, 8, 1)),
        ("intel", "Intel(R) Core(TM) i7-4770HQ CPU @ 2.20GHz", (8, 4, 1)),
        ("two-packages", "Intel(R) Xeon(R) CPU           X5690  @ 3.47GHz", (24, 12, 2)),
        ("guest", "Apple M1 (Virtual)", (4, 4, 1)),
    ],
)
def test_a_mac_is_what_it_is(name: str, model: str, counts: tuple[int, int, int]) -> None:
    cpu = DarwinDriver(RecordedPrograms(MAC[name])).collect().cpu
    assert (cpu.model, (cpu.threads, cpu.cores, cpu.sockets)) == (model, counts)


def test_an_intel_mac_tells_its_threads_flags_and_microcode() -> None:
    cpu = DarwinDriver(RecordedPrograms(MAC["intel"])).collect().cpu
    assert (cpu.vendor, cpu.family, cpu.microcode, cpu.smt.active) == ("GenuineIntel", "6", "0x1b", True)
    assert {"sse4_2", "avx", "avx2", "aes", "nx", "pdpe1gb"} <= set(cpu.flags or ())
    assert [str(cache.shared_cpus) for cache in cpu.caches or () if cache.level == 2] == ["0-1", "2-3", "4-5", "6-7"]


def test_an_arm_mac_has_the_features_that_are_1() -> None:
    flags = DarwinDriver(RecordedPrograms(MAC["m1"])).collect().cpu.flags or ()
    assert "FEAT_LSE" in flags
    assert "FEAT_BF16" not in flags


def test_the_second_package_begins_in_the_middle() -> None:
    cpu = DarwinDriver(RecordedPrograms(MAC["two-packages"])).collect().cpu
    assert [processor.id for processor in cpu.processors if processor.socket == 1] == list(range(12, 24))


@pytest.mark.parametrize(("name", "hypervisor"), [("guest", "apple"), ("m1", None), ("two-packages", None)])
def test_a_guest_names_its_hypervisor(name: str, hypervisor: str | None) -> None:
    assert DarwinDriver(RecordedPrograms(MAC[name])).collect().system.virtualization == hypervisor


@pytest.mark.parametrize(("name", "architecture"), [("m1", "arm64"), ("intel", "x86_64")])
def test_the_architecture_is_asked_for_by_its_name(name: str, architecture: str) -> None:
    assert DarwinDriver(RecordedPrograms(MAC[name])).collect().system.architecture == architecture


def test_a_guest_of_an_unknown_hypervisor_is_a_guest() -> None:
    programs = RecordedPrograms(MAC["guest"])
    programs.change("sysctl", "VirtualMac2,1", "Other1,1")
    assert DarwinDriver(programs).collect().system.virtualization == "vm-other"


def test_available_is_free_and_what_the_cache_gives_up() -> None:
    memory = DarwinDriver(RecordedPrograms(MAC["m1"])).collect().memory
    assert memory.available_bytes == (12904 + 118342 + 3811) * 16384
    assert memory.available_estimated


def test_a_refresh_reads_memory_and_load_again_with_two_programs() -> None:
    programs = RecordedPrograms(MAC["m1"])
    driver = DarwinDriver(programs)
    before = driver.collect()
    programs.change("vm_stat", "Pages free:                              12904.", "Pages free: 1.")
    programs.change("sysctl", "{ 1.52 1.63 1.70 }", "{ 9.00 1.63 1.70 }")
    programs.asked.clear()
    after = driver.refresh(before)
    assert (after.memory.free_bytes, after.system.load_average) == (16384, (9.0, 1.63, 1.7))
    assert after.numa.node(0).memory_free_bytes == 16384
    assert programs.asked == ["sysctl", "vm_stat"]


def test_cpus_that_went_offline_are_a_whole_collection() -> None:
    programs = RecordedPrograms(MAC["m1"])
    driver = DarwinDriver(programs)
    before = driver.collect()
    programs.change("sysctl", "hw.perflevel0.logicalcpu: 4", "hw.perflevel0.logicalcpu: 3")
    programs.change("sysctl", "hw.logicalcpu: 8", "hw.logicalcpu: 7")
    assert str(driver.refresh(before).cpu.offline) == "7"


@pytest.mark.parametrize("missing", ["sysctl", "vm_stat"])
def test_without_a_program_there_is_an_error_that_names_it(missing: str) -> None:
    programs = RecordedPrograms(MAC["m1"])
    del programs.answers[missing]
    with pytest.raises(MissingProgram, match=f"{missing}: not found"):
        DarwinDriver(programs).collect()


@pytest.mark.parametrize(
    ("program", "answer", "error"),
    [
        pytest.param("sysctl", "", SourceUnreadable, id="says nothing"),
        pytest.param("sysctl", "hw.ncpu: 8\n", SourceUnreadable, id="no memory"),
        pytest.param("vm_stat", "garbage", UnparsableText, id="no pages"),
    ],
)
def test_half_a_machine_is_an_error(program: str, answer: str, error: type[Exception]) -> None:
    programs = RecordedPrograms(MAC["m1"])
    programs.answers[program] = answer
    with pytest.raises(error):
        DarwinDriver(programs).collect()


def test_on_a_system_without_its_programs_the_real_starter_says_so() -> None:
    if Path("/usr/sbin/sysctl").exists() and Path("/usr/bin/vm_stat").exists():
        pytest.skip("this is a Mac")
    with pytest.raises(SourceUnreadable, match=r"sysctl|vm_stat"):
        DarwinDriver().collect()
