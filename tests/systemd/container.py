# SPDX-License-Identifier: Apache-2.0
"""A real systemd as PID 1 of a container, in which tests run commands."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

__all__ = ["Container", "until"]

_Answer = TypeVar("_Answer")

_ENVIRONMENT = {
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
_POWER_OFF = signal.SIGRTMIN + 4  # systemd(1), signals
# Joins the groups it is given, then becomes systemd-nspawn: that makes groups for its payload beside its own.
_IN_GROUPS = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'


def until(question: Callable[[], _Answer], about: str, seconds: float = 60) -> _Answer:
    """Ask again and again until the answer is true, and give it."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds:g} s: {about}"
        time.sleep(0.1)


class Container:
    """Boots a root whose changes are thrown away; the network is the machine's own.

    There is no systemd around it that it could be registered with, hence ``--register=no --keep-unit`` and a control
    group that we make ourselves.
    """

    def __init__(self, root: Path, folder: Path, shared: Mapping[str, Path]) -> None:
        """Prepare it.

        Args:
            root: a folder with a Debian that has systemd.
            folder: of this container's own, for its console.
            shared: folders of this machine, by where they are seen inside, read only.
        """
        self._root = root
        self._console = folder / "console"
        self._shared = shared
        self._groups = _make_groups(f"os-capability-test-{os.getpid()}-{folder.name}")
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Container:
        nspawn = [
            *("setpriv", "--pdeathsig", "KILL", "systemd-nspawn", "--quiet", "--boot", f"--directory={self._root}"),
            *("--volatile=overlay", "--register=no", "--keep-unit", "--console=read-only", "--link-journal=no"),
            *("--resolv-conf=off", "--timezone=off", "--machine=os-capability-test"),
            *(f"--bind-ro={outside}:{inside}" for inside, outside in self._shared.items()),
            *("systemd.show_status=no", "systemd.mask=console-getty.service"),
        ]
        with self._console.open("wb") as console:
            self._nspawn = subprocess.Popen(
                ["/bin/sh", "-c", _IN_GROUPS, "sh", *map(str, self._groups), "--", *nspawn],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        try:
            until(self._is_up, f"systemd in {self._root} is up; its console is {self._console}")
            # nspawn mounts a boot id of its own, twice; a service's sandbox has a fresh /proc, and would see another.
            while self.run("umount", "/proc/sys/kernel/random/boot_id", check=False).returncode == 0:
                pass
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._nspawn is not None
        if self._leader and self._nspawn.poll() is None:
            os.kill(self._leader, _POWER_OFF)
        try:
            self._nspawn.wait(15)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()  # takes PID 1 of the container with it
            self._nspawn.wait()
        _remove_groups(self._groups)

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root.

        Raises:
            AssertionError: it failed; tells what it said.
        """
        done = subprocess.run(
            [*self._inside(), *command],
            env=_ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0 or not check, said
        return done

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file inside; its folder is made."""
        self.run("mkdir", "--parents", str(Path(path).parent))
        writing = ["sh", "-c", 'cat > "$1" && chmod "$2" "$1"', "sh", path, f"{mode:o}"]
        subprocess.run([*self._inside(), *writing], input=text, env=_ENVIRONMENT, text=True, timeout=60, check=True)

    def _inside(self) -> list[str]:
        return ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--pid", "--"]

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self._console.read_text(errors="replace")
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        for child in children:
            if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                self._leader = int(child)
                return self.run("systemctl", "is-system-running", check=False).stdout.strip() == "running"
        return False


def _make_groups(name: str) -> list[Path]:
    """Make a control group in each hierarchy that a systemd inside will use."""
    top = Path("/sys/fs/cgroup")
    hierarchies = [folder for folder in (top / "systemd", top / "unified") if (folder / "cgroup.procs").exists()]
    groups = [hierarchy / name for hierarchy in hierarchies or [top]]
    for group in groups:
        group.mkdir()
    return groups


def _remove_groups(groups: list[Path]) -> None:
    """Remove them with what systemd made below; the kernel may still be counting the last process out."""
    for group in groups:
        below = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
        for folder in (*below, group):
            until(functools.partial(_is_removed, folder), f"{folder} is empty", 10)


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
