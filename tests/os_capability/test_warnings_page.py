# SPDX-License-Identifier: Apache-2.0
"""docs/warnings.md explains every code that the library warns with, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from os_capability.linux.sanity import MEMORY_CODES

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "warnings.md"


def codes_of(source: str) -> Iterator[str]:
    """Yield the words that stand for the code in ``HostWarning(code=...)`` and ``.warn(...)``."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        given: list[ast.expr] = []
        if isinstance(call.func, ast.Attribute) and call.func.attr == "warn":
            given = call.args[:1]
        elif isinstance(call.func, ast.Name) and call.func.id == "HostWarning":
            given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        for part in (part for value in given for part in ast.walk(value)):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


EMITTED = {code for path in (TOP / "os_capability").rglob("*.py") for code in codes_of(path.read_text())}


def test_every_code_is_explained_and_every_explained_code_is_emitted() -> None:
    explained = re.findall(r"^### `(.*)`$", PAGE.read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(EMITTED)


def test_every_code_is_a_few_plain_words() -> None:
    assert [code for code in EMITTED if not re.fullmatch(r"[a-z]+(-[a-z]+)+", code)] == []


def test_the_codes_about_memory_are_among_them() -> None:
    assert MEMORY_CODES <= EMITTED


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("sources.warn('a-b', f'{path} is bad')", ["a-b"]),
        ("self.warn('a-b' if bad else 'c-d', 'text')", ["a-b", "c-d"]),
        ("HostWarning(code='a-b', message='text')", ["a-b"]),
        ("HostWarning(code=code, message='text')", []),
        ("logger.info('text')", []),
    ],
)
def test_the_codes_are_found_in_the_source(source: str, codes: list[str]) -> None:
    assert list(codes_of(source)) == codes
