# SPDX-License-Identifier: Apache-2.0
"""Every public parser of the library, found by its name so that none is forgotten, on any text or bytes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import os_capability
from os_capability.errors import OsCapabilityError
from tests.os_capability.linux.test_any_text import TEXT

# A command's own parser answers a person's typing, with another error.
NOT_OF_MACHINES = "os_capability.commands."

# Words of other systems' answers; those of Linux come with TEXT.
OTHER_PIECES = [
    "<groups>",
    '<group level="1" cache-level="3">',
    '<cpu count="2" mask="3">',
    "0, 1",
    "</cpu>",
    '<flag name="THREAD">SMT</flag>',
    "<children>",
    "</children></group></groups>",
    "<!DOCTYPE x>",
    "&x;",
    "Pages free:",
    "page size of 16384 bytes",
    "total = 2048.00M  used = 1.00M  free = ",
    "FreeBSD/SMP: ",
    " package(s) x ",
    "cpu0: <ACPI CPU> on acpi0",
    "-1.5",
    "1e999",
]
ANY_TEXT = TEXT | st.lists(st.sampled_from(OTHER_PIECES) | st.text(max_size=5), max_size=30).map("".join)
# Small numbers at the places of sizes and counts get further than noise.
WORD = st.sampled_from(
    [bytes(8), b"\x00\x00\x00\x00\x30\x00\x00\x00", b"\x02\x00\x00\x00\x18\x00\x00\x00", b"\xff" * 8]
)
ANY_BYTES = st.binary(max_size=200) | st.lists(WORD | st.binary(max_size=8), max_size=40).map(b"".join)


def parsers() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield every public parse function and method of every module."""
    for found in pkgutil.walk_packages(os_capability.__path__, "os_capability."):
        if found.name.startswith(NOT_OF_MACHINES) or found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for holder in (module, *(member for member in vars(module).values() if inspect.isclass(member))):
            for name in vars(holder):
                parser = getattr(holder, name)
                is_here = getattr(parser, "__module__", None) == module.__name__
                if name.startswith("parse_") and is_here and callable(parser):
                    yield f"{module.__name__.removeprefix('os_capability.')}.{parser.__qualname__}", parser


PARSERS = dict(parsers())


def asked(parser: Callable[..., object]) -> dict[str, object]:
    """Give what to call a parser with, by the types of its parameters: text and bytes are drawn, the rest is usual."""
    hints = typing.get_type_hints(parser)
    arguments: dict[str, object] = {}
    for name, parameter in inspect.signature(parser).parameters.items():
        hint = hints[name]
        if name == "source":
            arguments[name] = "the source"
        elif hint in (str, str | None):
            arguments[name] = ANY_TEXT
        elif hint is bytes:
            arguments[name] = ANY_BYTES
        elif typing.get_origin(hint) is not None and typing.get_args(hint) == (int,):
            arguments[name] = [0, 2]
        elif parameter.default is inspect.Parameter.empty:
            assert hint is int, f"say here what to give for {name}: {hint}"
            arguments[name] = 6
    return arguments


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
def test_a_value_or_one_of_our_errors(parser: Callable[..., object]) -> None:
    arguments = asked(parser)
    drawn = {name: value for name, value in arguments.items() if isinstance(value, st.SearchStrategy)}
    fixed = {name: value for name, value in arguments.items() if name not in drawn}
    assert drawn, "a parser of nothing"

    @settings(max_examples=40, derandomize=True, deadline=None)
    @given(texts=st.fixed_dictionaries(drawn))
    def parse(texts: dict[str, object]) -> None:
        try:
            partial(parser, **fixed)(**texts)
        except OsCapabilityError as error:
            message = str(error)
            assert "\n" not in message
            message.encode()

    parse()


def test_the_parsers_are_found() -> None:
    found = {name.rpartition(".")[2] for name in PARSERS}
    assert {"parse_list", "parse_mask", "parse_meminfo", "parse_lscpu", "parse_uevent", "parse_topology"} <= found
    assert len(PARSERS) > 35
