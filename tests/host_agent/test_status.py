# SPDX-License-Identifier: Apache-2.0
"""The state file and what follows from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from host_agent.health import COLLECT, PLACEMENT, REPORT, SURVEY, Health, Snapshot
from host_agent.process import is_running, started_ticks
from host_agent.render.status import status_json, status_text
from host_agent.settings import load
from host_agent.status import StateFile, Status, Trouble, read_status, troubles

SETTINGS = load([], environ={}).settings.agent
UUID = "6b2c8a3e-0d56-4a3c-9b2e-2f1f5d0c9a11"


def healthy() -> Snapshot:
    """Give an agent that did everything a moment ago."""
    health = Health()
    for job in (COLLECT, REPORT):
        health.begin(job)
        health.end(job)
    now = time.monotonic()
    health.set(host_uuid=UUID, host="node-1", registered=True, facts_at=now, stored_at=now, next_report_at=now + 7)
    return health.snapshot()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.json"


@pytest.fixture
def written(path: Path) -> Callable[[Snapshot], Status]:
    """Write a state with the real file, and read it back."""

    def write(snapshot: Snapshot) -> Status:
        StateFile(path, SETTINGS).write(snapshot, "sqlite:////var/lib/x.sqlite")
        status = read_status(path)
        assert isinstance(status, Status)
        return status

    return write


def later(status: Status, seconds: float) -> Status:
    return replace(status, now=status.now + seconds)


def codes(status: Status) -> list[str]:
    return [trouble.code for trouble in troubles(status)]


Written = Callable[[Snapshot], Status]


def test_an_agent_that_did_everything_a_moment_ago_is_healthy(written: Written) -> None:
    status = written(healthy())
    assert codes(status) == []

    lines = status_text(status, []).splitlines()
    assert lines[0] == "healthy"
    assert f"host        node-1, uuid {UUID}" in lines
    assert "database    sqlite:////var/lib/x.sqlite" in lines
    assert any(line.startswith("report      last 0 s ago, took ") and "; next in 6 s" in line for line in lines)
    assert "facts       0 s old, stored 0 s ago" in lines
    assert "events      0 wait" in lines


def test_the_same_for_programs(written: Written) -> None:
    status = later(written(healthy()), 2)
    document = json.loads(status_json(status, []))
    assert document["healthy"] is True
    assert document["running"] is True
    assert document["troubles"] == []
    assert document["host_uuid"] == UUID
    assert 2 <= document["facts"]["seconds_ago"] < 12
    assert document["next_report"]["seconds_ago"] < 0
    assert document["report"]["succeeded"]["at"].endswith("Z")


def stuck(job: str) -> Callable[[Health], None]:
    def make(health: Health) -> None:
        health.begin(job)
        health.stuck(job)

    return make


def fails(job: str, trouble: str) -> Callable[[Health], None]:
    def make(health: Health) -> None:
        health.begin(job)
        health.end(job, trouble)

    return make


TROUBLES: list[tuple[str, Callable[[Health], None], str]] = [
    ("collection-stuck", stuck(COLLECT), "hangs"),
    ("collection-failing", fails(COLLECT, "cannot read this machine: x"), "cannot read this machine: x"),
    ("survey-stuck", stuck(SURVEY), "restart the agent"),
    ("survey-failing", fails(SURVEY, "a fault in this program: see the log"), "see the log"),
    ("report-stuck", stuck(REPORT), "the database does not answer"),
    ("report-failing", fails(REPORT, "pg: refused"), "pg: refused"),
    ("placement-stuck", stuck(PLACEMENT), "it or Keystone does not answer"),
    ("placement-failing", fails(PLACEMENT, "http://p: refused"), "http://p: refused"),
    ("duplicate", lambda health: health.set(is_duplicate=True), "host-agent identity reset"),
    ("retired", lambda health: health.set(is_retired=True), f"hosts retire --undo {UUID}"),
]


@pytest.mark.parametrize(("code", "make", "advice"), TROUBLES, ids=[code for code, _, _ in TROUBLES])
def test_each_trouble_is_one_line_that_says_what_to_do(
    written: Written, code: str, make: Callable[[Health], None], advice: str
) -> None:
    health = Health()
    now = time.monotonic()
    health.set(host_uuid=UUID, host="node-1", facts_at=now, next_report_at=now + 10)
    make(health)
    (trouble,) = troubles(written(health.snapshot()))

    assert trouble.code == code
    assert advice in trouble.message
    assert "\n" not in trouble.message


def test_who_is_retired_is_not_told_of_it_twice(written: Written) -> None:
    health = Health()
    health.set(host_uuid=UUID, is_retired=True)
    fails(REPORT, "host is retired")(health)
    assert codes(written(health.snapshot())) == ["retired"]


def test_facts_and_reports_that_stay_away_are_noticed(written: Written) -> None:
    status = written(healthy())
    assert codes(later(status, 55)) == []
    assert codes(later(status, 61)) == ["silent"]
    assert codes(later(status, 1 + 3 * SETTINGS.refresh_interval)) == ["silent", "facts-old"]


def test_an_agent_that_just_started_is_not_blamed_for_what_it_had_no_time_for(written: Written) -> None:
    fresh = written(Health().snapshot())
    assert codes(fresh) == []
    assert "host        not known yet" in status_text(fresh, [])
    assert codes(later(fresh, 1000)) == ["silent", "facts-old"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def aged(path: Path, **process: Any) -> Status | Trouble:
    document = json.loads(path.read_text())
    document["process"] |= process
    path.write_text(json.dumps(document))
    return read_status(path)


def test_a_process_that_ended_left_no_healthy_agent(
    path: Path, written: Written, sleeper: subprocess.Popen[bytes]
) -> None:
    written(healthy())
    status = aged(path, pid=sleeper.pid, started_ticks=started_ticks(sleeper.pid))
    assert isinstance(status, Status)
    assert codes(status) == []

    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it stays as a zombie
    (trouble,) = troubles(aged(path))  # type: ignore[arg-type]
    assert trouble.code == "not-running"
    assert str(sleeper.pid) in trouble.message

    sleeper.wait()
    assert codes(aged(path)) == ["not-running"]  # type: ignore[arg-type]


def test_another_process_of_the_same_number_is_not_the_agent(path: Path, written: Written) -> None:
    written(healthy())
    ticks = started_ticks(os.getpid())
    assert ticks is not None
    assert codes(aged(path, started_ticks=ticks - 1)) == ["not-running"]  # type: ignore[arg-type]


def test_a_process_of_another_user_that_proc_hides_is_still_running() -> None:
    assert is_running(1, None)
    assert not is_running(2**22 + 1, None)


def test_where_no_agent_ran_that_is_said(path: Path) -> None:
    trouble = read_status(path)
    assert isinstance(trouble, Trouble)
    assert trouble.code == "never-ran"
    assert str(path) in trouble.message


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "os-capability-status/9"}', "\x00\x00"])
def test_a_file_that_says_nothing_is_no_healthy_agent(path: Path, text: str) -> None:
    path.write_text(text)
    trouble = read_status(path)
    assert isinstance(trouble, Trouble)
    assert trouble.code == "unreadable"
    assert "restart the agent" in trouble.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_the_file_to_the_owner_of_the_directory(path: Path, written: Written) -> None:
    os.chown(path.parent, 4711, 4712)
    written(healthy())
    stat = path.stat()
    assert (stat.st_uid, stat.st_gid, stat.st_mode & 0o777) == (4711, 4712, 0o640)


def test_a_disk_that_takes_no_more_does_not_stop_the_agent(
    path: Path, written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    written(healthy())
    before = path.read_text()
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from tests.host_agent.test_status import SETTINGS, StateFile, healthy\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "file = StateFile(Path(sys.argv[1]), SETTINGS)\n"
        "file.write(healthy(), 'x'); file.write(healthy(), 'x')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the state cannot be written: File too large") == 1
    assert path.read_text() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
