# SPDX-License-Identifier: Apache-2.0
"""`/proc/meminfo` and a node's meminfo, as texts."""

from __future__ import annotations

from typing import ClassVar

import pytest

from os_capability.errors import UnparsableText
from os_capability.linux.meminfo import available_estimate, parse_meminfo

KIB = 1024


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param("MemTotal:       2048 kB\n", {"MemTotal": 2048 * KIB}, id="kilobytes become bytes"),
        pytest.param("MemTotal:2048 kB\n", {"MemTotal": 2048 * KIB}, id="no blank after the colon"),
        pytest.param("MemTotal: 2048 kB\nMemFr", {"MemTotal": 2048 * KIB}, id="cut off"),
        pytest.param("HugePages_Total:       7\n", {"HugePages_Total": 7}, id="a count without a unit stays a count"),
        pytest.param("Zswapped: many\nMemFree: 1 kB\n", {"MemFree": KIB}, id="an unknown key is passed over"),
        pytest.param("        total:    used:\nMemFree: 1 kB\n", {"MemFree": KIB}, id="the table of Linux 2.4"),
        pytest.param("MemTotal 2048 kB\nMemFree: 1 kB\n", {"MemFree": KIB}, id="no colon"),
        pytest.param(
            "\nNode 3 MemTotal:   2048 kB\n\nNode 3 MemFree: 1 kB\n",
            {"MemTotal": 2048 * KIB, "MemFree": KIB},
            id="a node's",
        ),
        pytest.param("Active(file):  5 kB\n", {"Active(file)": 5 * KIB}, id="brackets in the name"),
        pytest.param("MemTotal: 4294967296 kB\n", {"MemTotal": 1 << 42}, id="4 TiB"),
        pytest.param(
            "HugePages_Rsvd: 18446744073709551615\n", {"HugePages_Rsvd": (1 << 64) - 1}, id="a count gone below zero"
        ),
    ],
)
def test_fields_are_bytes_or_counts(text: str, fields: dict[str, int]) -> None:
    assert parse_meminfo(text, "meminfo") == fields


@pytest.mark.parametrize("value", ["", "kB", "-5 kB", "0x10 kB", "1e6 kB", "9" * 30 + " kB", "9" * 16 + " kB", "٣ kB"])
def test_a_field_we_use_without_a_number_is_an_error_that_quotes_the_line(value: str) -> None:
    with pytest.raises(UnparsableText) as raised:
        parse_meminfo(f"MemFree: 1 kB\nMemTotal: {value}\n", "/proc/meminfo")
    assert (raised.value.source, raised.value.line_number) == ("/proc/meminfo", 2)
    assert "MemTotal has no number" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_unit_is_an_error_and_never_a_wrong_number() -> None:
    with pytest.raises(UnparsableText, match="MemTotal is not in kB"):
        parse_meminfo("MemTotal: 100 MB\n", "/proc/meminfo")


class TestAvailableEstimate:
    """MemAvailable on kernels that do not give it."""

    FIELDS: ClassVar = {
        "MemFree": 1000 * KIB,
        "Active(file)": 300 * KIB,
        "Inactive(file)": 100 * KIB,
        "SReclaimable": 60 * KIB,
    }

    def test_it_is_the_kernels_formula(self) -> None:
        low = 50  # 5/4 of min_free_kbytes, in kB
        expected = (1000 - low) + (400 - low) + (60 - 60 // 2)
        assert available_estimate(self.FIELDS, 40) == expected * KIB

    def test_without_the_watermark_there_is_none(self) -> None:
        assert available_estimate(self.FIELDS, None) is None

    def test_without_the_file_pages_there_is_none(self) -> None:
        assert available_estimate({"MemFree": 1000 * KIB, "Cached": 500 * KIB}, 40) is None

    def test_it_is_never_negative(self) -> None:
        assert available_estimate(self.FIELDS | {"MemFree": 0}, 1 << 20) == 0 + 200 * KIB - 200 * KIB
