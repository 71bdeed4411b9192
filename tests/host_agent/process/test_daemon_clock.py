# SPDX-License-Identifier: Apache-2.0
"""A wall clock that somebody sets by a day changes nothing, either way: libfaketime lies to the daemon about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from host_agent.store import migrate
from tests.beds import absent
from tests.host_agent.databases import own_database
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.fleet import Eventually, Fleet, ended_in, reports_to

DAY = 86400


@pytest.fixture
def faketime() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        absent("no libfaketime here: install the package libfaketime")
    return found[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def clocked_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give a database with a clock of its own, and the file whose clock is the one that is set."""
    yield from own_database(request.param, tmp_path)


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_a_clock_that_moves_by_a_day_changes_nothing(
    agent: HostAgent, captured: Path, faketime: Path, clocked_url: str, eventually: Eventually, step: int
) -> None:
    offset = agent.folder / "offset"
    offset.write_text("+0s\n")
    fleet = Fleet(clocked_url)
    migrate.create(fleet.engine)
    reports_to(agent, clocked_url)
    process = agent.start(
        "run",
        LD_PRELOAD=str(faketime),
        FAKETIME_TIMESTAMP_FILE=str(offset),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        OS_CAPABILITY_AGENT__FULL_INTERVAL="1",
        # No program: of the sleeps in which Python waits for one libfaketime fails some, with EINVAL.
        OS_CAPABILITY_AGENT__SOURCE="sysfs",
    )
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))

    (agent.folder / "draft").write_text(f"{step:+d}s\n")
    (agent.folder / "draft").rename(offset)
    eventually(lambda: "the clock moved by" in agent.said())
    moved = float(agent.said().split("the clock moved by ")[1].split()[0])
    assert abs(moved - step) < 60
    began, beaten = time.monotonic(), fleet.beats()
    eventually(lambda: fleet.beats() >= beaten + 3)
    assert time.monotonic() - began < 30, "it was silent for longer than three intervals"
    agent.machine.has_kernel("6.9.1")
    eventually(lambda: fleet.kernels() == ["6.9.1"])

    assert agent.said().count("the clock moved by") == 1
    assert agent("status").code == 0, "nothing looks old"
    eventually(lambda: "kernel-changed" in fleet.codes())
    assert sorted(fleet.codes()) == ["host-registered", "kernel-changed"], "nobody took it for down"
    (told,) = (event for event in fleet.events() if event["code"] == "kernel-changed")
    assert abs(told["created_at"] - told["at"]) < timedelta(minutes=2), "told at the time of the database"
    ended_in(process)
