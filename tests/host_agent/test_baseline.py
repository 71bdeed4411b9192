# SPDX-License-Identifier: Apache-2.0
"""The baseline: what a machine looked like last, also to the next process."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from host_agent.baseline import Baseline, host_of
from tests.host_agent.events import event
from tests.host_agent.facts import machine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "facts.json"


def test_the_next_process_knows_what_this_one_knew(path: Path) -> None:
    host, kept = machine(), [event(1), event(2, node=1)]
    Baseline(path).keep(host, kept)

    known = Baseline(path)

    assert (known.host, known.kept_back) == (host, kept)
    assert [file.name for file in path.parent.iterdir()] == ["facts.json"]


def test_without_a_file_nothing_is_known(path: Path) -> None:
    assert (Baseline(path).host, Baseline(path).kept_back) == (None, [])


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"document": {}, "kept_back": []}', '{"document": 1}', "\x00"])
def test_a_file_that_is_not_understood_is_as_good_as_none(
    path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert Baseline(path).host is None
    assert str(path) in caplog.text


def test_a_disk_that_takes_nothing_is_said_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    baseline = Baseline(path)
    path.mkdir()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            baseline.keep(machine(), [])
        path.rmdir()
        baseline.keep(machine(), [])

    assert baseline.host == machine()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_the_databases_copy_is_read_the_same_way() -> None:
    assert host_of(json.dumps(machine().to_dict())) == machine()
    for nothing in (None, "", "{", "[]", "{}"):
        assert host_of(nothing) is None
