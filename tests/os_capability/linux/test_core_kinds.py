# SPDX-License-Identifier: Apache-2.0
"""Kinds of cores: from values, and from the files that tell of them."""

from __future__ import annotations

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

from os_capability.cpuset import CpuSet
from os_capability.errors import UnparsableText
from os_capability.linux import arm, core_kinds
from os_capability.linux.host_root import HostRoot
from os_capability.linux.readers.cpu import read_kinds
from os_capability.linux.sources import Sources
from os_capability.model import Cache

CPU = "sys/devices/system/cpu"


def named(found: list[core_kinds.Kind]) -> dict[str, str]:
    return {kind.name: str(kind.cpus) for kind in found}


@pytest.mark.parametrize(
    ("capacities", "expected"),
    [
        pytest.param([446, 446, 1024, 1024], {"capacity-1024": "2-3", "capacity-446": "0-1"}, id="the big ones last"),
        pytest.param([1024, 1024], {}, id="all alike"),
        pytest.param([1024, 1003, 981, 960], {}, id="ranked a few percent apart"),
        pytest.param([1024, 960, 880, 800, 730], {}, id="ranked in a row, the last far from the first"),
        pytest.param([1024, 990, 500, 480], {"capacity-1024": "0-1", "capacity-500": "2-3"}, id="ranked in each kind"),
        pytest.param([250, 700, 1024], {"capacity-1024": "2", "capacity-700": "1", "capacity-250": "0"}, id="three"),
    ],
)
def test_capacities_make_kinds_where_there_is_a_gap(capacities: list[int], expected: dict[str, str]) -> None:
    found = core_kinds.by_capacity(dict(enumerate(capacities)))
    assert named(found) == expected
    assert list(named(found)) == list(expected), "the strongest first"


def test_parts_are_ordered_by_capacity_and_then_by_their_lowest_cpu() -> None:
    models = {0: "Cortex-A510", 1: "Cortex-A715", 2: "Cortex-A710", 3: "Cortex-X3"}
    found = core_kinds.by_part(models, {"Cortex-A510": 280, "Cortex-A715": 855, "Cortex-A710": 855, "Cortex-X3": 1024})
    assert [kind.name for kind in found] == ["Cortex-X3", "Cortex-A715", "Cortex-A710", "Cortex-A510"]
    assert [kind.name for kind in core_kinds.by_part(models, {})] == list(models.values())


def first_caches(*sizes: tuple[int | None, int | None]) -> list[Cache]:
    """Give the data and instruction caches of one CPU after the other, in KiB."""
    return [
        Cache(level=1, type=kind, size_bytes=size and size * 1024, shared_cpus=CpuSet([cpu]))
        for cpu, both in enumerate(sizes)
        for kind, size in zip(("Data", "Instruction"), both, strict=True)
    ]


@pytest.mark.parametrize(
    ("caches", "groups"),
    [
        pytest.param(first_caches((48, 32), (32, 64), (48, 32)), ["0,2", "1"], id="both differ"),
        pytest.param(first_caches((48, 64), (32, 64)), ["0", "1"], id="one differs"),
        pytest.param(first_caches((48, 32), (48, 32)), [], id="all alike"),
        pytest.param(first_caches((48, 32), (32, 64), (None, 32)), [], id="one is not known"),
        pytest.param(first_caches((48, 32), (32, 64), (64, 64)), [], id="three designs are none of Intel's"),
        pytest.param(first_caches((48, 32), (32, 64))[:-1], [], id="one is missing"),
        pytest.param([], [], id="no caches"),
    ],
)
def test_first_level_caches_tell_two_designs(caches: list[Cache], groups: list[str]) -> None:
    online = CpuSet(cpu for cache in caches for cpu in cache.shared_cpus)
    assert [str(cpus) for cpus in core_kinds.by_first_caches(caches, online)] == groups


def read(
    fs: FakeFilesystem, files: dict[str, str], cpus: int, cpuinfo: str = "", *, designs: int = 1
) -> dict[str, str]:
    fs.create_dir("/machine/sys")
    for path, text in files.items():
        fs.create_file(f"/machine/{path}", contents=text)
    caches = first_caches(*((48, 32) if cpu < cpus // designs else (32, 64) for cpu in range(cpus)))
    return named(read_kinds(Sources(HostRoot("/machine")), CpuSet(range(cpus)), cpuinfo, caches))


def test_intels_units_name_up_to_three_kinds_of_the_online_cpus(fs: FakeFilesystem) -> None:
    files = {f"sys/devices/cpu_{name}/cpus": f"{cpus}\n" for name, cpus in (("core", "0-3"), ("atom", "4-5,9"))}
    files["sys/devices/cpu_lowpower/cpus"] = "6-7\n"
    expected = {"performance": "0-3", "efficiency": "4-5", "low-power": "6-7"}
    assert read(fs, files, 8) == expected


def test_a_hybrid_machine_with_one_kind_switched_off_has_no_kinds(fs: FakeFilesystem) -> None:
    assert read(fs, {"sys/devices/cpu_core/cpus": "0-3\n", "sys/devices/cpu_atom/cpus": "\n"}, 4, designs=2) == {}


def test_the_part_register_tells_where_cpuinfo_does_not(fs: FakeFilesystem) -> None:
    registers = ["0x00000000411fd461", "0x00000000411fd4e0", "0x00000000412fd461"]
    files = {f"{CPU}/cpu{cpu}/regs/identification/midr_el1": f"{text}\n" for cpu, text in enumerate(registers)}
    assert read(fs, files, 3) == {"Cortex-A510": "0,2", "Cortex-X3": "1"}


ARM_CPUINFO = "".join(
    f"processor\t: {cpu}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"
    for cpu, part in enumerate(("0xd05", "0xd0b"))
)


def test_cpuinfo_names_the_parts_and_the_capacity_orders_them(fs: FakeFilesystem) -> None:
    files = {f"{CPU}/cpu0/cpu_capacity": "300\n", f"{CPU}/cpu1/cpu_capacity": "1024\n"}
    assert list(read(fs, files, 2, ARM_CPUINFO)) == ["Cortex-A76", "Cortex-A55"]


def test_an_old_kernels_part_of_the_last_cpu_alone_makes_no_kinds(fs: FakeFilesystem) -> None:
    assert read(fs, {}, 2, "processor\t: 0\n\nprocessor\t: 1\n\nCPU implementer\t: 0x41\nCPU part\t: 0xc09\n") == {}


def test_one_part_is_one_kind_whatever_its_clock(fs: FakeFilesystem) -> None:
    files = {f"{CPU}/cpu0/cpu_capacity": "500\n", f"{CPU}/cpu1/cpu_capacity": "1024\n"}
    assert read(fs, files, 2, ARM_CPUINFO.replace("0xd05", "0xd0b")) == {}


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ((62, 34), {"performance": "0-1", "efficiency": "2-3"}),
        ((34, 62), {"performance": "2-3", "efficiency": "0-1"}),
        ((62, 62), {}),
        ((62, None), {}),
        ((None, None), {}),
    ],
)
def test_two_designs_of_caches_are_named_by_the_firmwares_rank_or_not_at_all(
    fs: FakeFilesystem, ranks: tuple[int | None, int | None], expected: dict[str, str]
) -> None:
    files = {
        f"{CPU}/cpu{cpu}/acpi_cppc/highest_perf": f"{rank}\n"
        for cpu, rank in zip((0, 2), ranks, strict=True)
        if rank is not None
    }
    assert read(fs, files, 4, designs=2) == expected


def test_the_parts_of_an_old_kernels_cpuinfo_are_those_of_the_last_cpu_alone() -> None:
    text = "processor\t: 0\n\nprocessor\t: 1\n\nFeatures\t: swp\nCPU implementer\t: 0x41\nCPU part\t: 0xc09\n"
    assert arm.parse_parts(text) == {1: ("0x41", "0xc09")}


@pytest.mark.parametrize("text", ["", "register", "-1", "0x" + "f" * 30, "0x411fd461 0x1"])
def test_what_is_no_register_is_refused(text: str) -> None:
    with pytest.raises(UnparsableText):
        arm.parse_midr(text, "midr_el1")
