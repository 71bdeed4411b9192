# SPDX-License-Identifier: Apache-2.0
"""lscpu's output, as texts."""

from __future__ import annotations

import pytest

from os_capability.errors import UnparsableText
from os_capability.linux.lscpu import LscpuRow, parse_lscpu, parse_summary

HEADER = "# The following is the parsable format, which can be fed to other\n# programs.\n"


def test_rows_come_by_ascending_cpu_whatever_the_order() -> None:
    text = HEADER + "4,1,0,,,1,Y\n0,0,0,,,0,Y\n"
    assert parse_lscpu(text, "lscpu") == [
        LscpuRow(0, 0, 0, None, None, 0, True),
        LscpuRow(4, 1, 0, None, None, 1, True),
    ]


@pytest.mark.parametrize("unknown", ["", "-", "-1"])
def test_any_field_but_the_cpu_may_be_unknown(unknown: str) -> None:
    text = f"7,{unknown},{unknown},{unknown},{unknown},{unknown},N\n"
    assert parse_lscpu(text, "lscpu") == [LscpuRow(7, None, None, None, None, None, False)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "no CPU in the answer", id="empty"),
        pytest.param(HEADER, "no CPU in the answer", id="only comments"),
        pytest.param("0,0,0,,,0,Y\n1,0", "not the columns", id="cut off"),
        pytest.param("0,0,0,,,0,O\n", "neither Y nor N", id="a French lscpu"),
        pytest.param(",,,,,,\n", "neither Y nor N", id="RISC-V under lscpu 2.38"),
        pytest.param(",0,0,,,0,Y\n", "no CPU number", id="no CPU number"),
        pytest.param("0,0,0,,,0,Y\n0,1,0,,,0,Y\n", "a CPU twice", id="a CPU twice"),
        pytest.param("0,zero,0,,,0,Y\n", "a field is no number", id="words for numbers"),
        pytest.param("lscpu: unknown column: ONLINE\n", "not the columns", id="an error message"),
    ],
)
def test_what_we_do_not_understand_is_an_error(text: str, complaint: str) -> None:
    with pytest.raises(UnparsableText, match=complaint):
        parse_lscpu(text, "lscpu")


def test_the_summary_keeps_the_first_of_repeated_labels_and_no_dashes() -> None:
    text = "Vendor ID:   ARM\n  Model name:  Cortex-A510\n  Model name: Cortex-X3\nSocket(s):  -\nno colon\n"
    assert parse_summary(text) == {"Vendor ID": "ARM", "Model name": "Cortex-A510"}
