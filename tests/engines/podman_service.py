# SPDX-License-Identifier: Apache-2.0
"""A Podman of a test's own, with its service: storage, locks and containers in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.beds import absent
from tests.engines.dockerd import remove_groups
from tests.engines.image import PROGRAM, write_image
from tests.host_agent.servers import wait_until

__all__ = ["PodmanService"]

_PROGRAMS = ("podman", "conmon", "runc", "busybox")
_START_SECONDS = 60
# Locks in files: those in shared memory are the same for every Podman of the machine.
_CONFIGURATION = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
[engine.runtimes]
runc = ["{runc}"]
"""
# Not every machine lets a container have as many as Podman wants.
_LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096")


class PodmanService:
    """Podman, and the service that answers at a socket.

    Attributes:
        socket: where it answers.
        data: where its containers lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ids: list[str] = []
        self.socket = folder / "podman.sock"
        self.data = folder / "storage"

    @staticmethod
    def require() -> None:
        """Leave the test out where Podman cannot be run."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            absent("a Podman of the system's kind needs root on Linux")
        missing = [program for program in _PROGRAMS if _found(program) is None]
        if missing:
            absent(f"not installed: {', '.join(missing)}; .ci/install-test-beds installs it")

    def install(self) -> None:
        """Make its configuration and the one image that its containers are made from."""
        (self._folder / "containers.conf").write_text(_CONFIGURATION.format(runc=_found("runc")))
        write_image(self._folder / "image.tar")
        self.podman("import", "--quiet", str(self._folder / "image.tar"), "localhost/idle")

    def start(self) -> None:
        """Start the service, anew after `stop`; it answers when this returns."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(), "system", "service", "--time", "0", f"unix://{self.socket}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )
        wait_until(self.socket.exists, "podman listens", seconds=_START_SECONDS)

    def stop(self) -> None:
        """Stop the service; the containers run on."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def run(self, name: str, *options: str) -> str:
        """Start a container that does nothing, and give its id."""
        return self._container("run", "--detach", "--name", name, *options)

    def create(self, name: str, *options: str) -> str:
        """Make a container without starting it, and give its id."""
        return self._container("create", "--name", name, *options)

    def _container(self, *arguments: str) -> str:
        identifier = self.podman(*arguments, *_LIMITS, "--network", "none", "localhost/idle", *PROGRAM).strip()
        self._ids.append(identifier)
        return identifier

    def podman(self, *arguments: str) -> str:
        """Give what the command prints."""
        command = [*self._command(), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=self._environment())
        if done.returncode:
            absent(f"podman does not work here: {done.stderr.strip()}")
        return done.stdout

    def remove(self) -> None:
        """End the containers and the service."""
        self.podman("rm", "--force", "--time", "0", "--all")
        self.stop()
        for mount in sorted(_mounts_below(self._folder), reverse=True):
            subprocess.run(["umount", mount], check=True)
        wait_until(lambda: not self._has_monitors(), "the containers' monitors have ended")
        remove_groups("libpod_parent", [*(f"libpod-{identifier}" for identifier in self._ids), "conmon"])

    def _has_monitors(self) -> bool:
        """Tell whether a process that watches a container of ours has not ended yet."""
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it has just ended
                program, _, arguments = process.read_bytes().partition(b"\0")
                if program.endswith(b"conmon") and str(self._folder).encode() in arguments:
                    return True
        return False

    def _command(self) -> list[str]:
        folders = [f"--root={self.data}", f"--runroot={self._folder}/run", f"--tmpdir={self._folder}/tmp"]
        return ["podman", *folders, "--storage-driver=vfs"]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"CONTAINERS_CONF": f"{self._folder}/containers.conf"}


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _mounts_below(folder: Path) -> list[str]:
    points = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    return [point for point in points if point.startswith(f"{folder}/")]
