# SPDX-License-Identifier: Apache-2.0
"""The traits that facts prove, under the names that os-traits knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import os_traits
import pytest

from os_capability import CpuSet, Host
from os_capability.insight import traits as tables
from os_capability.insight.traits import traits
from os_capability.model import Smt
from tests.os_capability.insight.small_machines import Core, Node, machine

# What no fact of ours shows: no flag in Linux, or no trait that Linux could show.
BEYOND_FACTS = {"HW_CPU_X86_ASF", "HW_CPU_X86_AMD_NO_SSB"}
FLAG_TABLES = (tables.X86, tables.X86_AVX512, tables.X86_INTEL, tables.X86_AMD, tables.AARCH64)


def host(
    flags: str = "",
    *,
    architecture: str | None = "x86_64",
    vendor: str | None = "GenuineIntel",
    family: str | None = "6",
    model: str | None = None,
) -> Host:
    """Give a machine without NUMA or SMT, so that its CPU alone shows."""
    bare = machine(Node(cores=(Core(threads=1),)))
    cpu = replace(
        bare.cpu,
        flags=tuple(flags.split()),
        vendor=vendor,
        family=family,
        model=model,
        cores=1,
        smt=Smt(control=None, active=None),
    )
    system = replace(bare.system, architecture=architecture)
    return replace(bare, cpu=cpu, system=system, numa=replace(bare.numa, synthetic=True), pci=None)


def of_cpu(host: Host) -> set[str]:
    return {name for name in traits(host) if not name.startswith("HW_ARCH_")}


def names(table: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {name for found in table.values() for name in found}


class TestNames:
    """Whatever we can say, os-traits knows; whatever it knows of CPUs, we can say."""

    def test_every_name_is_one_of_os_traits(self) -> None:
        power = {
            *traits(host(architecture="ppc64le", model="POWER8E")),
            *traits(host(architecture="ppc64le", model="POWER9")),
        }
        emitted = set.union(*map(names, FLAG_TABLES), set(tables.ARCHITECTURES.values()), power)
        emitted |= {"HW_CPU_X86_AMD_SSBD", "HW_CPU_HYPERTHREADING", "HW_NUMA_ROOT", "HW_NIC_SRIOV"}
        assert emitted - set(os_traits.get_traits()) == set()
        assert emitted == tables.TRAITS

    def test_every_trait_of_x86_and_aarch64_cpus_has_its_flag(self) -> None:
        ours = set.union(*map(names, FLAG_TABLES)) | BEYOND_FACTS | {"HW_CPU_X86_AMD_SSBD"}
        theirs = {*os_traits.get_traits("HW_CPU_X86_"), *os_traits.get_traits("HW_CPU_AARCH64_"), "HW_CPU_AMD_SEV"}
        assert ours == theirs

    def test_they_come_sorted_and_once(self) -> None:
        found = traits(host("svm sev sse4_2 sse2 pni stibp intel_stibp", vendor="AuthenticAMD"))
        assert list(found) == sorted(set(found))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("pni ssse3 sse4_1 sse4_2 sse4a", {"SSE3", "SSSE3", "SSE41", "SSE42", "SSE4A"}),
        ("aes pclmulqdq sha_ni abm bmi1 fma", {"AESNI", "CLMUL", "SHA", "ABM", "BMI", "FMA3"}),
        ("avx512f avx512_vnni avx512vbmi", {"AVX512F", "AVX512VNNI", "AVX512VBMI"}),
        ("avx512f gfni vaes vpclmulqdq", {"AVX512F", "AVX512GFNI", "AVX512VAES", "AVX512VPCLMULQDQ"}),
        ("gfni vaes vpclmulqdq avx2", {"AVX2"}),  # a client CPU without AVX-512
        ("vmx", {"VMX", "INTEL_VMX"}),
        ("rtm pdpe1gb sgx", {"TSX", "PDPE1GB", "SGX"}),
        ("ibrs ssbd stibp pcid md_clear", {"INTEL_SPEC_CTRL", "INTEL_SSBD", "STIBP", "INTEL_PCID", "INTEL_MD_CLEAR"}),
        ("amx_bf16 amx_tile amx_int8", {"AMXBF16", "AMXTILE", "AMXINT8"}),
        ("tdx_host_platform", {"INTEL_TDX"}),
        ("tdx_guest", set()),
        ("ibpb hypervisor constant_tsc", set()),
    ],
)
def test_flags_of_an_intel_cpu(flags: str, expected: set[str]) -> None:
    assert of_cpu(host(flags)) == {f"HW_CPU_X86_{name}" for name in expected}


@pytest.mark.parametrize(
    ("flags", "family", "expected"),
    [
        ("svm", "23", {"X86_SVM", "X86_AMD_SVM"}),
        ("sev sev_es", "25", {"X86_AMD_SEV", "AMD_SEV", "X86_AMD_SEV_ES"}),
        ("sev_snp", "25", {"X86_AMD_SEV_SNP"}),
        ("ibrs ibpb", "23", {"X86_AMD_IBPB"}),
        ("ssbd", "23", set()),  # may be a register of the model
        ("ssbd", "25", {"X86_AMD_SSBD"}),
        ("ssbd virt_ssbd", "25", {"X86_AMD_VIRT_SSBD"}),
        ("ssbd", None, set()),
        ("ssbd", "9" * 5000, set()),  # no family, and more digits than int() takes
        ("pcid md_clear", "25", set()),
    ],
)
def test_flags_of_an_amd_cpu(flags: str, family: str | None, expected: set[str]) -> None:
    assert of_cpu(host(flags, vendor="AuthenticAMD", family=family)) == {f"HW_CPU_{name}" for name in expected}


@pytest.mark.parametrize(
    ("architecture", "flags", "expected"),
    [
        ("aarch64", "fp asimd aes sha1 sve", {"FP", "ASIMD", "AES", "SHA1", "SVE"}),
        ("arm64", "fp asimd", {"FP", "ASIMD"}),
        (None, "fp asimd atomics", {"FP", "ASIMD", "ATOMICS"}),
        ("armv7l", "half thumb neon aes", set()),
        ("riscv64", "fp aes", set()),
    ],
)
def test_flags_of_an_arm_cpu(architecture: str | None, flags: str, expected: set[str]) -> None:
    found = of_cpu(host(flags, architecture=architecture, vendor="ARM"))
    assert found == {f"HW_CPU_AARCH64_{name}" for name in expected}


@pytest.mark.parametrize(
    ("architecture", "model", "expected"),
    [
        ("ppc64le", "POWER9 (architected), altivec supported", {"HW_CPU_PPC64LE_POWER9"}),
        ("ppc64le", "POWER8NVL (raw)", {"HW_CPU_PPC64LE_POWER8"}),
        ("ppc64le", "POWER10 (architected)", set()),
        ("ppc64", "POWER8 (raw)", set()),  # big-endian
        ("ppc64le", None, set()),
    ],
)
def test_power_is_told_by_the_model(architecture: str, model: str | None, expected: set[str]) -> None:
    assert of_cpu(host(architecture=architecture, vendor=None, model=model)) == expected


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("x86_64", "HW_ARCH_X86_64"), ("AMD64", "HW_ARCH_X86_64"), ("s390x", "HW_ARCH_S390X"), ("i686", "HW_ARCH_I686")],
)
def test_the_architecture_is_a_trait(architecture: str, expected: str) -> None:
    assert traits(host(architecture=architecture)) == (expected,)


@pytest.mark.parametrize("architecture", [None, "mips64", "riscv64", "loongarch64"])
def test_an_architecture_without_a_trait_or_unknown_gives_none(architecture: str | None) -> None:
    assert traits(host(architecture=architecture)) == ()


def test_a_captured_x86_machine_is_told_by_its_flags() -> None:
    assert of_cpu(host("fpu tsc msr sse2", architecture=None)) == {"HW_CPU_X86_SSE2"}
    assert of_cpu(host("fpu sse2", architecture=None)) == set()


@pytest.mark.parametrize(
    ("active", "cores", "expected"),
    [(True, 4, True), (False, 2, False), (None, 2, True), (None, 4, False), (None, None, False)],
)
def test_hyperthreading_is_that_two_threads_run_on_a_core(
    active: bool | None, cores: int | None, expected: bool
) -> None:
    plain = host()
    cpu = replace(plain.cpu, threads=4, online=CpuSet(range(4)), cores=cores, smt=Smt(control=None, active=active))
    assert ("HW_CPU_HYPERTHREADING" in traits(replace(plain, cpu=cpu))) == expected


def test_numa_is_given_where_the_kernel_tells_of_nodes() -> None:
    plain = host()
    assert "HW_NUMA_ROOT" not in traits(plain)
    assert "HW_NUMA_ROOT" in traits(replace(plain, numa=replace(plain.numa, synthetic=False)))


@pytest.mark.parametrize(
    ("kind", "sriov", "expected"),
    [("network", "pf", True), ("network", "vf", False), ("network", None, False), ("gpu", "pf", False)],
)
def test_sriov_is_a_nic_that_can_have_virtual_functions(kind: str, sriov: str | None, expected: bool) -> None:
    (device,) = machine(Node(), devices={"0000:3b:00.0": 0}).pci or ()
    with_device = replace(host(), pci=(replace(device, kind=kind, sriov=sriov),))
    assert ("HW_NIC_SRIOV" in traits(with_device)) == expected
