# SPDX-License-Identifier: Apache-2.0
"""The one starter of processes, on real programs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from os_capability.command import run
from os_capability.errors import MissingProgram, SourceUnreadable
from tests.os_capability.conftest import SOURCE_TREE


def program(folder: Path, script: str) -> None:
    path = folder / "lscpu"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that comes first on the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def assert_it_ends(pid: int) -> None:
    for _ in range(300):
        if not is_running(pid):
            break
        time.sleep(0.1)
    assert not is_running(pid)


def test_it_gives_the_output_in_the_c_locale_with_no_settings_from_outside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    monkeypatch.setenv("LSCPU_COLUMNS", "CPU")
    program(folder, 'echo "$LC_ALL|$LSCPU_COLUMNS|$1|$(cat)"')
    assert run("lscpu", ["a b"], 5) == "C||a b|\n"


def test_a_program_that_is_not_there_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match="lscpu: not found on the PATH"):
        run("lscpu", [], 5)


def test_a_program_that_cannot_be_started_says_why(folder: Path) -> None:
    program(folder, "")
    (folder / "lscpu").write_text("#!/no/such/interpreter\n")
    with pytest.raises(SourceUnreadable, match="could not be started"):
        run("lscpu", [], 5)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'lscpu: unknown column: DRAWER' >&2; exit 1", "exit 1: lscpu: unknown column: DRAWER"),
        ("kill -SEGV $$", "signal 11"),
    ],
)
def test_a_program_that_fails_says_how(folder: Path, script: str, reason: str) -> None:
    program(folder, script)
    with pytest.raises(SourceUnreadable, match=reason):
        run("lscpu", [], 5)


def test_one_that_hangs_is_stopped_with_all_it_started(folder: Path) -> None:
    program(folder, f"sleep 300 & echo $! > {folder}/child; sleep 300")
    started = time.monotonic()
    with pytest.raises(SourceUnreadable, match=r"no answer within 0\.5 s"):
        run("lscpu", [], 0.5)
    assert time.monotonic() - started < 5
    assert_it_ends(int((folder / "child").read_text()))


WITH_A_THREAD_THAT_WAITS = """
import atexit, contextlib, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from os_capability.command import run
from os_capability.errors import SourceUnreadable

def wait():
    with contextlib.suppress(SourceUnreadable):
        run("lscpu", [], 300)

known = atexit._ncallbacks()
threading.Thread(target=wait, daemon=True).start()
# The program may be quicker than the thread that started it, and has to remember that.
while not Path(sys.argv[2]).exists() or atexit._ncallbacks() == known:
    time.sleep(0.01)
"""


def test_one_that_hangs_does_not_outlive_a_process_that_ends_in_order(folder: Path) -> None:
    program(folder, f"sleep 300 & echo $! > {folder}/new; mv {folder}/new {folder}/child; wait")
    argv = [sys.executable, "-c", WITH_A_THREAD_THAT_WAITS, str(SOURCE_TREE), str(folder / "child")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert_it_ends(int((folder / "child").read_text()))


def test_one_that_leaves_a_child_holding_its_output_does_not_hold_us(folder: Path) -> None:
    program(folder, f"sleep 300 & echo $! > {folder}/child; echo done")
    with pytest.raises(SourceUnreadable, match="no answer within"):
        run("lscpu", [], 0.5)
    assert_it_ends(int((folder / "child").read_text()))


def test_one_that_closes_its_output_and_stays_is_stopped(folder: Path) -> None:
    program(folder, "exec >&- 2>&-; sleep 300")
    with pytest.raises(SourceUnreadable, match="did not end within"):
        run("lscpu", [], 0.5)


def test_one_that_writes_without_end_is_stopped(folder: Path) -> None:
    program(folder, "exec cat /dev/zero")
    with pytest.raises(SourceUnreadable, match="wrote more than 32 MiB"):
        run("lscpu", [], 30)
