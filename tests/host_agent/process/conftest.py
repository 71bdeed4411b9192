# SPDX-License-Identifier: Apache-2.0
"""`host-agent` as users and systemd start it, with a state directory and an environment of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from host_agent.cli import main

HOSTS = Path(__file__).resolve().parents[2] / "hosts"


class Answer(NamedTuple):
    code: object
    out: str
    err: str


class HostAgent:
    """The command and its surroundings; every process it started is ended with the test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.database = self.state / "os-capability.sqlite"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OS_CAPABILITY_CONFIG_FILE": "/dev/null",
            "STATE_DIRECTORY": str(self.state),
            "OS_CAPABILITY_AGENT__REFRESH_INTERVAL": "1",
            "OS_CAPABILITY_AGENT__REPORT_INTERVAL": "1",
        }
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __call__(self, *arguments: str, **environment: str) -> Answer:
        """Run the command to its end inside this process, which spares half a second of imports each time."""
        with self._monkeypatch.context() as patch:
            for variable in os.environ:
                patch.delenv(variable)
            for variable, value in (self.environment | environment).items():
                patch.setenv(variable, value)
            self._capsys.readouterr()
            code: object
            try:
                code = main(arguments)
            except SystemExit as end:
                code = end.code
            printed = self._capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start without waiting; what it says is in `said`."""
        with (self.folder / "stderr").open("ab") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "host_agent", *arguments],
                env=self.environment | environment,
                cwd=self.folder,
                stdout=stderr,
                stderr=stderr,
            )
        self._daemons.append(process)
        return process

    def said(self) -> str:
        return (self.folder / "stderr").read_text()

    def end(self) -> None:
        for process in self._daemons:
            process.kill()
            process.wait()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[HostAgent]:
    agent = HostAgent(tmp_path, monkeypatch, capsys)
    yield agent
    agent.end()


@pytest.fixture
def captured(agent: HostAgent) -> Path:
    """Give the root of a captured machine that the agent takes for its own, and that the test may change."""
    root = agent.folder / "root"
    shutil.copytree(HOSTS / "x86_64-two-sockets" / "root", root)
    agent.environment["OS_CAPABILITY_AGENT__ROOT"] = str(root)
    return root


@pytest.fixture
def hung_lscpu(agent: HostAgent) -> Iterator[Path]:
    """Put an lscpu on the PATH that never answers, and make the agent ask no one else."""
    programs = agent.folder / "bin"
    programs.mkdir()
    pids = agent.folder / "lscpu-pids"
    lscpu = programs / "lscpu"
    lscpu.write_text(f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 600\n")
    lscpu.chmod(0o755)
    agent.environment |= {"PATH": f"{programs}:{agent.environment['PATH']}", "OS_CAPABILITY_AGENT__SOURCE": "lscpu"}
    yield pids
    agent.end()
    for pid in pids.read_text().split() if pids.exists() else ():
        if Path(f"/proc/{pid}/comm").exists():
            os.kill(int(pid), 9)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds, at most 10 s."""

    def wait(holds: Callable[[], object]) -> None:
        until = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < until, "did not come to hold within 10 s"
            time.sleep(0.05)

    return wait
