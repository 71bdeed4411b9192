# SPDX-License-Identifier: Apache-2.0
"""`host-agent` as users and systemd start it, with a state directory and an environment of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
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


class Machine:
    """A captured machine that the test may change under a running agent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(HOSTS / "x86_64-two-sockets" / "root", root)

    def is_called(self, name: str) -> Machine:
        return self._write("proc/sys/kernel/hostname", name)

    def has_kernel(self, version: str) -> Machine:
        return self._write("proc/sys/kernel/osrelease", version)

    def is_installed_as(self, machine_id: str) -> Machine:
        return self._write("etc/machine-id", machine_id)

    def has_board(self, product_uuid: str) -> Machine:
        return self._write("sys/class/dmi/id/product_uuid", product_uuid)

    def boots(self) -> Machine:
        return self._write("proc/sys/kernel/random/boot_id", str(uuid.uuid4()))

    def _write(self, path: str, text: str) -> Machine:
        # Whole at every moment, as the kernel's own files are.
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}")
        draft.write_text(f"{text}\n")
        draft.replace(file)
        return self


class HostAgent:
    """The command and its surroundings; every process it started is ended with the test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.database = self.state / "os-capability.sqlite"
        self.machine: Machine
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OS_CAPABILITY_CONFIG_FILE": "/dev/null",
            "STATE_DIRECTORY": str(self.state),
            # This machine's own, if it has one, is none of the tests'.
            "OS_CAPABILITY_DEFAULT__HOST_UUID_FILE": str(folder / "provisioned_uuid"),
            "OS_CAPABILITY_AGENT__REFRESH_INTERVAL": "1",
            "OS_CAPABILITY_AGENT__REPORT_INTERVAL": "1",
            "OS_CAPABILITY_AGENT__RETRY_INTERVAL": "2",
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

    def on_machine(self, name: str | None = None) -> Machine:
        """Make the agent take a captured machine for its own; one with a `name` is no other's, and has just booted."""
        self.machine = Machine(self.folder / "root")
        self.environment["OS_CAPABILITY_AGENT__ROOT"] = str(self.machine.root)
        if name is not None:
            self.machine.is_called(name).is_installed_as(uuid.uuid4().hex).has_board(str(uuid.uuid4())).boots()
        return self.machine

    def said(self) -> str:
        path = self.folder / "stderr"
        return path.read_text() if path.exists() else ""

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
def make_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], HostAgent]]:
    """Give a function that makes an agent on a captured machine of its own, which has this name."""
    agents: list[HostAgent] = []

    def make(name: str) -> HostAgent:
        folder = tmp_path / name
        folder.mkdir()
        agents.append(HostAgent(folder, monkeypatch, capsys))
        agents[-1].on_machine(name)
        return agents[-1]

    yield make
    for agent in agents:
        agent.end()


@pytest.fixture
def captured(agent: HostAgent) -> Path:
    """Give the root of a captured machine that the agent takes for its own, and that the test may change."""
    return agent.on_machine().root


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
    """Wait until something holds, for as long as a busy machine may need."""

    def wait(holds: Callable[[], object]) -> None:
        until, pause = time.monotonic() + 60, 0.02
        while not holds():
            assert time.monotonic() < until, "did not come to hold within 60 s"
            time.sleep(pause)
            # Each question takes a CPU from who is waited for.
            pause = min(1.3 * pause, 0.25)

    return wait
