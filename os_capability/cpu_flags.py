# SPDX-License-Identifier: Apache-2.0
"""x86's CPU features in one spelling: Linux's, whose names the flags of a machine have on every system.

Source: arch/x86/include/asm/cpufeatures.h of Linux; osfmk/i386/cpuid.c of XNU; sys/x86/x86/identcpu.c of FreeBSD.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["spelled_as_linux"]

# macOS's and FreeBSD's names, in lower case and without dots.
_LINUX_NAMES = {
    "1gbpage": "pdpe1gb",
    "aesni": "aes",
    "avx1_0": "avx",
    "avx512vnni": "avx512_vnni",
    "clfsh": "clflush",
    "clfsopt": "clflushopt",
    "ds": "dts",
    "dscpl": "ds_cpl",
    "em64t": "lm",
    "ffxsr": "fxsr_opt",
    "htt": "ht",
    "ipt": "intel_pt",
    "lahf": "lahf_lm",
    "lzcnt": "abm",
    "mmx+": "mmxext",
    "mon": "monitor",
    "page1gb": "pdpe1gb",
    "pqe": "rdt_a",
    "pqm": "cqm",
    "prefetch": "3dnowprefetch",
    "prefetchw": "3dnowprefetch",
    "proctrace": "intel_pt",
    "rdwrfsgs": "fsgsbase",
    "sha": "sha_ni",
    "tpr": "xtpr",
    "tscadj": "tsc_adjust",
    "tscdlt": "tsc_deadline_timer",
    "tsctmr": "tsc_deadline_timer",
    "xd": "nx",
}


def spelled_as_linux(names: Iterable[str]) -> tuple[str, ...]:
    """Give each feature once; one that Linux has no other name for keeps its own, in lower case."""
    plain = (name.lower().replace(".", "_") for name in names)
    return tuple(dict.fromkeys(_LINUX_NAMES.get(name, name) for name in plain))
