# SPDX-License-Identifier: Apache-2.0
"""The log as a real process writes it: for people, for the journal, for programs."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from host_agent.log import Condition

# What a daemon does: settings from the environment, then lines of every kind.
SPEAKER = """
import logging
from host_agent import log
from host_agent.settings import load
log.set_up(load([]).logging, "1")
LOG = logging.getLogger("host_agent.speaker")
LOG.info("first %s", "line")
log.name_host("6b2c8a3e-0d56-4a3c-9b2e-2f1f5d0c9a11")
LOG.warning("two\\nlines of \\u00fcber")
LOG.debug("detail")
logging.getLogger("psycopg").warning("error ignored terminating a pipeline")
try:
    1 / 0
except ZeroDivisionError:
    LOG.exception("failed")
"""


def speak(stderr: Path, speaker: str = SPEAKER, **environment: str) -> list[str]:
    """Run a speaker with its standard error in a file, and give the lines there."""
    with stderr.open("w") as file:
        stat = os.fstat(file.fileno())
        here = {name: value.format(f"{stat.st_dev}:{stat.st_ino}") for name, value in environment.items()}
        done = subprocess.run(
            [sys.executable, "-c", speaker],
            env={"PATH": os.environ["PATH"], "OS_CAPABILITY_CONFIG_FILE": "/dev/null", "LC_ALL": "C"} | here,
            stderr=file,
        )
    assert done.returncode == 0
    return stderr.read_text().splitlines()


def test_people_get_a_time_a_level_and_a_place(tmp_path: Path) -> None:
    lines = speak(tmp_path / "stderr")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO host_agent\.speaker: first line", lines[0])
    assert not any("detail" in line for line in lines)
    assert not any("pipeline" in line for line in lines), "the error that psycopg raises is told once, by us"


def test_the_journal_gets_each_line_with_its_priority_and_no_time(tmp_path: Path) -> None:
    lines = speak(tmp_path / "stderr", JOURNAL_STREAM="{}")
    assert lines[0] == "<6>INFO host_agent.speaker: first line"
    assert lines[1] == "<4>WARNING host_agent.speaker: two"
    assert lines[2].startswith("<4>lines of")
    assert all(line.startswith("<3>") for line in lines[3:])


@pytest.mark.parametrize(("journal", "before"), [("", r"\d{4}-\d\d-\d\d [\d:.]+ "), ("{}", "<6>")])
def test_a_line_that_knows_its_request_looks_like_any_other(tmp_path: Path, journal: str, before: str) -> None:
    speaker = SPEAKER.replace('"line")', '"line", extra={"request_id": "req-1"})')
    lines = speak(tmp_path / "stderr", speaker, JOURNAL_STREAM=journal)
    assert re.fullmatch(f"{before}INFO host_agent\\.speaker: first line", lines[0])


def test_a_variable_that_was_inherited_does_not_make_a_file_the_journal(tmp_path: Path) -> None:
    assert re.match(r"\d{4}-", speak(tmp_path / "stderr", JOURNAL_STREAM="8:1")[0])


@pytest.mark.parametrize("to_file", [False, True])
def test_programs_get_one_object_a_line(tmp_path: Path, to_file: bool) -> None:
    environment = {"OS_CAPABILITY_DEFAULT__USE_JSON": "true", "OS_CAPABILITY_DEFAULT__DEBUG": "true"}
    log = tmp_path / "agent.log"
    if to_file:
        environment["OS_CAPABILITY_DEFAULT__LOG_FILE"] = str(log)
    lines = speak(tmp_path / "stderr", **environment)
    if to_file:
        assert lines == []
        lines = log.read_text().splitlines()

    objects = [json.loads(line) for line in lines]

    assert [(line["level"], line["message"]) for line in objects] == [
        ("INFO", "first line"),
        ("WARNING", "two\nlines of \u00fcber"),
        ("DEBUG", "detail"),
        ("ERROR", "failed"),
    ]
    assert {line["logger"] for line in objects} == {"host_agent.speaker"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in objects)
    assert [line["host_uuid"] is not None for line in objects] == [False, True, True, True]
    assert objects[3]["traceback"].endswith("ZeroDivisionError: division by zero")


def test_objects_in_the_journal_carry_their_priority_too(tmp_path: Path) -> None:
    lines = speak(tmp_path / "stderr", OS_CAPABILITY_DEFAULT__USE_JSON="true", JOURNAL_STREAM="{}")
    assert [line[:3] for line in lines] == ["<6>", "<4>", "<3>"]
    assert json.loads(lines[0][3:])["message"] == "first line"


def test_a_condition_speaks_when_it_changes_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    condition = Condition(logging.getLogger("any"), "well again")
    for trouble in (None, "a", "a", "b", None, None):
        condition.report(trouble)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "a"),
        ("WARNING", "b"),
        ("INFO", "well again"),
    ]
