# SPDX-License-Identifier: Apache-2.0
"""Where the memory of Macs is."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_capability.darwin.vm_stat import parse_swap_usage, parse_vm_stat
from os_capability.errors import UnparsableText
from tests.os_capability.recorded import MACS

M1 = next(folder for folder in MACS if folder.name == "m1")


def test_counts_are_of_the_page_size_that_the_first_line_tells() -> None:
    pages = parse_vm_stat((M1 / "vm_stat").read_text())
    assert pages == (12904 * 16384, 118342 * 16384, 3811 * 16384)


def test_a_version_without_a_line_leaves_it_unknown() -> None:
    pages = parse_vm_stat("Mach Virtual Memory Statistics: (page size of 4096 bytes)\nPages free:     5.\n")
    assert pages == (5 * 4096, None, None)


@pytest.mark.parametrize("text", ["", "Pages free: 5.\n", "Statistics: (page size of 4096 bytes)\nPages active: 5.\n"])
def test_without_page_size_or_free_pages_it_is_not_understood(text: str) -> None:
    with pytest.raises(UnparsableText, match="vm_stat"):
        parse_vm_stat(text)


@pytest.mark.parametrize(
    ("text", "swap"),
    [
        ("total = 2048.00M  used = 1017.50M  free = 1030.50M  (encrypted)", (2048 << 20, 2061 << 19)),
        ("total = 2.00G  used = 0.00G  free = 2.00G", (2 << 30, 2 << 30)),
        ("total = 0.00M  used = 0.00M  free = 0.00M  (encrypted)", (0, 0)),
        ("total = much", (None, None)),
        ("", (None, None)),
    ],
)
def test_swap(text: str, swap: tuple[int | None, int | None]) -> None:
    assert parse_swap_usage(text) == swap


@given(st.text())
def test_any_text_is_a_value_or_our_error(text: str) -> None:
    parse_swap_usage(text)
    with suppress(UnparsableText):
        parse_vm_stat(f"(page size of 4096 bytes)\nPages free: {text}\n{text}")
