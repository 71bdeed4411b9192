# SPDX-License-Identifier: Apache-2.0
"""The buffer of GetLogicalProcessorInformationEx."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_capability.errors import UnparsableText
from os_capability.windows.processor_information import parse_processor_information
from tests.os_capability.windows import recorded as w

HYBRID = w.hybrid_laptop().information


def test_every_kind_of_record_is_read() -> None:
    told = parse_processor_information(HYBRID)
    assert [str(core.cpus) for core in told.cores[:3]] == ["0-1", "2-3", "4"]
    assert [core.efficiency_class for core in told.cores[:3]] == [1, 1, 0]
    assert [str(cpus) for cpus in told.packages] == ["0-11"]
    assert [str(cpus) for cpus in told.modules] == ["0-1", "2-3", "4-7", "8-11"]
    assert {node: str(cpus) for node, cpus in told.nodes.items()} == {0: "0-11"}
    assert (str(told.online), str(told.possible)) == ("0-11", "0-11")


def test_caches_are_told_lowest_level_and_cpu_first() -> None:
    caches = parse_processor_information(HYBRID).caches
    assert [(c.level, c.size_bytes, str(c.shared_cpus)) for c in caches if c.level > 1] == [
        (2, 1280 << 10, "0-1"),
        (2, 1280 << 10, "2-3"),
        (2, 2 << 20, "4-7"),
        (2, 2 << 20, "8-11"),
        (3, 12 << 20, "0-11"),
    ]


@pytest.mark.parametrize(("kind", "name"), [(w.UNIFIED, "Unified"), (w.INSTRUCTION, "Instruction"), (w.DATA, "Data")])
def test_a_cache_has_its_type(kind: int, name: str) -> None:
    (cache,) = parse_processor_information(w.cache(1, kind, 32768, [0])).caches
    assert cache.type == name


def test_a_cache_of_traces_or_of_no_cpu_is_none() -> None:
    buffer = w.cache(1, w.TRACE, 12288, [0]) + w.record(w.CACHE, struct.pack("<BBHII18xHQ8x", 2, 8, 64, 1, 0, 1, 0))
    assert parse_processor_information(buffer).caches == ()


def test_a_cpu_is_its_group_times_64_and_its_bit() -> None:
    told = parse_processor_information(w.uneven_groups().information)
    assert str(told.online) == "0-19,64-83"
    assert [str(cpus) for cpus in told.packages] == ["0-19,64-83"]


def test_the_newer_relation_completes_a_node_of_several_groups() -> None:
    older, newer = w.node(0, range(20)), w.node(0, [*range(20), *range(64, 84)], extended=True)
    assert str(parse_processor_information(older).nodes[0]) == "0-19"
    assert str(parse_processor_information(older + newer).nodes[0]) == "0-19,64-83"


def test_a_node_without_cpus_is_there() -> None:
    told = parse_processor_information(w.node(0, [0, 1]) + w.node(2, []))
    assert {node: str(cpus) for node, cpus in told.nodes.items()} == {0: "0-1", 2: ""}


def test_groups_have_room_for_more_than_is_online() -> None:
    assert str(parse_processor_information(w.groups([(64, 40), (16, 8)])).possible) == "0-79"


def test_a_32_bit_process_has_shorter_masks() -> None:
    content = struct.pack("<BB20xH", 0, 0, 1) + struct.pack("<IHHHH", 0b11, 0, 0, 0, 0)
    told = parse_processor_information(w.record(w.CORE, content), pointer_bytes=4)
    assert str(told.online) == "0-1"


def test_a_relation_that_is_not_known_yet_is_passed_over() -> None:
    assert parse_processor_information(w.record(99, bytes(40)) + HYBRID) == parse_processor_information(HYBRID)


@pytest.mark.parametrize(
    ("buffer", "reason"),
    [
        pytest.param(HYBRID[:-1], "no record fits", id="cut short"),
        pytest.param(HYBRID + bytes(3), "no record fits", id="half a header"),
        pytest.param(struct.pack("<II", 0, 0), "no record fits", id="no length"),
        pytest.param(struct.pack("<II", 0, 4), "no record fits", id="shorter than its header"),
        pytest.param(w.record(w.CORE, b"\0"), "cut short", id="a short core"),
        pytest.param(w.record(w.CORE, struct.pack("<BB20xH", 0, 0, 9)), "cut short", id="masks that are not there"),
        pytest.param(w.record(w.GROUP, struct.pack("<HH20xB47x", 1, 1, 99)), "more than 64", id="a group too large"),
        pytest.param(w.record(w.CORE, struct.pack("<BB20xHQH6x", 0, 0, 1, 1, 0xFFFF)), "CPU id", id="a group too high"),
    ],
)
def test_a_bad_record_is_named_by_its_offset(buffer: bytes, reason: str) -> None:
    with pytest.raises(UnparsableText, match=reason) as raised:
        parse_processor_information(buffer)
    assert "offset" in raised.value.line


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_our_error(content: bytes) -> None:
    for relationship in range(9):
        with suppress(UnparsableText):
            parse_processor_information(w.record(relationship, content))
