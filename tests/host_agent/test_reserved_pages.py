# SPDX-License-Identifier: Apache-2.0
"""Huge pages kept for the host, as Nova writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.reserved_pages import ReservedPages, parse_reserved_pages


@pytest.mark.parametrize(
    ("text", "node", "size_kib", "count"),
    [
        ("node:0,size:2048,count:64", 0, 2048, 64),
        ("node:1,size:1GB,count:1", 1, 1024**2, 1),
        ("node:1,size:1GiB,count:1", 1, 1024**2, 1),
        ("node:1,size:2MB,count:0", 1, 2048, 0),
        ("node:1,size:2m,count:5", 1, 2048, 5),
        ("node:8,size:16384KB,count:5", 8, 16384, 5),
        (" count : 3 , size : 2 MiB , node : 252 ", 252, 2048, 3),
    ],
)
def test_what_is_kept(text: str, node: int, size_kib: int, count: int) -> None:
    pages = parse_reserved_pages(text)
    assert pages == ReservedPages(node=node, size_bytes=size_kib * 1024, count=count)
    assert parse_reserved_pages(str(pages)) == pages


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no name:value"),
        ("node:0,size:2048", "node, size and count are needed"),
        ("node:0,size:2048,count:1,cpu:2", "nothing else"),
        ("node:0,node:0,size:2048,count:1", "'node:0' is given twice"),
        ("node:a,size:2048,count:1", "node 'a' is no whole number"),
        ("node:0,size:2048,count:-1", "count '-1' is no whole number"),
        ("node:0,size:2048,count:1.5", "count '1.5' is no whole number"),
        ("node:0,size:0,count:1", "size '0' is no size"),
        ("node:0,size:2XB,count:1", "size '2XB' is no size"),
        ("node:0,size:,count:1", "size '' is no size"),
        ("node=0,size=2048,count=1", "no name:value"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_reserved_pages(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_reserved_pages(text)
    except ValueError as refusal:
        assert str(refusal)
