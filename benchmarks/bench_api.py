# SPDX-License-Identifier: Apache-2.0
"""The HTTP API over a large fleet, beside a floor: the bare driver with the same queries, and the answer made JSON.

    python benchmarks/bench_api.py [--url URL]... [--hosts 100000] [--seconds 2] [--no-http]

Without ``--url``: an SQLite file, and the PostgreSQL and MariaDB of this machine where they answer. Everything happens
in a database made for the run and dropped after it. Milliseconds are the median of a request through the whole
application in this process; requests per second are those of ``host-agent api`` over eight connections.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
from sqlalchemy import event

# The hosts are those of the tests.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from bench_store import SERVERS, Sent, own_engine, replayer
from big_fleet import ORIGINALS, add_copies, write_originals
from falcon import testing

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.wsgi import build
from host_agent.errors import StoreError
from host_agent.settings import load
from host_agent.store.engine import Engine

ROW = "{:<11} {:>7} {:<42} {:>9} {:>9} {:>7}"
SERVED = "{:<11} {:>7} {:<42} {:>9} {:>9}"
CONNECTIONS = 8
NEWEST = {"OpenStack-API-Version": "compute 2.88"}
DETAIL = "/v2.1/os-hypervisors/detail?limit=1000"
DEFAULTS = {"OS_CAPABILITY_CONFIG_FILE": "/dev/null", "STATE_DIRECTORY": "/nonexistent"}
# What each answer has to be within, in milliseconds.
GOALS = {"detail": 40, "statistics": 60, "usage": 60, "fit": 300}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", help="a server to measure (repeatable)")
    parser.add_argument("--hosts", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--no-http", action="store_true", help="measure the application alone, not the server")
    arguments = parser.parse_args()
    print("milliseconds a request, one at a time")
    print(ROW.format("backend", "hosts", "request", "ms", "floor", "ratio"))
    with tempfile.TemporaryDirectory() as folder:
        for url in arguments.url or (f"sqlite:///{folder}/bench.sqlite", *SERVERS):
            try:
                with own_engine(url) as engine:
                    measure(engine, arguments.hosts, arguments.seconds)
                    if not arguments.no_http:
                        serve(engine, arguments.hosts, arguments.seconds)
            except StoreError as error:
                print(f"skipped: {error}")


def measure(engine: Engine, hosts: int, seconds: float) -> None:
    settings = load(environ=DEFAULTS).settings
    client = testing.TestClient(build(settings, engine, NoAuthentication()))
    write_originals(engine)
    for name, headers in (("detail, 2.1", {}), ("detail, 2.53", version("2.53")), ("detail, 2.88", NEWEST)):
        path = DETAIL if headers else DETAIL.partition("?")[0]
        show(engine, ORIGINALS, f"{name}", client, path, headers, seconds)
    show(engine, ORIGINALS, "statistics", client, "/v2.1/os-hypervisors/statistics", {}, seconds)
    started = time.perf_counter()
    add_copies(engine, hosts)
    print(f"# {hosts} hosts written in {time.perf_counter() - started:.0f} s")
    for name, path in requests(client, hosts):
        show(engine, hosts, name, client, path, {} if "statistics" in path else NEWEST, seconds)


def version(number: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {number}"}


def requests(client: testing.TestClient, hosts: int) -> Iterator[tuple[str, str]]:
    """Give the requests over the whole fleet by their names."""
    yield "statistics", "/v2.1/os-hypervisors/statistics"
    yield "usage", "/v1/usage"
    yield "usage, available", "/v1/usage?available=true"
    yield "usage, a zone", "/v1/usage?availability_zone=zone-3"
    yield "usage, every zone", "/v1/usage?group_by=availability_zone"
    yield "fit, CPUs and memory", "/v1/fit?vcpus=4&memory=2G"
    yield "fit, pinned on two nodes", "/v1/fit?pcpus=4&memory=1G&numa_nodes=2"
    yield "fit, huge pages on a node", "/v1/fit?vcpus=2&memory=4M&hugepage_size=2M&numa_nodes=1"
    yield "fit, a trait and a zone", "/v1/fit?vcpus=2&memory=1G&trait=HW_CPU_X86_SSE2&availability_zone=zone-3"
    yield "fit, nowhere", "/v1/fit?memory=10T"
    for where, number in (("first", 0), ("middle", hosts // 2), ("last", hosts - 1000)):
        marker = f"&marker={uuid_of(number)}" if number else ""
        yield f"detail, {where} page of 1000", f"{DETAIL}{marker}"


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def show(
    engine: Engine, hosts: int, name: str, client: testing.TestClient, path: str, headers: Any, seconds: float
) -> None:
    """Print what a request takes, and its floor."""

    def ask() -> Any:
        answer = client.simulate_get(path, headers=headers)
        if answer.status_code != 200:
            raise SystemExit(f"{path}: {answer.status} {answer.text}")
        return answer

    sent: list[Sent] = []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, is_many: bool) -> None:
        if sql.startswith("SELECT"):
            sent.append(Sent(sql, parameters, is_many))

    event.listen(engine, "before_cursor_execute", note)
    body = ask().json
    event.remove(engine, "before_cursor_execute", note)
    ours = median_ms(ask, seconds)
    with engine.connect() as connection:
        replay = replayer(engine, connection.connection.driver_connection)

        def floor() -> None:
            replay(sent)
            msgspec.json.encode(body)

        bare = median_ms(floor, seconds)
    goal = next((limit for word, limit in GOALS.items() if name.startswith(word)), None)
    verdict = "" if goal is None else f"  {'within' if ours <= goal else 'MISSES'} {goal}"
    line = ROW.format(engine.dialect.name, hosts, name, f"{ours:.1f}", f"{bare:.1f}", f"{ours / bare:.2f}")
    print(f"{line}{verdict}", flush=True)


def median_ms(work: Callable[[], object], seconds: float) -> float:
    work()
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(took) < 3:
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def serve(engine: Engine, hosts: int, seconds: float) -> None:
    """Print requests per second of a served API, and the memory of its workers."""
    with api_server(engine.url.render_as_string(hide_password=False)) as (port, process):
        print(SERVED.format("backend", "hosts", f"host-agent api, {CONNECTIONS} connections", "per second", "MiB"))
        for name, path in (
            ("list, 100 hosts", "/v2.1/os-hypervisors?limit=100"),
            ("detail, 100 hosts", "/v2.1/os-hypervisors/detail?limit=100"),
            ("show", f"/v2.1/os-hypervisors/{uuid_of(7)}"),
            ("statistics", "/v2.1/os-hypervisors/statistics"),
            ("detail, 1000 hosts", DETAIL),
        ):
            rate = per_second(port, path, {} if "statistics" in path else NEWEST, seconds)
            memory = max(one.memory_info().rss for one in process.children(recursive=True)) / 1024**2
            print(SERVED.format(engine.dialect.name, hosts, name, f"{rate:,.0f}", f"{memory:.0f}"), flush=True)


@contextmanager
def api_server(url: str) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **DEFAULTS, "OS_CAPABILITY_DATABASE_URL": url}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        command = [sys.executable, "-m", "host_agent", "api", "--bind", f"127.0.0.1:{port}"]
        process = subprocess.Popen(command, env={**environment, "STATE_DIRECTORY": folder}, stdout=log, stderr=log)
        try:
            wait_for(port)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def per_second(port: int, path: str, headers: dict[str, str], seconds: float) -> float:
    end, counts = time.perf_counter() + seconds, [0] * CONNECTIONS

    def ask(index: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < end:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {json.loads(body)}")
            counts[index] += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


if __name__ == "__main__":
    main()
