# SPDX-License-Identifier: Apache-2.0
"""What the agent costs the machine it watches: memory, processor time, growth, descriptors, time to its first row.

    python benchmarks/bench_footprint.py [--url URL]... [--seconds 20] [--cycles 1000] [--starts 5]

Without ``--url``: the embedded SQLite file, and the PostgreSQL of this machine where it answers; a database on a server
is made for the run and dropped after it. Two processes are measured. ``host-agent run`` itself, at intervals of a
second: from its start to its first row, and what it holds and uses then. And the same jobs taken in turn without
pauses, on a clock that moves on by a minute each time.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

# The cycles are those of the tests.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from bench_store import own_engine

from host_agent import store
from host_agent.errors import StoreError
from host_agent.settings import DATABASE_FILE, embedded_url

POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1/postgres"
MIB = 1024**2
WARM_UP = 500  # cycles until what is kept on purpose is kept: compiled statements, formats, free lists
OURS = ("__main__", "__mp_main__", "bench_", "host_agent", "os_capability", "tests")
ROW = "{:<56}{:>8}  {}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", help="a server to measure with (repeatable)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the daemon is watched")
    parser.add_argument("--cycles", type=int, default=1000, help="of its jobs, for the growth; 10,000 are a week")
    parser.add_argument("--starts", type=int, default=5, help="for the time to the first row")
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    parser.add_argument("--import-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.import_only:
        import_only(json.load(sys.stdin))
    elif arguments.drive is not None:
        drive(arguments.drive, arguments.url and arguments.url[0], arguments.cycles)
    else:
        for url in (None, *(arguments.url or (POSTGRESQL,))):
            try:
                measure(url, arguments)
            except StoreError as error:
                print(f"skipped: {error}")


def measure(url: str | None, arguments: argparse.Namespace) -> None:
    load = os.getloadavg()[0]
    print(f"the agent on {'SQLite' if url is None else url.partition(':')[0]}, {os.cpu_count()} CPUs, load {load:.1f}")
    with database(url) as own_url:
        show("start to first row, median", median_start(own_url, arguments.starts), "s", 1.0, 2)
        idle_bytes = show_daemon(own_url, arguments.seconds)
        show_cycles(own_url, arguments.cycles, idle_bytes)
    print()


@contextmanager
def database(url: str | None) -> Iterator[str | None]:
    """Give the url of an empty database with the newest schema; ``None`` stands for the embedded one."""
    if url is None:
        yield None
        return
    with own_engine(url) as engine:
        yield engine.url.render_as_string(hide_password=False)


def show(name: str, value: float, unit: str, limit: float | None = None, digits: int = 1) -> None:
    met = "" if limit is None else f"{'within' if value <= limit else 'OVER'} {limit:g} {unit}"
    print(ROW.format(name, f"{value:.{digits}f}", f"{unit:<4}{met}"))


def median_start(url: str | None, starts: int) -> float:
    times = []
    for _ in range(starts):
        with running_daemon(url) as (_, row_after):
            times.append(row_after)
    return statistics.median(times)


def show_daemon(url: str | None, seconds: float) -> int:
    with running_daemon(url) as (pid, _):
        time.sleep(2)  # past what happens once
        used, began, descriptors = cpu_seconds(pid), time.monotonic(), count_descriptors(pid)
        time.sleep(seconds)
        used, elapsed = cpu_seconds(pid) - used, time.monotonic() - began
        show("idle RSS", resident_bytes(pid) / MIB, "MiB", 70)
        show("CPU in a second, each with collection and report", used / elapsed * 1e3, "ms")
        show("descriptors more than then", count_descriptors(pid) - descriptors, "", 0, 0)
        return resident_bytes(pid)


@contextmanager
def running_daemon(url: str | None) -> Iterator[tuple[int, float]]:
    """Run ``host-agent run`` on a host of its own, and give its process id and the seconds until its row was there."""
    with tempfile.TemporaryDirectory() as name:
        folder, own_uuid = Path(name), str(uuid.uuid4())
        (folder / "given_uuid").write_text(own_uuid)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "OS_CAPABILITY_CONFIG_FILE": "/dev/null",
            "OS_CAPABILITY_DATABASE_URL": url or embedded_url(folder),
            "OS_CAPABILITY_DEFAULT__STATE_PATH": name,
            "OS_CAPABILITY_DEFAULT__HOST": folder.name,
            "OS_CAPABILITY_DEFAULT__HOST_UUID_FILE": str(folder / "given_uuid"),
            "OS_CAPABILITY_AGENT__REFRESH_INTERVAL": "1",
            "OS_CAPABILITY_AGENT__REPORT_INTERVAL": "1",
        }
        with (folder / "log").open("wb") as log:
            began = time.monotonic()
            daemon = subprocess.Popen([sys.executable, "-m", "host_agent", "run"], env=environ, cwd=name, stderr=log)
        try:
            age = age_of_row(environ["OS_CAPABILITY_DATABASE_URL"], own_uuid, folder)
            if age is None:
                sys.exit(f"no row after a minute: {(folder / 'log').read_text()}")
            yield daemon.pid, time.monotonic() - began - age
        finally:
            daemon.terminate()
            daemon.wait(10)


def age_of_row(url: str, host_uuid: str, folder: Path) -> float | None:
    """Wait for the row, for a minute at most, and give how many seconds ago the database got it."""
    engine = store.open_engine(url)
    until = time.monotonic() + 60
    try:
        while time.monotonic() < until:
            # Until it has its tables, an SQLite file is not there, or has none.
            with suppress(StoreError):
                is_there = not url.startswith("sqlite") or (folder / DATABASE_FILE).exists()
                if is_there and (row := store.get(engine, host_uuid)) is not None:
                    now, created_at = (cast(datetime, row[name]) for name in ("now", "created_at"))
                    return (now - created_at).total_seconds()
            time.sleep(0.05)  # seldom: it is the daemon that is measured
    finally:
        engine.dispose()
    return None


def show_cycles(url: str | None, cycles: int, idle_bytes: int) -> None:
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        told = ask("--drive", folder, "--cycles", str(cycles), *(() if url is None else ("--url", url)))
    floor = ask("--import-only", given=json.dumps(told["packages"]))["resident_bytes"]
    show("a process that only imports the same packages", floor / MIB, "MiB")
    show("the agent above that", (idle_bytes - floor) / MIB, "MiB", 20)
    show("CPU of a cycle: collection, report, state file", told["cpu_seconds"] * 1e3, "ms", 5)
    show(f"growth over {cycles:,} cycles", told["growth_bytes"] / MIB, "MiB", 2, 2)
    show("pieces of Python's memory more than before them", told["pieces"], "", 1000, 0)
    show("descriptors more than before them", told["descriptors"], "", 0, 0)


def ask(*arguments: str, given: str | None = None) -> dict[str, Any]:
    """Run this file in a process of its own, and give what it answers."""
    argv = [sys.executable, __file__, *arguments]
    done = subprocess.run(argv, input=given, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def drive(state_path: str, url: str | None, cycles: int) -> None:
    """Take the agent's jobs in turn, and print what they cost."""
    importlib.import_module("host_agent.daemon")  # which has more packages than the jobs alone
    from tests.host_agent.cycles import Cycles

    agent = Cycles(Path(state_path), url, textfile=False)
    for _ in range(WARM_UP):
        agent.turn()
    resident, pieces, descriptors = resident_bytes(), count_pieces(), count_descriptors()
    used = cpu_seconds_of_us()
    for _ in range(cycles):
        agent.turn()
    used = cpu_seconds_of_us() - used
    answer = {
        "cpu_seconds": used / cycles,
        "growth_bytes": resident_bytes() - resident,
        "pieces": count_pieces() - pieces,
        "descriptors": count_descriptors() - descriptors,
        "packages": sorted(name for name in sys.modules if not name.startswith(OURS)),
    }
    print(json.dumps(answer))


def import_only(packages: list[str]) -> None:
    for name in packages:
        with suppress(Exception):  # some can be imported from within their package alone
            importlib.import_module(name)
    print(json.dumps({"resident_bytes": resident_bytes()}))


def resident_bytes(pid: int | str = "self") -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def count_pieces() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def count_descriptors(pid: int | str = "self") -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def cpu_seconds(pid: int) -> float:
    """Give what a process used until now, with the programs that it has run."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def cpu_seconds_of_us() -> float:
    return sum(os.times()[:4])


def memory_folder() -> str | None:
    """Give a file system in memory where there is one: what a disk takes is no use of the processor."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    main()
