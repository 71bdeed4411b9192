# SPDX-License-Identifier: Apache-2.0
"""`/proc/cpuinfo` of each architecture, as texts."""

from __future__ import annotations

import pytest

from os_capability.errors import UnparsableText
from os_capability.linux.cpuinfo import CpuIdentity, CpuinfoRow, parse_identity, parse_processors

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model name\t: An Intel  CPU: fast
physical id\t: 0
core id\t\t: 3
flags\t\t: fpu vme fpu

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Another
physical id\t: 1
core id\t\t: 3
flags\t\t: fpu
"""
S390 = """vendor_id       : IBM/S390
# processors    : 2
features\t: esan3 zarch
processor 0: version = FF,  identification = 000001,  machine = 2817
processor 5: version = FF,  identification = 000001,  machine = 2817
"""
SPARC = """cpu\t\t: TI UltraSparc II
type\t\t: sun4u
State:
CPU6:\t\tonline
CPU7:\t\toffline
CPU10:\t\tonline
"""
OLD_ARM = """Processor\t: ARMv7 Processor rev 1 (v7l)
processor\t: 0
BogoMIPS\t: 10.00

processor\t: 1
BogoMIPS\t: 10.00

Features\t: swp half
CPU implementer\t: 0x41
CPU architecture: 7
CPU part\t: 0xc09
"""
POWER = """processor\t: 0
cpu\t\t: POWER9, altivec supported

timebase\t: 512000000
model\t\t: 9009-42A
"""
RISCV = "processor\t: 0\nhart\t\t: 1\nuarch\t\t: sifive,u74-mc\nmvendorid\t: 0x489\n"
LOONGARCH = (
    "system type\t: generic\n\nprocessor\t\t: 0\npackage\t\t\t: 2\ncore\t\t\t: 4\nModel Name\t\t: Loongson-3A5000\n"
)
ITANIUM = (
    "processor  : 0\nvendor     : GenuineIntel\nfamily     : Itanium 2\nfeatures   : branchlong, 16-byte atomic ops\n"
)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        pytest.param(X86, CpuIdentity("GenuineIntel", "An Intel CPU: fast", "6", ("fpu", "vme")), id="x86"),
        pytest.param(S390, CpuIdentity("IBM/S390", None, None, ("esan3", "zarch")), id="s390"),
        pytest.param(SPARC, CpuIdentity(None, "TI UltraSparc II", None, None), id="sparc"),
        pytest.param(OLD_ARM, CpuIdentity("ARM", "Cortex-A9", "7", ("swp", "half")), id="ARM, identity after the CPUs"),
        pytest.param(POWER, CpuIdentity(None, "POWER9, altivec supported", None, None), id="POWER"),
        pytest.param(RISCV, CpuIdentity("0x489", "sifive,u74-mc", None, None), id="RISC-V"),
        pytest.param(LOONGARCH, CpuIdentity(None, "Loongson-3A5000", None, None), id="LoongArch"),
        pytest.param(
            ITANIUM,
            CpuIdentity("GenuineIntel", None, "Itanium 2", ("branchlong", "16-byte", "atomic", "ops")),
            id="ia64",
        ),
        pytest.param("processor: 0\nmodel name: -\nmodel name:\n", CpuIdentity(), id="a dash is no name"),
        pytest.param(
            "processor: 0\nmodel name:AMD\n", CpuIdentity(None, "AMD", None, None), id="no blank after the colon"
        ),
        pytest.param(
            "processor: 0\nCPU implementer: 0x41\nCPU part: 0xfff\n",
            CpuIdentity("ARM", "0xfff", None, None),
            id="a part without a name",
        ),
    ],
)
def test_the_identity_is_the_first_cpus(text: str, identity: CpuIdentity) -> None:
    assert parse_identity(text, "cpuinfo") == identity


@pytest.mark.parametrize("text", ["", "processor\nno colon here\nmodel name", "processor: x\n", "\0\1\2"])
def test_a_text_that_tells_of_no_cpu_is_refused(text: str) -> None:
    with pytest.raises(UnparsableText, match="no line tells of a CPU"):
        parse_identity(text, "cpuinfo")


@pytest.mark.parametrize(
    ("text", "model_number", "microcode"),
    [
        pytest.param("processor: 0\nmodel\t: 87\nmicrocode\t: 0x1b6\n", 87, "0x1b6", id="x86"),
        pytest.param("processor: 0\n\nprocessor: 1\nmodel: 5\nmicrocode: 0x2\n", None, None, id="another CPU's"),
        pytest.param("processor: 0\nmodel\t: 9009-42A\n", None, None, id="POWER's model is the machine's"),
        pytest.param("processor: 0\nmodel\t: \u00b2\nmicrocode\t:\n", None, None, id="no numbers"),
    ],
)
def test_the_model_number_and_the_microcode_are_the_first_cpus(
    text: str, model_number: int | None, microcode: str | None
) -> None:
    identity = parse_identity(text, "cpuinfo")
    assert (identity.model_number, identity.microcode) == (model_number, microcode)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param(X86, [CpuinfoRow(0, 0, 3), CpuinfoRow(1, 1, 3)], id="x86"),
        pytest.param(S390, [CpuinfoRow(0, None, None), CpuinfoRow(5, None, None)], id="s390"),
        pytest.param(
            SPARC, [CpuinfoRow(6, None, None), CpuinfoRow(10, None, None)], id="sparc, without its offline CPU"
        ),
        pytest.param(
            OLD_ARM, [CpuinfoRow(0, None, None), CpuinfoRow(1, None, None)], id="ARM's Processor line is no CPU"
        ),
        pytest.param(LOONGARCH, [CpuinfoRow(0, 2, 4)], id="LoongArch"),
        pytest.param("", [], id="empty"),
        pytest.param("physical id : 3\nprocessor : x\n", [], id="ids before any CPU, and a CPU without a number"),
    ],
)
def test_the_processors_are_those_that_run(text: str, rows: list[CpuinfoRow]) -> None:
    assert parse_processors(text, "cpuinfo") == rows


@pytest.mark.parametrize("text", ["processor: 1\nprocessor: 1\n", "processor: 0\nprocessor: 999999999\n"])
def test_a_cpu_twice_or_out_of_this_world_is_an_error(text: str) -> None:
    with pytest.raises(UnparsableText, match="cpuinfo, line 2: "):
        parse_processors(text, "cpuinfo")
