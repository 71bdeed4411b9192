# SPDX-License-Identifier: Apache-2.0
"""The report into the database: two rows that belong together, and a schema that is looked at first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from host_agent import store
from host_agent.errors import SchemaOutdated, StoreError
from host_agent.record import Identity
from host_agent.report.database import DatabaseReport
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.facts import record, uuid

WHO = Identity(uuid=uuid(1), host="node-1", host_ip="192.0.2.1")


def report(engine: Engine, binary: str = "nova-compute") -> DatabaseReport:
    return DatabaseReport(engine, binary=binary, topic="compute")


def test_the_facts_are_joined_to_the_heartbeat(engine: Engine) -> None:
    report(engine).facts(record(1))

    (service,), (host,) = store.list_services(engine), store.list_hosts(engine)
    assert host["service_id"] == service["id"]
    assert (service["host"], service["binary"], service["topic"]) == ("node-1", "nova-compute", "compute")
    assert service["report_count"] == 1


def test_each_heartbeat_counts_and_the_facts_do_not(engine: Engine) -> None:
    beating = report(engine)
    for _ in range(3):
        beating.heartbeat(WHO)
    beating.facts(record(1))

    (service,) = store.list_services(engine)
    assert service["report_count"] == 3


def test_a_restart_goes_on_in_the_same_row_and_another_binary_has_its_own(engine: Engine) -> None:
    report(engine).heartbeat(WHO)
    report(engine).heartbeat(WHO)
    report(engine, binary="other").heartbeat(WHO)

    services = store.list_services(engine)
    assert [service["binary"] for service in services] == ["nova-compute", "other"]
    assert len({service["uuid"] for service in services} | {WHO.uuid}) == 3


def test_a_server_without_tables_is_left_to_an_operator(server_url: str, opened: Callable[[str], Engine]) -> None:
    engine = opened(server_url)
    waiting = report(engine)
    with pytest.raises(SchemaOutdated, match="host-agent db upgrade"):
        waiting.facts(record(1))
    assert migrate.is_empty(engine)

    migrate.upgrade(engine)

    waiting.facts(record(1))


def test_a_new_sqlite_file_gets_its_tables(sqlite_url: str, opened: Callable[[str], Engine]) -> None:
    engine = opened(sqlite_url)
    report(engine).heartbeat(WHO)
    assert migrate.current(engine) == migrate.head()


def test_an_sqlite_file_of_others_is_left_alone(sqlite_url: str, opened: Callable[[str], Engine]) -> None:
    engine = opened(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))

    with pytest.raises(SchemaOutdated):
        report(engine).heartbeat(WHO)


def test_after_trouble_the_schema_is_looked_at_again(engine: Engine) -> None:
    beating = report(engine)
    beating.heartbeat(WHO)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE services RENAME TO gone"))
        connection.execute(text("DELETE FROM alembic_version"))

    with pytest.raises(StoreError):
        beating.heartbeat(WHO)
    with pytest.raises(SchemaOutdated, match="host-agent db upgrade"):
        beating.heartbeat(WHO)
