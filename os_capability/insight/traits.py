# SPDX-License-Identifier: Apache-2.0
"""What a machine has, by the standard names of OpenStack's os-traits.

Only what the facts show is given. Left out are what the virtualization driver adds (``COMPUTE_*``), what a NIC or GPU
would have to be asked for (offloads, display heads), and the traits of which Linux shows no flag: ``HW_CPU_X86_ASF``
and ``HW_CPU_X86_AMD_NO_SSB``.

CPU flags are those Linux shows. Each table has every trait of its architecture that one of them proves.

Source: the package os-traits 3.9; Linux arch/x86/include/asm/cpufeatures.h; Documentation/arch/arm64/elf_hwcaps.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from os_capability.model import Cpu, Host
from os_capability.number import whole_number

__all__ = ["AARCH64", "ARCHITECTURES", "TRAITS", "X86", "X86_AMD", "X86_AVX512", "X86_INTEL", "traits"]

# By the machine name of uname, in lower case. MIPS is not among them: its name says nothing of the byte order.
ARCHITECTURES: Mapping[str, str] = {
    "aarch64": "HW_ARCH_AARCH64",
    "alpha": "HW_ARCH_ALPHA",
    "amd64": "HW_ARCH_X86_64",  # FreeBSD and Windows
    "arm64": "HW_ARCH_AARCH64",  # macOS, FreeBSD and Windows
    "armv6l": "HW_ARCH_ARMV6",
    "armv7b": "HW_ARCH_ARMV7B",
    "armv7l": "HW_ARCH_ARMV7",
    "i686": "HW_ARCH_I686",
    "ia64": "HW_ARCH_IA64",
    "m68k": "HW_ARCH_M68K",
    "parisc": "HW_ARCH_PARISC",
    "parisc64": "HW_ARCH_PARISC64",
    "ppc": "HW_ARCH_PPC",
    "ppc64": "HW_ARCH_PPC64",
    "ppc64le": "HW_ARCH_PPC64LE",
    "ppcle": "HW_ARCH_PPCLE",
    "s390": "HW_ARCH_S390",
    "s390x": "HW_ARCH_S390X",
    "sparc": "HW_ARCH_SPARC",
    "sparc64": "HW_ARCH_SPARC64",
    "x86_64": "HW_ARCH_X86_64",
}

X86: Mapping[str, tuple[str, ...]] = {
    "3dnow": ("HW_CPU_X86_3DNOW",),
    "abm": ("HW_CPU_X86_ABM",),
    "aes": ("HW_CPU_X86_AESNI",),
    "amx_bf16": ("HW_CPU_X86_AMXBF16",),
    "amx_int8": ("HW_CPU_X86_AMXINT8",),
    "amx_tile": ("HW_CPU_X86_AMXTILE",),
    "avx": ("HW_CPU_X86_AVX",),
    "avx2": ("HW_CPU_X86_AVX2",),
    "avx512_bitalg": ("HW_CPU_X86_AVX512BITALG",),
    "avx512_vbmi2": ("HW_CPU_X86_AVX512VBMI2",),
    "avx512_vnni": ("HW_CPU_X86_AVX512VNNI",),
    "avx512_vpopcntdq": ("HW_CPU_X86_AVX512VPOPCNTDQ",),
    "avx512bw": ("HW_CPU_X86_AVX512BW",),
    "avx512cd": ("HW_CPU_X86_AVX512CD",),
    "avx512dq": ("HW_CPU_X86_AVX512DQ",),
    "avx512er": ("HW_CPU_X86_AVX512ER",),
    "avx512f": ("HW_CPU_X86_AVX512F",),
    "avx512ifma": ("HW_CPU_X86_AVX512IFMA",),
    "avx512pf": ("HW_CPU_X86_AVX512PF",),
    "avx512vbmi": ("HW_CPU_X86_AVX512VBMI",),
    "avx512vl": ("HW_CPU_X86_AVX512VL",),
    "bmi1": ("HW_CPU_X86_BMI",),
    "bmi2": ("HW_CPU_X86_BMI2",),
    "f16c": ("HW_CPU_X86_F16C",),
    "fma": ("HW_CPU_X86_FMA3",),
    "fma4": ("HW_CPU_X86_FMA4",),
    "intel_stibp": ("HW_CPU_X86_STIBP",),  # the backports of 2018 to distributions' kernels
    "mmx": ("HW_CPU_X86_MMX",),
    "mpx": ("HW_CPU_X86_MPX",),
    "pclmulqdq": ("HW_CPU_X86_CLMUL",),
    "pdpe1gb": ("HW_CPU_X86_PDPE1GB",),
    "pni": ("HW_CPU_X86_SSE3",),  # "Prescott New Instructions"
    "rtm": ("HW_CPU_X86_TSX",),
    "sgx": ("HW_CPU_X86_SGX",),
    "sha_ni": ("HW_CPU_X86_SHA",),
    "sse": ("HW_CPU_X86_SSE",),
    "sse2": ("HW_CPU_X86_SSE2",),
    "sse4_1": ("HW_CPU_X86_SSE41",),
    "sse4_2": ("HW_CPU_X86_SSE42",),
    "sse4a": ("HW_CPU_X86_SSE4A",),
    "ssse3": ("HW_CPU_X86_SSSE3",),
    "stibp": ("HW_CPU_X86_STIBP",),
    "svm": ("HW_CPU_X86_SVM",),
    "tbm": ("HW_CPU_X86_TBM",),
    "vmx": ("HW_CPU_X86_VMX",),
    "xop": ("HW_CPU_X86_XOP",),
}

# These have forms for shorter vectors too: a CPU without AVX-512 shows the same flags.
X86_AVX512: Mapping[str, tuple[str, ...]] = {
    "gfni": ("HW_CPU_X86_AVX512GFNI",),
    "vaes": ("HW_CPU_X86_AVX512VAES",),
    "vpclmulqdq": ("HW_CPU_X86_AVX512VPCLMULQDQ",),
}

# Linux shows one flag for a feature that each vendor has its own CPUID bit for: ibrs, ssbd, ibpb.
X86_INTEL: Mapping[str, tuple[str, ...]] = {
    "ibrs": ("HW_CPU_X86_INTEL_SPEC_CTRL",),
    "md_clear": ("HW_CPU_X86_INTEL_MD_CLEAR",),
    "pcid": ("HW_CPU_X86_INTEL_PCID",),
    "spec_ctrl": ("HW_CPU_X86_INTEL_SPEC_CTRL",),  # the backports of 2018 to distributions' kernels
    "ssbd": ("HW_CPU_X86_INTEL_SSBD",),
    "tdx_host_platform": ("HW_CPU_X86_INTEL_TDX",),
    "vmx": ("HW_CPU_X86_INTEL_VMX",),
}
X86_AMD: Mapping[str, tuple[str, ...]] = {
    "ibpb": ("HW_CPU_X86_AMD_IBPB",),
    "sev": ("HW_CPU_X86_AMD_SEV", "HW_CPU_AMD_SEV"),  # the second is the older name of the first
    "sev_es": ("HW_CPU_X86_AMD_SEV_ES",),
    "sev_snp": ("HW_CPU_X86_AMD_SEV_SNP",),
    "svm": ("HW_CPU_X86_AMD_SVM",),
    "virt_ssbd": ("HW_CPU_X86_AMD_VIRT_SSBD",),
}
_AMD_SSBD = "HW_CPU_X86_AMD_SSBD"
# Before this family Linux shows ssbd also where it turns the feature off by a register of the model.
_AMD_SSBD_SINCE_FAMILY = 0x19

AARCH64: Mapping[str, tuple[str, ...]] = {
    flag: (f"HW_CPU_AARCH64_{flag.upper()}",)
    for flag in (
        *("aes", "asimd", "asimddp", "asimdhp", "asimdrdm", "atomics", "cpuid", "crc32", "dcpop", "evtstrm", "fcma"),
        *("fp", "fphp", "jscvt", "lrcpc", "pmull", "sha1", "sha2", "sha3", "sha512", "sm3", "sm4", "sve"),
    )
}

_POWER: Mapping[str, str] = {"POWER8": "HW_CPU_PPC64LE_POWER8", "POWER9": "HW_CPU_PPC64LE_POWER9"}

_OF_MACHINE = ("HW_CPU_HYPERTHREADING", "HW_NIC_SRIOV", "HW_NUMA_ROOT")

# Every trait that `traits` can give.
TRAITS = frozenset(
    {
        *(
            name
            for table in (X86, X86_AVX512, X86_INTEL, X86_AMD, AARCH64)
            for given in table.values()
            for name in given
        ),
        *ARCHITECTURES.values(),
        *_POWER.values(),
        *_OF_MACHINE,
        _AMD_SSBD,
    }
)


def traits(host: Host) -> tuple[str, ...]:
    """Give the names of the traits that `host` has, sorted.

    ``HW_NUMA_ROOT`` is the trait of each of its NUMA nodes: it is given where the kernel tells of nodes.
    ``HW_NIC_SRIOV`` is that of a NIC that can have virtual functions, ``HW_CPU_HYPERTHREADING`` of cores that run two
    or more threads now.
    """
    return tuple(sorted({*_architecture(host), *_cpu(host), *_machine(host)}))


def _architecture(host: Host) -> Iterator[str]:
    name = ARCHITECTURES.get((host.system.architecture or "").lower())
    if name is not None:
        yield name


def _cpu(host: Host) -> Iterator[str]:
    cpu = host.cpu
    flags = frozenset(cpu.flags or ())
    family = _flag_family(host, flags)
    if family == "x86":
        for table in _x86_tables(cpu, flags):
            yield from _of_flags(table, flags)
        if _has_amd_ssbd(cpu, flags):
            yield _AMD_SSBD
    elif family == "aarch64":
        yield from _of_flags(AARCH64, flags)
    elif host.system.architecture == "ppc64le":
        model = re.match(r"POWER\d+", cpu.model or "")
        if model and model[0] in _POWER:
            yield _POWER[model[0]]


def _flag_family(host: Host, flags: frozenset[str]) -> str | None:
    """Tell whose flags these are: aes and sha1 are ARM's names as well as others'.

    A captured machine may not say its architecture; no other one has these pairs.
    """
    trait = ARCHITECTURES.get((host.system.architecture or "").lower())
    if trait in ("HW_ARCH_X86_64", "HW_ARCH_I686") or {"fpu", "tsc", "msr"} <= flags:
        return "x86"
    if trait == "HW_ARCH_AARCH64" or {"fp", "asimd"} <= flags:
        return "aarch64"
    return None


def _x86_tables(cpu: Cpu, flags: frozenset[str]) -> Iterator[Mapping[str, tuple[str, ...]]]:
    yield X86
    if "avx512f" in flags:
        yield X86_AVX512
    if cpu.vendor == "GenuineIntel":
        yield X86_INTEL
    if _is_amd(cpu):
        yield X86_AMD


def _is_amd(cpu: Cpu) -> bool:
    return cpu.vendor in ("AuthenticAMD", "HygonGenuine")  # Hygon builds AMD's cores under licence


def _has_amd_ssbd(cpu: Cpu, flags: frozenset[str]) -> bool:
    """Tell whether ``ssbd`` is AMD's CPUID bit, and not made up by the kernel from something else."""
    family = whole_number(cpu.family or "", 5) or 0
    return _is_amd(cpu) and family >= _AMD_SSBD_SINCE_FAMILY and "ssbd" in flags and "virt_ssbd" not in flags


def _of_flags(table: Mapping[str, tuple[str, ...]], flags: frozenset[str]) -> Iterator[str]:
    for flag in table.keys() & flags:
        yield from table[flag]


def _machine(host: Host) -> Iterator[str]:
    cores = host.cpu.cores
    # Kernels before 4.19 have no smt/active.
    if host.cpu.smt.active or (host.cpu.smt.active is None and cores is not None and host.cpu.threads > cores):
        yield "HW_CPU_HYPERTHREADING"
    if not host.numa.synthetic:
        yield "HW_NUMA_ROOT"
    if any(device.kind == "network" and device.sriov == "pf" for device in host.pci or ()):
        yield "HW_NIC_SRIOV"
