# SPDX-License-Identifier: Apache-2.0
"""`host-agent api` as a user starts it, over a fleet of five hosts, from the environment that it is installed in."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.beds import absent

__all__ = ["PROGRAMS", "TOP", "Api", "Process", "free_port"]

TOP = Path(__file__).resolve().parents[2]
# These tests run in the clients' environment, which has none of ours.
PROGRAMS = Path(os.environ.get("OS_CAPABILITY_TEST_HOST_AGENT_BIN") or TOP / ".venv/bin").absolute()
_HOUR = 3600


def free_port() -> int:
    """Give a port that nobody has; what other tests take it from needs the databases' drivers, which are not here."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


class Process:
    """A server on a port of the loopback; it answers once it is made."""

    def __init__(self, argv: Sequence[str | Path], environment: dict[str, str], folder: Path, url: str) -> None:
        self.log = folder / "server.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                argv, env=environment, stdout=output, stderr=output, cwd=folder, start_new_session=True
            )
        try:
            self._wait(lambda: _answers(url))
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not condition():
            assert self._process.poll() is None, self.log.read_text(errors="replace")
            assert time.monotonic() < until, f"no answer within a minute; {self.log.read_text(errors='replace')}"
            time.sleep(0.05)


class Api:
    """One instance, with a database of its own.

    Attributes:
        root: its URL.
        nova, zun: the URLs that clients are pointed at.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        """Start it.

        Args:
            folder: for its database and its log.
            options: by the names that the environment has for them: ``API__AUTH="token"``.
        """
        if not (PROGRAMS / "host-agent").exists():
            absent(f"no host-agent in {PROGRAMS}: `make test-clients` installs it")
        place = f"127.0.0.1:{free_port()}"
        self.root = f"http://{place}"
        self.nova, self.zun = f"{self.root}/v2.1", f"{self.root}/v1"
        folder.mkdir(parents=True, exist_ok=True)
        database = f"sqlite:///{folder}/fleet.sqlite"
        settings = {"AGENT__DOWN_AFTER": str(_HOUR), **options}
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "STATE_DIRECTORY": str(folder),
            "OS_CAPABILITY_CONFIG_FILE": "/dev/null",
            "OS_CAPABILITY_DATABASE_URL": database,
            **{f"OS_CAPABILITY_{name}": value for name, value in settings.items()},
        }
        subprocess.run(
            [PROGRAMS / "python", "-m", "tests.clients.fleet", database], cwd=TOP, env=self.environment, check=True
        )
        argv: list[str | Path] = [PROGRAMS / "host-agent", "api", "--bind", place]
        self._process = Process(argv, self.environment, folder, f"{self.root}/v2.1/")

    @property
    def log(self) -> str:
        return self._process.log.read_text(errors="replace")

    def close(self) -> None:
        self._process.stop()


def _answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True
