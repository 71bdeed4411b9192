# SPDX-License-Identifier: Apache-2.0
"""What a database tells of the agents that report to it, and how their processes end."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from host_agent import store
from host_agent.errors import StoreError
from host_agent.store import migrate, open_engine
from tests.host_agent.process.conftest import HostAgent

__all__ = ["Eventually", "Fleet", "ended_in", "reports_to", "restarted"]

Eventually: TypeAlias = Callable[[Callable[[], object]], None]


class Fleet:
    """The rows of one database; while it cannot be asked, or has no tables, there are none."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        # The connection that is kept open to a file must not be left to the garbage collector.
        weakref.finalize(self, self.engine.dispose)

    def hosts(self, column: str = "uuid") -> list[object]:
        return [row[column] for row in self._ask(lambda: store.list_hosts(self.engine))]

    def kernels(self) -> list[object]:
        return self.hosts("kernel_version")

    def beats(self) -> int:
        return sum(row["report_count"] for row in self._ask(lambda: store.list_services(self.engine)))

    def services(self) -> list[dict[str, Any]]:
        return self._ask(lambda: store.list_services(self.engine))

    def events(self) -> list[dict[str, Any]]:
        """Give the events, oldest first."""
        found = self._ask(lambda: store.list_events(self.engine))[::-1]
        return [{**event, "detail": json.loads(event["detail"])} for event in found]

    def codes(self) -> list[str]:
        return [event["code"] for event in self.events()]

    def told(self, code: str) -> list[str]:
        return [event["message"] for event in self.events() if event["code"] == code]

    def _ask(self, question: Callable[[], list[store.Row]]) -> list[dict[str, Any]]:
        try:
            return question() if self._has_tables() else []
        except StoreError:
            return []

    def _has_tables(self) -> bool:
        if self.engine.dialect.name != "sqlite":
            return True
        # A question would make the file.
        return Path(str(self.engine.url.database)).exists() and migrate.current(self.engine) is not None


def reports_to(agent: HostAgent, url: str, **options: object) -> None:
    """Make an agent report to a database, with other options of its section than the tests' usual ones."""
    agent.environment["OS_CAPABILITY_DATABASE_URL"] = url
    agent.environment |= {f"OS_CAPABILITY_AGENT__{name}".upper(): str(value) for name, value in options.items()}


def ended_in(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> float:
    """Send a signal and give the seconds until the end, which must be an orderly one.

    Without those in which it had no CPU because the tests beside it had them all.
    """
    begun, waited = time.monotonic(), _seconds_without_cpu(process.pid)
    process.send_signal(number)
    longest = waited
    while process.poll() is None:
        assert time.monotonic() - begun < 20
        longest = max(longest, _seconds_without_cpu(process.pid))
        time.sleep(0.01)
    ended = time.monotonic()
    assert process.returncode == 0
    return ended - begun - (longest - waited)


def _seconds_without_cpu(pid: int) -> float:
    """Give for how long the threads of a process stood in the queue for a CPU: scheduler/sched-stats.rst."""
    seconds = 0.0
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError, IndexError):  # it ended meanwhile
            seconds += int((thread / "schedstat").read_text().split()[1]) / 1e9
    return seconds


def restarted(agent: HostAgent, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> Any:
    """End a daemon by a signal and start it again."""
    process.send_signal(number)
    process.wait(timeout=20)
    return agent.start("run")
