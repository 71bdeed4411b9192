# SPDX-License-Identifier: Apache-2.0
"""The schema: made, recognised, compared with the models, never made twice."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text

from host_agent import store
from host_agent.errors import SchemaOutdated, SchemaTooNew, StoreError
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.schema import METADATA
from host_agent.store.transaction import transaction
from tests.host_agent.facts import record
from tests.host_agent.store.fleet import enlist, host


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
        assert set(inspect(bare).get_table_names()) == {*METADATA.tables, "alembic_version"}
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


def test_agents_work_on_a_newer_schema_and_nobody_upgrades_it_to_ours(engine: Engine) -> None:
    """What is expanded first and contracted a release later still has all that we use."""
    set_revision(engine, "9999")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE compute_host ADD COLUMN later INTEGER"))
    migrate.make_ready(engine)
    enlist(engine)
    assert host(engine)["host"] == "node-1"
    with pytest.raises(SchemaTooNew, match=r"has revision 9999, this program knows .* install the newer"):
        migrate.upgrade(engine)
    assert migrate.current(engine) == "9999"


def test_what_a_newer_schema_has_no_more_is_not_called_older(engine: Engine) -> None:
    set_revision(engine, "9999")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE compute_host DROP COLUMN runtimes"))
    with pytest.raises(SchemaOutdated, match=r"the schema lacks what this program uses .*runtimes") as raised:
        store.upsert(engine, record())
    assert "older" not in str(raised.value)


def test_the_versions_of_another_program_are_left_alone(bare: Engine) -> None:
    with bare.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('ae1027a6acf')"))
    for call in (migrate.make_ready, migrate.upgrade, migrate.current, migrate.check):
        with pytest.raises(StoreError, match="alembic_version holds 'ae1027a6acf', of another program"):
            call(bare)
    assert inspect(bare).get_table_names() == ["alembic_version"]


def test_a_server_without_tables_is_left_to_an_operator(server_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(server_url)
    with pytest.raises(SchemaOutdated, match="host-agent db upgrade"):
        migrate.make_ready(engine)
    assert migrate.is_empty(engine)


def test_an_sqlite_file_of_others_is_left_alone(sqlite_url: str, opened: Callable[..., Engine]) -> None:
    engine = opened(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    with pytest.raises(SchemaOutdated):
        migrate.make_ready(engine)
    assert inspect(engine).get_table_names() == ["theirs"]


def test_a_fresh_sqlite_file_is_what_the_migrations_make(tmp_path: Path, opened: Callable[..., Engine]) -> None:
    fresh, migrated = opened(f"sqlite:///{tmp_path}/fresh"), opened(f"sqlite:///{tmp_path}/migrated")
    migrate.make_ready(fresh)
    migrate.upgrade(migrated)
    assert migrate.check(fresh) == []
    assert migrate.current(fresh) == migrate.current(migrated) == migrate.head()
    assert described(fresh) == described(migrated)
    migrate.upgrade(fresh)


def described(engine: Engine) -> dict[str, object]:
    """Give what SQLite knows of each table, but for the order of columns: a migration adds them at the end."""
    with engine.connect() as connection:

        def ask(sql: str) -> list[tuple[object, ...]]:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

        tables = [name for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            str(table): (
                sorted(ask(f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')")),
                sorted(
                    (unique, origin, tuple(ask(f"SELECT seqno, name FROM pragma_index_info('{index}')")))
                    for index, unique, origin in ask(
                        f"SELECT name, \"unique\", origin FROM pragma_index_list('{table}')"
                    )
                ),
            )
            for table in tables
        }


def test_a_fresh_sqlite_file_is_made_once(sqlite_url: str, opened: Callable[..., Engine]) -> None:
    engines = [opened(sqlite_url) for _ in range(8)]
    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(migrate.make_ready, engines))
    assert migrate.check(engines[0]) == []


def test_the_revisions_are_those_alembic_knows() -> None:
    scripts = ScriptDirectory(str(files("host_agent.migrations")))
    assert migrate.head() == scripts.get_current_head()
    assert list(migrate.revisions()) == sorted(script.revision for script in scripts.walk_revisions())


def test_each_step_is_told_before_it_is_taken(bare: Engine) -> None:
    told: list[str] = []
    migrate.upgrade(bare, told.append)
    assert [line.split()[0] for line in told] == list(migrate.revisions())
    assert told[0] == "0001 create_services: The heartbeats of the agents, in the shape of Nova's services."
    migrate.upgrade(bare, told.append)
    assert len(told) == len(migrate.revisions())


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


class CutOff(Exception):
    """The program ends here."""


@contextmanager
def cut_before(engine: Engine, number: int) -> Iterator[None]:
    """End an upgrade before its n-th statement that changes something."""
    changes = 0

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        nonlocal changes
        changes += statement.lstrip().startswith(("CREATE", "ALTER", "INSERT", "UPDATE"))
        if changes == number:
            raise CutOff

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_an_upgrade_that_is_cut_off_anywhere_can_be_run_again(bare: Engine) -> None:
    """MySQL commits each statement by itself: steps are left half done, or done without their version."""
    # At every seventh place, beginning with another one each time.
    first = random.randint(1, 7)
    for number in itertools.count(first, 7):
        try:
            with cut_before(bare, number):
                migrate.upgrade(bare)
            break
        except CutOff:
            migrate.upgrade(bare)
        assert migrate.check(bare) == [], f"cut off before change {number}"
        assert migrate.current(bare) == migrate.head()
        with bare.begin() as connection:
            for table in inspect(connection).get_table_names():
                connection.execute(text(f"DROP TABLE {table}"))
    assert number > 20, "nothing was cut off"


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
    # On a file nobody waits for longer than its busy timeout.
    count = 3 if bare.dialect.name == "sqlite" else 5
    command = [sys.executable, "-W", "error", "-c", UPGRADE, database_url]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(count)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    # alembic says nothing on its own, either.
    assert [(racer.communicate(timeout=60), racer.returncode) for racer in racers] == [(("", ""), 0)] * count
    assert migrate.current(bare) == migrate.head()
    assert migrate.check(bare) == []


def test_importing_the_store_leaves_alembic_alone() -> None:
    code = "import sys, host_agent.store.migrate; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_events_told_before_some_were_about_no_host_stay_as_they_are(bare: Engine) -> None:
    """SQLite cannot let a column be NULL that was not: it gets a copy of the table."""
    with transaction(bare) as connection:
        migrate.take_steps(connection, [step for step in migrate.revisions() if step <= "0008"])
        connection.execute(
            text(
                "INSERT INTO events (uuid, host_uuid, host, at, code, message, detail, created_at) VALUES"
                " ('e-1', 'h-1', 'node-1', '2026-01-02 03:04:05.678901', 'up', 'ünï 🖥', '{}', '2026-01-02 03:04:06')"
            )
        )
    with pytest.raises(StoreError), transaction(bare) as connection:
        connection.execute(text("UPDATE events SET host_uuid = NULL"))
    migrate.upgrade(bare)
    (event,) = store.list_events(bare, host_uuid="h-1")
    assert (event["uuid"], event["message"]) == ("e-1", "ünï 🖥")
    assert str(event["at"]) == "2026-01-02 03:04:05.678901+00:00"
    assert {index["name"] for index in inspect(bare).get_indexes("events")} >= {
        "ix_events_host_uuid_at",
        "ix_events_at",
    }
    assert store.create_aggregate(bare, "one").id is not None
    assert [row["host_uuid"] for row in store.list_events(bare)] == [None, "h-1"]
    with pytest.raises(StoreError), transaction(bare) as connection:
        connection.execute(text("UPDATE events SET uuid = 'e-1'"))
