# SPDX-License-Identifier: Apache-2.0
"""Agents of two releases on the schemas of two releases: a fleet is never upgraded all at once.

`previous_release.json` holds what the previous release (revision 0002) sent to each database, statement by statement
with its parameters: two heartbeats, then the facts of `facts.record()` three times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from host_agent import store
from host_agent.errors import SchemaOutdated
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.transaction import transaction
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import age, beat, claim, codes, enlist, host
from tests.host_agent.store.workloads import vm

PREVIOUS = "0002"
HOSTS = 10_000
SENT: dict[str, dict[str, list[tuple[str, Any]]]] = json.loads(
    (Path(__file__).parent / "previous_release.json").read_text()
)


def upgrade_to(engine: Engine, revision: str) -> None:
    with transaction(engine) as connection:
        migrate.take_steps(connection, [step for step in migrate.revisions() if step <= revision])


@pytest.fixture
def previous(database_url: str, opened: Callable[..., Engine]) -> Engine:
    """Give an engine on a database with the schema of the previous release, on each backend in turn."""
    engine = opened(database_url)
    upgrade_to(engine, PREVIOUS)
    return engine


def send(engine: Engine, what: str) -> None:
    """Do what the previous release did, with its own statements."""
    with transaction(engine) as connection:
        for statement, parameters in SENT[engine.dialect.name][what]:
            sent = tuple(parameters) if isinstance(parameters, list) else parameters
            connection.exec_driver_sql(statement, sent)


def everything(connection: Connection) -> list[tuple[object, ...]]:
    tables = ("services", "compute_host", "alembic_version")
    return [tuple(row) for table in tables for row in connection.execute(text(f"SELECT * FROM {table}"))]


def test_this_agent_writes_nothing_on_the_previous_schema_and_works_after_the_upgrade(previous: Engine) -> None:
    send(previous, "first heartbeat")
    with previous.begin() as connection:
        before = everything(connection)
    with pytest.raises(SchemaOutdated, match=f"has revision {PREVIOUS}, this program needs .*host-agent db upgrade"):
        migrate.make_ready(previous)
    for write in (lambda: store.register(previous, claim()), lambda: store.upsert(previous, record())):
        # One that was running while somebody put an older backup in the database's place.
        with pytest.raises(SchemaOutdated, match="run `host-agent db upgrade`"):
            write()
    with previous.begin() as connection:
        assert everything(connection) == before
    migrate.upgrade(previous)
    migrate.make_ready(previous)
    enlist(previous)
    assert host(previous)["sequence"] == record().sequence


def test_the_previous_agent_goes_on_on_this_schema(engine: Engine) -> None:
    """An operator upgrades the schema first, then one agent after the other; the rows of the old ones stay whole."""
    for what in ("first heartbeat", "heartbeat", "first facts", "same facts", "changed facts"):
        send(engine, what)
    row = host(engine)
    assert (row["host"], row["vcpus"], row["facts_digest"], row["running_vms"]) == ("node-1", 99, "f" * 64, None)
    assert [row[name] for name in ("machine_id", "product_uuid", "sequence", "retired_at")] == [None] * 4
    assert row["last_seen_up"] is not None
    (service,) = store.list_services(engine)
    assert (service["report_count"], service["boot_id"], service["id"]) == (2, None, row["service_id"])


def test_the_next_agent_takes_the_row_of_the_previous_one_over(engine: Engine) -> None:
    send(engine, "first heartbeat")
    send(engine, "first facts")
    lease = enlist(engine)
    row = host(engine)
    assert (row["sequence"], row["service_id"]) == (1, lease.service_id)
    assert len(store.list_services(engine)) == len(store.list_hosts(engine)) == 1
    assert codes(engine) == []


def test_a_previous_agent_forgets_the_usage_until_somebody_counts_it_anew(engine: Engine) -> None:
    """It writes the columns as it always did, without a value; an upgrade ends with `hosts recount`."""
    send(engine, "first heartbeat")
    send(engine, "first facts")
    store.record_workload(engine, vm(), "node-1")
    assert host(engine)["vcpus_used"] == 4
    send(engine, "changed facts")
    assert host(engine)["vcpus_used"] is None
    assert store.recount(engine) == 1
    assert host(engine)["vcpus_used"] == 4
    enlist(engine)
    assert (host(engine)["vcpus_used"], store.recount(engine)) == (4, 0)


def test_an_agent_that_is_downgraded_goes_on_and_comes_back(engine: Engine) -> None:
    """A rollback: what the old release does not know stays as it was, and keeps nothing from being newer."""
    lease = enlist(engine)
    for what in ("heartbeat", "same facts", "changed facts"):
        send(engine, what)
    assert host(engine)["vcpus"] == 99
    assert beat(engine, lease) is not None
    age(engine, "last_seen_up", 3600)
    lease = enlist(engine, boot_id="22222222-2222-4333-8444-555555555555")
    assert host(engine)["vcpus"] == record().vcpus
    # Told in the order of when they happened, and the silence is one hour old.
    assert codes(engine) == ["host-down", "host-registered", "host-up"]


def test_ten_thousand_hosts_of_the_previous_schema_are_upgraded_whole(previous: Engine) -> None:
    send(previous, "first heartbeat")
    send(previous, "first facts")
    multiply(previous, HOSTS)
    with previous.begin() as connection:
        before = checksum(connection)
    started = time.monotonic()
    migrate.upgrade(previous)
    # Seconds, not minutes: agents wait for it.
    assert time.monotonic() - started < 60
    assert migrate.check(previous) == []
    assert store.fleet_usage(previous, down_after_seconds=60).resources["VCPU"].total == HOSTS * record().vcpus
    with previous.begin() as connection:
        assert checksum(connection) == before
    rows = store.list_hosts(previous, limit=1000)
    assert len(rows) == 1000
    assert {row["vcpus"] for row in rows} == {record().vcpus}
    assert enlist(previous, HOSTS).service_id is not None
    assert host(previous, HOSTS)["machine_id"] == record(HOSTS).machine_id


def multiply(engine: Engine, hosts: int) -> None:
    """Copy the rows of host 1 until there are so many hosts, each under its own number."""
    own = {"services": ["uuid", "host"], "compute_host": ["uuid", "host", "hypervisor_hostname", "hostname"]}
    with engine.begin() as connection:
        for table, changed in own.items():
            kept = [column["name"] for column in inspect(connection).get_columns(table)]
            kept = [engine.dialect.identifier_preparer.quote(name) for name in kept if name not in ("id", *changed)]
            query = (
                f"INSERT INTO {table} ({', '.join([*changed, *kept])})"
                f" SELECT {', '.join([*(f':{name}' for name in changed), *kept])} FROM {table} WHERE id = 1"
            )
            connection.execute(text(query), [names(table, number) for number in range(2, hosts + 1)])


def names(table: str, number: int) -> dict[str, str]:
    facts = uuid(number)
    own = store.service_uuid(facts, "nova-compute") if table == "services" else facts
    return {"uuid": own} | dict.fromkeys(("host", "hypervisor_hostname", "hostname"), f"node-{number}")


def checksum(connection: Connection) -> list[tuple[object, ...]]:
    """Give figures that change when a row is lost, doubled or damaged."""
    hosts = "COUNT(*), COUNT(DISTINCT uuid), COUNT(DISTINCT host)"
    queries = (
        f"SELECT {hosts}, SUM(report_count), MIN(last_seen_up) FROM services",
        f"SELECT {hosts}, SUM(LENGTH(facts)), SUM(memory_mb), MIN(facts_at), MAX(updated_at) FROM compute_host",
    )
    return [tuple(row) for query in queries for row in connection.execute(text(query))]
