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
    ],
)
def test_garbage_is_refused(parse: Callable[[str, str], object], text: str) -> None:
    with pytest.raises(UnparsableText):
        parse(text, "a file")


def test_affinity_is_the_allowed_list() -> None:
    assert system.parse_affinity("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n") == "0-7"
    assert system.parse_affinity("Name:\tx\n") is None
