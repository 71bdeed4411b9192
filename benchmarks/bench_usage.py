# SPDX-License-Identifier: Apache-2.0
"""Usage: of one host out of values, and of a whole fleet out of the tables, beside plainly reading the same rows.

    python benchmarks/bench_usage.py [--url URL]... [--hosts 10000] [--each 10]

Without ``--url``: an SQLite file, and the PostgreSQL and MariaDB of this machine where they answer. Half of the
workloads of each host are recorded and found, the others only recorded; every tenth is on its way to the next host.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Table, insert, select, update

# The hosts are those of the tests.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from bench_store import SERVERS, own_engine

from host_agent import store
from host_agent.errors import StoreError
from host_agent.numa import HostNuma
from host_agent.store.engine import Engine
from host_agent.store.schema import FOUND_WORKLOADS, HOSTS, MIGRATIONS, WORKLOADS
from host_agent.store.workload_columns import columns_of
from host_agent.usage import FoundWorkloads, Migration, RecordedWorkload, usage
from os_capability import CpuSet
from tests.host_agent.facts import machine, record, uuid
from tests.host_agent.store.workloads import move, vm

ROW = "{:<52} {:>10}  {}"
PAGE = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", help="a server to measure (repeatable)")
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=10, help="workloads of each host")
    arguments = parser.parse_args()
    measure_one_host()
    with tempfile.TemporaryDirectory() as folder:
        for url in arguments.url or (f"sqlite:///{folder}/bench.sqlite", *SERVERS):
            try:
                with own_engine(url) as engine:
                    measure_fleet(engine, arguments.hosts, arguments.each)
            except StoreError as error:
                print(f"skipped: {error}")


def measure_one_host() -> None:
    """500 workloads and 100 migrations, of which every other is finished."""
    recorded = [RecordedWorkload(workload=vm(number), host="node-1") for number in range(400)]
    found = FoundWorkloads(workloads=tuple(vm(number, cpuset=CpuSet([number % 64])) for number in range(200, 500)))
    migrations = [
        move(number, source=2, dest=1, status="done" if number % 2 else "running") for number in range(450, 550)
    ]
    numa = HostNuma.measured(machine(nodes=2, cores=32).numa)
    show("500 workloads, 100 migrations", best(lambda: usage("node-1", recorded, migrations, found)), "ms", 2)
    show("the same, pinned to 2 nodes", best(lambda: usage("node-1", recorded, migrations, found, numa)), "ms")


def best(work: Callable[[], object], times: int = 50) -> float:
    """Give the least milliseconds that `work` took."""
    least = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - started)
    return least * 1e3


def show(name: str, value: float, unit: str, limit: float | None = None) -> None:
    met = "" if limit is None else f"{'within' if value <= limit else 'OVER'} {limit:g} {unit}"
    print(ROW.format(name, f"{value:.2f} {unit}", met))


def measure_fleet(engine: Engine, hosts: int, each: int) -> None:
    fill(engine, hosts, each)
    name = f"{engine.dialect.name}, {hosts:,} hosts of {each}"
    show(f"{name}: rows plainly read", seconds(lambda: read(engine)), "s")
    show(f"{name}: recount, all of them wrong", seconds(lambda: recount(engine, hosts)), "s")
    show(f"{name}: recount, all of them right", seconds(lambda: recount(engine, 0)), "s")
    with engine.begin() as connection:
        connection.execute(update(HOSTS).where(HOSTS.c.id % 100 == 0).values(vcpus_used=-1))
    show(f"{name}: recount, one in 100 wrong", seconds(lambda: recount(engine, hosts // 100)), "s")


def recount(engine: Engine, expected: int) -> None:
    changed = store.recount(engine)
    assert changed == expected, f"{changed} rows changed"


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read(engine: Engine) -> None:
    """Read the rows that a recount reads, all at once, and do nothing with them."""
    with engine.connect() as connection:
        for query in (
            select(HOSTS.c.uuid, HOSTS.c.host, HOSTS.c.numa_topology, HOSTS.c.vcpus_used),
            *map(select, (WORKLOADS, FOUND_WORKLOADS, MIGRATIONS)),
        ):
            connection.execute(query).fetchall()


def fill(engine: Engine, hosts: int, each: int) -> None:
    """Write hosts and workloads past the store, which would settle every host for every workload."""
    template = record(facts=machine(nodes=2, cores=16), memory_mb=2**19, local_gb=2**14)
    for start in range(0, hosts, PAGE):
        numbers = range(start, min(hosts, start + PAGE))
        store.upsert_many(engine, [replace(template, uuid=uuid(number), host=f"node-{number}") for number in numbers])
    said, seen, moves = [], [], []
    for number in range(hosts * each):
        columns = columns_of(vm(number, cpuset=CpuSet([number % each]), vcpus=1))
        said.append(columns | {"host": f"node-{number // each}", "generation": 0})
        if number % 2:
            seen.append(columns | {"host_uuid": uuid(number // each)})
        if number % 10 == 0:
            moves.append(moving(move(number, source=number // each, dest=(number // each + 1) % hosts)))
    with engine.begin() as connection:
        for table, rows in ((WORKLOADS, said), (FOUND_WORKLOADS, seen), (MIGRATIONS, moves)):
            write(connection.execute, table, rows)


def moving(migration: Migration) -> dict[str, object]:
    names = ("uuid", "workload_uuid", "source_host", "dest_host", "status")
    return {name: getattr(migration, name) for name in names}


def write(execute: Callable[..., object], table: Table, rows: Sequence[dict[str, object]]) -> None:
    for start in range(0, len(rows), PAGE):
        execute(insert(table), rows[start : start + PAGE])


if __name__ == "__main__":
    main()
