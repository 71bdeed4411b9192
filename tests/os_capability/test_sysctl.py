# SPDX-License-Identifier: Apache-2.0
"""What sysctl prints."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_capability.sysctl import Sysctl

ANSWER = "\n".join(
    (
        "hw.ncpu: 8",
        "hw.targettype: ",
        "kern.boottime: { sec = 1711972800, usec = 204311 } Mon Apr  1 12:00:00 2024",
        "vm.loadavg: { 1.52 1.63 1.70 }",
        "vm.phys_locality: ",
        "0: 10 21 ",
        "1: 21 10 ",
        "dev.cpu.0.%domain: 1",
        "kern.msgbuf: acpi0: <ACPI> on motherboard",
        "hw.ncpu: 4096",
        "ugen0.1: <Intel XHCI root HUB> at usbus0",
        "",
    )
)


def test_a_value_is_a_text_or_a_number() -> None:
    sysctl = Sysctl.parse(ANSWER)
    assert (sysctl.number("dev.cpu.0.%domain"), sysctl.text("dev.cpu.0.%domain")) == (1, "1")


def test_a_value_goes_on_over_lines() -> None:
    assert Sysctl.parse(ANSWER).text("vm.phys_locality") == "0: 10 21 \n1: 21 10"


def test_a_line_in_a_later_value_changes_no_earlier_one() -> None:
    sysctl = Sysctl.parse(ANSWER)
    assert sysctl.number("hw.ncpu") == 8
    assert (sysctl.text("kern.msgbuf") or "").startswith("acpi0: <ACPI>")


@pytest.mark.parametrize("name", ["hw.targettype", "hw.nothing", "vm.phys_locality"])
def test_what_is_absent_blank_or_no_number_is_none(name: str) -> None:
    assert Sysctl.parse(ANSWER).number(name) is None
    assert Sysctl.parse("hw.targettype: \n").text("hw.targettype") is None


@pytest.mark.parametrize("text", ["-1", "9" * 30, "0x10", "1.5", "\u0663"])
def test_a_number_is_whole_not_below_zero_and_fits_64_bits(text: str) -> None:
    assert Sysctl({"hw.ncpu": text}).number("hw.ncpu") is None


def test_boot_time_and_load() -> None:
    sysctl = Sysctl.parse(ANSWER)
    assert sysctl.boot_time() == datetime(2024, 4, 1, 12, tzinfo=timezone.utc)
    assert sysctl.load_average() == (1.52, 1.63, 1.7)


@given(st.text())
def test_any_text_is_a_value_or_none(text: str) -> None:
    sysctl = Sysctl.parse(text)
    told = Sysctl({"kern.boottime": f"{{ sec = {text}", "vm.loadavg": text, **sysctl.values})
    assert told.boot_time() is None or told.boot_time()
    assert told.load_average() is None or len(told.load_average() or ()) == 3


def test_a_boot_time_beyond_the_calendar_is_unknown() -> None:
    assert Sysctl({"kern.boottime": "{ sec = 253402300800, usec = 0 }"}).boot_time() is None
