# SPDX-License-Identifier: Apache-2.0
"""An agent that runs for years keeps no more than it did on its first day, and loads only what it needs."""

from __future__ import annotations

import gc
import logging
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host_agent.store import list_events
from host_agent.store.engine import Engine
from tests.host_agent.cycles import Cycles

TOP = Path(__file__).resolve().parents[2]
PLAIN = TOP / "tests" / "hosts" / "x86_64-plain" / "root"
# One every five minutes, so that some are folded and some are told.
CYCLES_BETWEEN_CHANGES = 5
WARM_UP, CYCLES, MOST_ROUNDS = 200, 400, 5
# sqlite3 keeps references to up to 200 closed cursors before it throws them away. One thing kept each cycle is more.
TOLERANCE = 300


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Log nothing: pytest keeps every line until the test ends."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class ChangingMachine:
    """A machine that gets and loses 1 GiB of memory again and again."""

    def __init__(self, root: Path) -> None:
        self.root = Path(shutil.copytree(PLAIN, root))
        self._meminfo = self.root / "proc/meminfo"
        self._texts = [self._meminfo.read_text(), re.sub(r"\d+", _a_gib_more, self._meminfo.read_text(), count=1)]

    def change(self) -> None:
        self._texts.reverse()
        self._meminfo.write_text(self._texts[0])


def _a_gib_more(number: re.Match[str]) -> str:
    return str(int(number[0]) + 1024**2)


def live(agent: Cycles, machine: ChangingMachine, cycles: int) -> None:
    for cycle in range(cycles):
        if cycle % CYCLES_BETWEEN_CHANGES == 0:
            machine.change()
        agent.turn()


def held() -> tuple[int, int]:
    """Give how many objects there are, and how many pieces of memory."""
    gc.collect()
    return len(gc.get_objects()), sys.getallocatedblocks()


def open_things() -> tuple[int, int]:
    return sum(1 for _ in Path("/proc/self/fd").iterdir()), threading.active_count()


def test_nothing_grows_with_the_number_of_cycles(tmp_path: Path) -> None:
    machine = ChangingMachine(tmp_path / "machine")
    agent = Cycles(tmp_path / "state", root=str(machine.root))
    live(agent, machine, WARM_UP)
    opened, files = open_things(), sorted(path.name for path in agent.settings.state_path.iterdir())

    # What is kept on purpose has filled up sooner or later, on Python 3.10 later; what leaks grows in every round.
    growths = []
    for _ in range(MOST_ROUNDS):
        before = held()
        live(agent, machine, CYCLES)
        growths.append(max(now - then for now, then in zip(held(), before, strict=True)))
        if growths[-1] <= TOLERANCE:
            break
    assert growths[-1] <= TOLERANCE, growths
    assert open_things() == opened
    assert sorted(path.name for path in agent.settings.state_path.iterdir()) == files


ONE_CYCLE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import host_agent.daemon
from tests.host_agent.cycles import Cycles
Cycles(Path(sys.argv[2])).turn()
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_a_daemon_on_a_fresh_file_loads_neither_migrations_nor_the_drivers_of_servers(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", ONE_CYCLE, str(TOP), str(tmp_path / "state")]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"apscheduler", "host_agent", "sqlalchemy", "sqlite3"} <= loaded
    assert loaded.isdisjoint({"alembic", "mako", "psycopg", "pymysql"})


def test_the_cycles_are_those_of_an_agent_with_news(tmp_path: Path, opened: Callable[..., Engine]) -> None:
    machine = ChangingMachine(tmp_path / "machine")
    agent = Cycles(tmp_path / "state", root=str(machine.root))
    live(agent, machine, 3 * CYCLES_BETWEEN_CHANGES)
    codes = {row["code"] for row in list_events(opened(agent.settings.database.url))}
    assert {"host-registered", "memory-lost"} <= codes
