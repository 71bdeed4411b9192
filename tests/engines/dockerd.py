# SPDX-License-Identifier: Apache-2.0
"""A Docker of a test's own: in name spaces of its own, so that nothing of it is left when it is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.beds import absent
from tests.engines.image import PROGRAM, write_image
from tests.host_agent.servers import wait_until

__all__ = ["Dockerd", "remove_groups"]

_PROGRAMS = ("docker", "dockerd", "containerd", "runc", "unshare", "busybox")
_START_SECONDS = 60
# It writes a key there, whatever it is told.
_CONFIGURATION = Path("/etc/docker")


class Dockerd:
    """The daemon and its containers, in a folder.

    Attributes:
        socket: where it answers.
        data: where its containers lie.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._made_configuration = False
        self._ids: list[str] = []
        self.socket = folder / "docker.sock"
        self.data = folder / "data"

    @staticmethod
    def require() -> None:
        """Leave the test out where the daemon cannot be run."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            absent("a dockerd needs root on Linux")
        missing = [program for program in _PROGRAMS if _found(program) is None]
        if missing:
            absent(f"not installed: {', '.join(missing)}; .ci/install-test-beds installs it")

    def start(self) -> None:
        """Start it, anew after `stop` or `kill`; it answers when this returns."""
        for name in ("etc", "client"):
            (self._folder / name).mkdir(exist_ok=True)
        (self._folder / "daemon.json").write_text("{}")
        # As after a boot: numbers of processes that a killed one wrote down mean others in this one's name space.
        (self._folder / "docker.pid").unlink(missing_ok=True)
        shutil.rmtree(self._folder / "exec", ignore_errors=True)
        with suppress(FileExistsError):
            _CONFIGURATION.mkdir()
            self._made_configuration = True
        # Without the machine's /run: it would take a containerd that runs there for its own.
        mounts = f"mount -t tmpfs tmpfs /run && mount --bind {self._folder}/etc {_CONFIGURATION}"
        alone = ("--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", *alone, "sh", "-c", f'{mounts} && exec "$@"', "sh", *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, "docker answers", seconds=_START_SECONDS)

    def _command(self) -> list[str]:
        return [
            str(_found("dockerd")),
            *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none"),
            "--storage-driver=vfs",
            f"--config-file={self._folder}/daemon.json",
            f"--data-root={self.data}",
            f"--exec-root={self._folder}/exec",
            f"--pidfile={self._folder}/docker.pid",
            f"--host=unix://{self.socket}",
            *self._options,
        ]

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            self._process = None
            tail = (self._folder / "log").read_text(errors="replace").splitlines()[-5:]
            absent("\n".join(["dockerd does not start here:", *tail]))
        return self._docker("version", check=False).returncode == 0

    def import_image(self) -> None:
        """Give it the one image that its containers are made from."""
        archive = self._folder / "image.tar"
        write_image(archive)
        self.docker("import", str(archive), "idle")

    def run(self, name: str, *options: str) -> str:
        """Start a container that does nothing, and give its id."""
        # Not every machine lets a container have as many files as Docker wants; and nothing in it answers SIGTERM.
        limits = ("--ulimit", "nofile=1024:4096", "--stop-signal=SIGKILL")
        return self._container("run", "--detach", *limits, "--name", name, *options)

    def create(self, name: str, *options: str) -> str:
        """Make a container without starting it, and give its id."""
        return self._container("create", "--name", name, *options)

    def _container(self, *arguments: str) -> str:
        identifier = self.docker(*arguments, "--network", "none", "idle", *PROGRAM).strip()
        self._ids.append(identifier)
        return identifier

    def docker(self, *arguments: str) -> str:
        """Give what the command prints."""
        return self._docker(*arguments).stdout

    def _docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [
            str(_found("docker")),
            "--config",
            f"{self._folder}/client",
            "--host",
            f"unix://{self.socket}",
            *arguments,
        ]
        # Warnings, as of forwarding that is off, go to where errors go.
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=60)

    def freeze(self) -> None:
        """Stop it from running without closing anything."""
        os.kill(self._daemon(), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._daemon(), signal.SIGCONT)

    def stop(self) -> None:
        """Stop it in order; its containers end with it, and stay."""
        if self._process is not None:
            os.kill(self._daemon(), signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        """Kill it, and all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._daemon(), signal.SIGKILL)
            # In control groups v1 what is paused does not die, and a name space not before all that is in it.
            for state in Path("/sys/fs/cgroup/freezer/docker").glob("*/freezer.state"):
                if state.parent.name in self._ids:
                    state.write_text("THAWED")
            self._process.wait(60)
            self._process = None

    def remove(self) -> None:
        """Kill it and take away what it left outside of its folder."""
        try:
            self.kill()
        finally:
            if self._made_configuration:
                _CONFIGURATION.rmdir()
            remove_groups("docker", self._ids)

    def _daemon(self) -> int:
        assert self._process is not None, "it does not run"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children:
            raise ProcessLookupError
        return int(children[0])


def _found(program: str) -> str | None:
    # Before those that others have put in front: what is installed with the daemon is as old as it.
    return shutil.which(program, path=f"/usr/bin:/usr/sbin:{os.environ['PATH']}")


def remove_groups(parent: str, children: list[str]) -> None:
    """Remove the control groups of containers that are gone, and that above them if it is empty then."""
    top = Path("/sys/fs/cgroup")
    for name in (*children, ""):
        for group in (*top.glob(f"*/{parent}/{name}"), *top.glob(f"{parent}/{name}")):
            for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                with suppress(OSError):
                    folder.rmdir()
            with suppress(OSError):
                group.rmdir()
