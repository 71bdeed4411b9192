# SPDX-License-Identifier: Apache-2.0
"""Brings the tables to the schema of this program, and says where they differ.

Agents never migrate; an administrator does, and the one exception is a fresh embedded SQLite file (`is_empty`).
alembic takes as long to import as everything else together, so it is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, inspect, text

from host_agent.errors import SchemaOutdated, SchemaTooNew, StoreBusy
from host_agent.store.engine import shown_url
from host_agent.store.schema import Base
from host_agent.store.transaction import reading, retry_temporary, transaction

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

__all__ = ["check", "current", "head", "is_empty", "require_current", "upgrade"]

# Any number will do that nobody else takes in the same database: "os-capab" in ASCII.
_POSTGRESQL_LOCK = 0x6F732D6361706162
# Shorter than the connection's own time limit for one statement.
_MYSQL_LOCK_SECONDS = 20


def head() -> str:
    """Give the newest revision this program knows."""
    newest = _scripts().get_current_head()
    assert newest is not None, "the wheel was built without its migrations"
    return newest


@retry_temporary
def current(engine: Engine) -> str | None:
    """Give the revision of the database; ``None`` where it was never migrated.

    Raises:
        StoreError: one of its children.
    """
    from alembic.migration import MigrationContext

    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


@retry_temporary
def is_empty(engine: Engine) -> bool:
    """Tell whether the database has no table at all.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return not inspect(connection).get_table_names()


def require_current(engine: Engine) -> None:
    """Make sure that the tables are those this program was written for.

    Raises:
        SchemaOutdated: ``host-agent db upgrade`` has to run first.
        SchemaTooNew: this program is the older of the two.
        StoreError: one of its other children.
    """
    url, have, need = shown_url(engine.url), current(engine), head()
    if have is None:
        raise SchemaOutdated(url, f"the schema has no tables yet, this program needs revision {need}")
    if have not in _revisions():
        raise SchemaTooNew(url, f"the schema has revision {have}, this program knows {need} at most")
    if have != need:
        raise SchemaOutdated(url, f"the schema has revision {have}, this program needs {need}")


@retry_temporary
def upgrade(engine: Engine) -> None:
    """Bring the tables to `head`; several at the same time wait for each other, and the later find nothing to do.

    Raises:
        SchemaTooNew: the tables were made by a newer program.
        StoreError: one of its other children.
    """
    from alembic import command

    have = current(engine)
    if have is not None and have not in _revisions():
        raise SchemaTooNew(
            shown_url(engine.url), f"the schema has revision {have}, this program knows {head()} at most"
        )
    config = _config()
    with _mysql_lock(engine), transaction(engine) as connection:
        _lock(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@retry_temporary
def check(engine: Engine) -> list[str]:
    """Say in one line each how the tables differ from the models; nothing where they are the same.

    Tables of others beside ours are none of our business.

    Raises:
        StoreError: one of its children.
    """
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def is_ours(_item: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
        return kind != "table" or name in Base.metadata.tables

    with reading(engine) as connection:
        options = {"compare_type": True, "include_object": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        revision, differences = context.get_current_revision(), compare_metadata(context, Base.metadata)
    lines = [line for difference in differences for line in _lines(difference)]
    return lines if revision == head() else [f"revision: the database has {revision}, the models {head()}", *lines]


def _config() -> Config:
    from alembic.config import Config

    return Config(str(files("host_agent.migrations") / "alembic.ini"))


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _revisions() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _lock(connection: Connection) -> None:
    """Keep other upgrades out until the transaction ends; on SQLite its own BEGIN IMMEDIATE does that."""
    if connection.dialect.name == "postgresql":
        # DDL may take its time, and so may another upgrade we wait for.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        # The lock of a transaction, not of a session: it works through pgbouncer and goes with us if we die.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})


@contextmanager
def _mysql_lock(engine: Engine) -> Iterator[None]:
    """Keep other upgrades out on MySQL, where DDL commits and a transaction locks nothing.

    On a connection of its own: the lock must outlast the commit of the version's row, or the next upgrade reads the
    version before and makes the same table again.
    """
    if engine.dialect.name not in ("mysql", "mariadb"):
        yield
        return
    with transaction(engine) as connection:
        # Lock names are the whole server's, and 64 letters long.
        name = {"name": connection.scalar(text("SELECT CONCAT('os-capability ', SHA1(DATABASE()))"))}
        wait = {**name, "seconds": _MYSQL_LOCK_SECONDS}
        if connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), wait) != 1:
            raise StoreBusy(shown_url(engine.url), "another upgrade of the schema is running")
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)


def _lines(difference: Any) -> Iterator[str]:
    # alembic gives a tuple for each difference, and a list of tuples for those of one column.
    if isinstance(difference, list):
        for part in difference:
            yield from _lines(part)
        return
    kind, *rest = difference
    if kind.startswith("modify_"):
        _schema, table, column, _existing, stored, wanted = rest
        yield f"{table}.{column}: {kind.removeprefix('modify_')} is {stored!r}, the models have {wanted!r}"
        return
    verb, _, noun = kind.partition("_")
    problem = "missing in the database" if verb == "add" else "in the database only"
    item = rest[-1]
    table = item.table.name if noun in ("index", "constraint", "fk") else rest[1] if noun == "column" else None
    yield f"{noun.replace('_', ' ')} {f'{table}.' if table else ''}{item.name}: {problem}"
