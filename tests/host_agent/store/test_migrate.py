# SPDX-License-Identifier: Apache-2.0
"""The schema: made, recognised, compared with the models, never made twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import inspect, text

from host_agent import store
from host_agent.errors import SchemaOutdated, SchemaTooNew, StoreError
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.schema import Base
from tests.host_agent.facts import record


@pytest.fixture
def bare(database_url: str, opened: Callable[..., Engine]) -> Engine:
    """Give an engine on an empty database, on each backend in turn."""
    return opened(database_url)


def test_a_fresh_database_is_empty_and_outdated(bare: Engine) -> None:
    assert migrate.is_empty(bare)
    assert migrate.current(bare) is None
    with pytest.raises(SchemaOutdated) as raised:
        migrate.require_current(bare)
    expected = (
        f"the schema has no tables yet, this program needs revision {migrate.head()}: run `host-agent db upgrade`"
    )
    assert str(raised.value).endswith(expected)


def test_upgrading_makes_every_table_and_twice_changes_nothing(bare: Engine) -> None:
    for _ in range(2):
        migrate.upgrade(bare)
        assert set(inspect(bare).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
        assert migrate.current(bare) == migrate.head()
        migrate.require_current(bare)
    assert not migrate.is_empty(bare)


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    assert migrate.check(engine) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("ALTER TABLE services ADD COLUMN extra INTEGER", "column services.extra: in the database only"),
        ("ALTER TABLE compute_host DROP COLUMN labels", "column compute_host.labels: missing in the database"),
        ("CREATE INDEX ix_extra ON services (topic)", "index services.ix_extra: in the database only"),
        ("DROP TABLE services", "table services: missing in the database"),
    ],
)
def test_a_difference_is_one_line(engine: Engine, change: str, line: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(change))
    assert line in migrate.check(engine)
    assert all("\n" not in line for line in migrate.check(engine))


def test_a_column_of_another_type_is_a_difference(server_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(server_url)
    migrate.upgrade(engine)
    modify = "ALTER COLUMN vcpus TYPE INTEGER" if engine.dialect.name == "postgresql" else "MODIFY vcpus INT"
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE compute_host {modify}"))
    (line,) = migrate.check(engine)
    assert line.startswith("compute_host.vcpus: type is INTEGER")
    assert line.endswith("the models have BigInteger()")


def test_tables_of_others_are_none_of_our_business(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE cables (id INTEGER)"))
    assert migrate.check(engine) == []


def set_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_an_older_schema_names_both_revisions_and_the_command(engine: Engine) -> None:
    set_revision(engine, "0001")
    with pytest.raises(SchemaOutdated) as raised:
        migrate.require_current(engine)
    expected = f"has revision 0001, this program needs {migrate.head()}: run `host-agent db upgrade`"
    assert expected in str(raised.value)


def test_a_newer_schema_is_refused_and_left_alone(engine: Engine) -> None:
    set_revision(engine, "9999")
    for call in (migrate.require_current, migrate.upgrade):
        with pytest.raises(SchemaTooNew, match=r"has revision 9999, this program knows .* install the newer"):
            call(engine)
    assert migrate.current(engine) == "9999"


def test_rows_survive_an_upgrade_from_the_first_revision(bare: Engine) -> None:
    migrate.upgrade(bare)
    store.heartbeat(bare, uuid="u", host="h", binary="b", topic="t")
    with bare.begin() as connection:
        connection.execute(text("DROP TABLE compute_host"))
    set_revision(bare, "0001")
    migrate.upgrade(bare)
    store.upsert(bare, record())
    assert len(store.list_services(bare)) == 1
    assert migrate.check(bare) == []


def test_an_upgrade_that_fails_can_be_run_again(bare: Engine) -> None:
    """Where DDL can be rolled back nothing stays; on MySQL the revisions done so far stay, and are known."""
    with bare.begin() as connection:
        connection.execute(text("CREATE TABLE compute_host (somebody_elses INTEGER)"))
    with pytest.raises(StoreError, match=r"compute_host.*already exists"):
        migrate.upgrade(bare)
    assert migrate.current(bare) == ("0001" if bare.dialect.name == "mysql" else None)
    with bare.begin() as connection:
        connection.execute(text("DROP TABLE compute_host"))
    migrate.upgrade(bare)
    assert migrate.check(bare) == []


UPGRADE = """
import sys, time
from sqlalchemy import event
from host_agent.store import migrate, open_engine
engine = open_engine(sys.argv[1])
# A server that commits slowly: the next one must not begin before it has.
event.listen(engine, "commit", lambda connection: time.sleep(0.3))
print("ready", flush=True)
sys.stdin.readline()
migrate.upgrade(engine)
engine.dispose()
"""


def test_upgrades_at_the_same_time_wait_for_each_other(
    bare: Engine, database_url: str, opened: Callable[..., Engine]
) -> None:
    command = [sys.executable, "-W", "error", "-c", UPGRADE, database_url]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    # alembic says nothing on its own, either.
    assert [(racer.communicate(timeout=60), racer.returncode) for racer in racers] == [(("", ""), 0)] * 3
    assert migrate.current(bare) == migrate.head()
    assert migrate.check(bare) == []


def test_importing_the_store_leaves_alembic_alone() -> None:
    code = "import sys, host_agent.store.migrate; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
