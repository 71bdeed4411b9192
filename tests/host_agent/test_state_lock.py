# SPDX-License-Identifier: Apache-2.0
"""The lock of a state directory: one holder at a time, and none that is dead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host_agent.errors import IdentityError
from host_agent.state_lock import state_lock

HOLD = """
import sys, time
from pathlib import Path
from host_agent.state_lock import state_lock
with state_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_holder_is_told_of_the_first(tmp_path: Path) -> None:
    with state_lock(tmp_path), pytest.raises(IdentityError) as refusal, state_lock(tmp_path):
        pass
    assert f"runs here already, as process {os.getpid()}: " in str(refusal.value)

    with state_lock(tmp_path):
        pass


def test_a_holder_that_is_killed_holds_no_more(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(IdentityError, match=str(holder.pid)), state_lock(tmp_path):
            pass
        holder.kill()

    with state_lock(tmp_path):
        pass


def test_a_program_that_the_holder_started_does_not_hold_it(tmp_path: Path) -> None:
    with state_lock(tmp_path):
        child = subprocess.Popen(["sleep", "600"])
    try:
        with state_lock(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_lock_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(IdentityError, match=f"^{tmp_path}/lock: "), state_lock(tmp_path):
        pass
