# SPDX-License-Identifier: Apache-2.0
"""A few mutated trees of every machine; ``python -m tests.fuzz`` and ``make fuzz`` make many."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.mutations import MUTATIONS, mutated
from tests.fuzz.trees import Case, Trees, machines

SEED = int(os.environ.get("FUZZ_SEED") or 1)
MACHINES = machines()


@pytest.fixture(scope="module")
def trees() -> Iterator[Trees]:
    trees = Trees(MACHINES, SEED)
    yield trees
    trees.close()


@pytest.mark.parametrize("name", MACHINES)
def test_a_document_or_one_of_our_errors(trees: Trees, name: str) -> None:
    case = Case(name, 0)
    try:
        trees.examine(case)
    except Exception as error:
        error.args = (f"{error}\n{trees.described(case)}",)
        raise


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_can_be_done_and_undone(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cpu0"
    path.write_text("0-3\nMemTotal: 5 kB\n")
    with mutated(path, MUTATIONS[name], random.Random(1)):
        assert not path.is_file() or path.read_bytes() != b"0-3\nMemTotal: 5 kB\n" or name in UNSEEN
    assert [found.name for found in tmp_path.iterdir()] == ["cpu0"]
    assert path.read_text() == "0-3\nMemTotal: 5 kB\n"


# What leaves the text as it is, or may.
UNSEEN = {"no permission", "strange names", "shuffled"}
