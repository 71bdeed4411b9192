# SPDX-License-Identifier: Apache-2.0
"""Upserts per second: the store beside the bare driver that executes the very same statements.

    python benchmarks/bench_store.py [--url URL]... [--seconds 2]

Without ``--url``: an SQLite file, and the PostgreSQL and MariaDB of this machine where they answer. Everything happens
in a database made for the run and dropped after it. Each write changes values, because SQLite skips a row whose bytes
stay the same. ``settled`` hosts have the facts that are stored already, ``changed`` ones new facts, written whole.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import make_url

# The hosts are those of the tests.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from host_agent import store
from host_agent.errors import StoreError
from host_agent.record import ComputeHost
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.facts import machine, record

SERVERS = ("postgresql+psycopg://postgres@127.0.0.1/postgres", "mysql+pymysql://root@127.0.0.1/mysql")
DATABASE = f"os_capability_bench_{os.getpid()}"
ROW = "{:<11} {:<8} {:>5} {:>10} {:>10} {:>6}"


@dataclass(frozen=True)
class Sent:
    """One statement as the driver got it."""

    sql: str
    parameters: Any
    is_many: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", help="a server to measure (repeatable)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    arguments = parser.parse_args()
    print("rows per second, one connection")
    print(ROW.format("backend", "facts", "batch", "store", "driver", "ratio"))
    with tempfile.TemporaryDirectory() as folder:
        for url in arguments.url or (f"sqlite:///{folder}/bench.sqlite", *SERVERS):
            try:
                with own_engine(url) as engine:
                    measure(engine, arguments.seconds)
            except StoreError as error:
                print(f"skipped: {error}")


@contextmanager
def own_engine(url: str) -> Iterator[Engine]:
    """Open a database of our own on the server of `url`, with the newest schema."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite"
    if not is_file:
        administer(url, f"CREATE DATABASE {DATABASE}")
        parsed = parsed.set(database=DATABASE)
    # The daemon makes a connection for each transaction; here it is the statements that count.
    engine = store.open_engine(parsed.render_as_string(hide_password=False), connections=2)
    try:
        migrate.upgrade(engine)
        yield engine
    finally:
        engine.dispose()
        if not is_file:
            administer(url, f"DROP DATABASE {DATABASE}")


def administer(url: str, statement: str) -> None:
    engine = store.open_engine(url)
    migrate.current(engine)  # the one clear line where nobody answers
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    engine.dispose()


def measure(engine: Engine, seconds: float) -> None:
    for facts, batch in itertools.product(("settled", "changed"), (1, 100)):
        batches = two_rounds(batch, facts == "changed")
        write = writer(engine, batch)
        store.upsert_many(engine, itertools.chain(*batches))
        sent = [statements_of(engine, write, records) for records in itertools.chain(batches, batches)][-len(batches) :]
        ours = rate(write, batches, seconds) * batch
        with engine.connect() as connection:
            bare = rate(replayer(engine, connection.connection.driver_connection), sent, seconds) * batch
        print(ROW.format(engine.dialect.name, facts, batch, f"{ours:,.0f}", f"{bare:,.0f}", f"{ours / bare:.2f}"))


def two_rounds(batch: int, changes_facts: bool) -> list[list[ComputeHost]]:
    """Give batches that name every host twice, with other values the second time."""
    hosts = range(max(100, 10 * batch))
    template = record(facts=machine(nodes=2, cores=16))
    rounds = [
        [
            replace(
                template,
                uuid=record(number).uuid,
                host=f"node-{number}",
                mem_free_kb=turn,
                facts_digest=f"{turn if changes_facts else 0:064d}",
            )
            for number in hosts
        ]
        for turn in range(2)
    ]
    return [hosts[start : start + batch] for hosts in rounds for start in range(0, len(hosts), batch)]


def writer(engine: Engine, batch: int) -> Callable[[Sequence[ComputeHost]], None]:
    if batch == 1:
        return lambda records: store.upsert(engine, records[0])
    return lambda records: store.upsert_many(engine, records)


def statements_of(
    engine: Engine, write: Callable[[Sequence[ComputeHost]], None], records: Sequence[ComputeHost]
) -> list[Sent]:
    """Write, and give what the store sent between BEGIN and COMMIT."""
    sent: list[Sent] = []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, is_many: bool) -> None:
        if not sql.startswith("BEGIN"):
            sent.append(Sent(sql, parameters, is_many))

    event.listen(engine, "before_cursor_execute", note)
    write(records)
    event.remove(engine, "before_cursor_execute", note)
    return sent


def replayer(engine: Engine, connection: Any) -> Callable[[list[Sent]], None]:
    """Give a function that sends the statements of one transaction through the bare driver."""
    begins = engine.dialect.name == "sqlite"

    def replay(statements: list[Sent]) -> None:
        cursor = connection.cursor()
        if begins:
            cursor.execute("BEGIN IMMEDIATE")
        for sent in statements:
            (cursor.executemany if sent.is_many else cursor.execute)(sent.sql, sent.parameters)
            if sent.sql.startswith("SELECT"):
                cursor.fetchall()
        connection.commit()
        cursor.close()

    return replay


def rate(work: Callable[[Any], None], items: list[Any], seconds: float) -> float:
    """Give how many of `items`, over and over, get done in a second."""
    for item in items[:10]:
        work(item)
    done = 0
    started = time.perf_counter()
    for item in itertools.cycle(items[10:] + items[:10]):
        work(item)
        done += 1
        if time.perf_counter() - started > seconds:
            break
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
