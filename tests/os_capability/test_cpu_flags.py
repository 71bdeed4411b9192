# SPDX-License-Identifier: Apache-2.0
"""CPU features of other systems in Linux's spelling."""

from __future__ import annotations

import pytest

from os_capability.cpu_flags import spelled_as_linux


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("SSE4.1 AVX1.0 AVX2", ("sse4_1", "avx", "avx2")),
        ("AESNI Page1GB MMX+", ("aes", "pdpe1gb", "mmxext")),
        ("SSE SSE", ("sse",)),
        ("HTT HT", ("ht",)),
        ("NFPUSG", ("nfpusg",)),
        ("", ()),
    ],
)
def test_linux_names_are_used_once_each_and_unknown_ones_kept(theirs: str, ours: tuple[str, ...]) -> None:
    assert spelled_as_linux(theirs.split()) == ours
