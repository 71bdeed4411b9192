# SPDX-License-Identifier: Apache-2.0
"""Small files about the system, as texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from os_capability.errors import UnparsableText
from os_capability.linux import system


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n', "Debian GNU/Linux 12"),
        ("NAME=Alpine\n", "Alpine"),
        ("# nothing\nID=x\n", None),
    ],
)
def test_os_release_gives_the_name_people_use(text: str, name: str | None) -> None:
    assert system.parse_os_release(text, "os-release") == name


@pytest.mark.parametrize(
    ("text", "name"), [("node-1\n", "node-1"), ("(none)\n", None), ("uninitialized\n", None), ("", None)]
)
def test_a_machine_that_was_given_no_name_or_id_has_none(text: str, name: str | None) -> None:
    assert system.parse_given_name(text, "hostname") == name


@pytest.mark.parametrize(("text", "name"), [("node-1\n", "node-1"), ("\n", None), ("", None), ("6.1.0\n\0", "6.1.0")])
def test_a_name_is_one_line(text: str, name: str | None) -> None:
    assert system.parse_name(text, "hostname") == name


@pytest.mark.parametrize(
    ("text", "uuid"),
    [
        ("4C4C4544-0042-3510-8052-B3C04F4B4E32\n", "4c4c4544-0042-3510-8052-b3c04f4b4e32"),
        ("4c4c4544-0042-3510-8052-b3c04f4b4e32\n", "4c4c4544-0042-3510-8052-b3c04f4b4e32"),
        # Supermicro fills up what stands before the card's MAC with zeros.
        ("00000000-0000-0000-0000-ac1f6b112233\n", "00000000-0000-0000-0000-ac1f6b112233"),
        ("00000000-0000-0000-0000-000000000000\n", None),
        ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n", None),
        ("FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE\n", None),
        ("58585858-5858-5858-5858-585858585858\n", None),
        ("03000200-0400-0500-0006-000700080009\n", None),
        ("00020003-0004-0005-0006-000700080009\n", None),
        ("03020100-0504-0706-0809-0A0B0C0D0E0F\n", None),
        ("Not Settable\n", None),
        ("Not Present\n", None),
        ("\n", None),
    ],
)
def test_a_product_uuid_is_one_that_no_other_machine_has(text: str, uuid: str | None) -> None:
    assert system.parse_product_uuid(text, "product_uuid") == uuid


def test_boot_time() -> None:
    assert system.parse_boot_time("cpu 1\nbtime 1700000000\n", "stat") == 1700000000
    assert system.parse_boot_time("cpu 1\n", "stat") is None


def test_uptime_and_load_average() -> None:
    assert system.parse_uptime("12.50 24.00\n", "uptime") == 12.5
    assert system.parse_loadavg("0.1 2 30.5 1/9 7\n", "loadavg") == (0.1, 2.0, 30.5)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((system.parse_uptime, text) for text in ("", "nan 1\n", "inf", "soon")),
        *((system.parse_loadavg, text) for text in ("", "0.1 0.2", "a b c", "1 2 ٣")),
        *((system.parse_os_release, text) for text in ("", "\0\1\2", "no names", f"NAME={'x' * 10_000}")),
        *((system.parse_name, text) for text in ("two\nlines", "x" * 10_000, "\x1b[31m", "\N{REPLACEMENT CHARACTER}")),
        (system.parse_boot_time, "cpu 1\nbtime x\n"),
        *((system.parse_product_uuid, text) for text in ("4c4c4544", "To be filled by O.E.M.", "two\nlines")),
    ],
)
def test_garbage_is_refused(parse: Callable[[str, str], object], text: str) -> None:
    with pytest.raises(UnparsableText):
        parse(text, "a file")


def test_affinity_is_the_allowed_list() -> None:
    assert system.parse_affinity("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n") == "0-7"
    assert system.parse_affinity("Name:\tx\n") is None
