# SPDX-License-Identifier: Apache-2.0
"""Brings the tables to the schema of this program, and says where they differ.

Agents never migrate; an administrator does, and the one exception is a fresh embedded SQLite file (`make_ready`).
An agent works on the schema it knows and on every newer one, which only adds to it; on an older one it waits.
alembic takes as long to import as everything else together: it is for the administrator alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select, text

from host_agent.errors import SchemaOutdated, SchemaTooNew, StoreBusy, StoreError
from host_agent.store.engine import shown_url, without_statement_limit
from host_agent.store.schema import METADATA
from host_agent.store.transaction import reading, retry_temporary, transaction

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "check",
    "create",
    "current",
    "head",
    "is_empty",
    "make_ready",
    "require_current",
    "revisions",
    "take_steps",
    "upgrade",
]

# Any number will do that nobody else takes in the same database: "os-capab" in ASCII.
_POSTGRESQL_LOCK = 0x6F732D6361706162
# Shorter than the connection's own time limit for one statement; asked again and again.
_MYSQL_LOCK_SECONDS = 10
# How long a step waits for those who use its table. Everybody who comes after queues behind it meanwhile.
_TABLE_LOCK_SECONDS = 30

_WAITING = "waiting for another upgrade of the schema, which is running"

# As alembic makes it.
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
_VERSION.primary_key.name = "alembic_version_pkc"


@functools.cache
def revisions() -> tuple[str, ...]:
    """Give every revision this program knows, oldest first: the numbers that the names of the files begin with."""
    names = (entry.name for entry in files("host_agent.migrations.versions").iterdir())
    found = (re.match(r"(\d{4})_\w+\.py$", name) for name in names)
    return tuple(sorted(match[1] for match in found if match))


def head() -> str:
    """Give the newest revision this program knows."""
    assert revisions(), "the wheel was built without its migrations"
    return revisions()[-1]


@retry_temporary
def current(engine: Engine) -> str | None:
    """Give the revision of the database; ``None`` where it was never migrated.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return _current(connection)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    revision: str | None = connection.scalar(select(_VERSION.c.version_num))
    if revision is not None and not re.fullmatch(r"\d{4}", revision):
        reason = f"alembic_version holds {revision!r}, of another program: give os-capability its own database"
        raise StoreError(shown_url(connection.engine.url), reason)
    return revision


@retry_temporary
def is_empty(engine: Engine) -> bool:
    """Tell whether the database has no table at all.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        return not inspect(connection).get_table_names()


def make_ready(engine: Engine) -> None:
    """Make sure that an agent can work on the tables; a fresh SQLite file gets them here, and no other database.

    Raises:
        SchemaOutdated: ``host-agent db upgrade`` has to run first.
        StoreError: one of its other children.
    """
    if engine.dialect.name == "sqlite" and is_empty(engine):
        create(engine)
    require_current(engine)


@retry_temporary
def create(engine: Engine) -> None:
    """Make the tables of this program in an empty database, at once; where there is any table nothing is made.

    Raises:
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        if inspect(connection).get_table_names():
            return  # another process was faster
        METADATA.create_all(connection, checkfirst=False)
        _VERSION.create(connection)
        connection.execute(_VERSION.insert().values(version_num=head()))


def require_current(engine: Engine) -> None:
    """Make sure that the tables are those this program was written for, or newer.

    Raises:
        SchemaOutdated: ``host-agent db upgrade`` has to run first.
        StoreError: one of its other children.
    """
    url, have, need = shown_url(engine.url), current(engine), head()
    if have is None:
        raise SchemaOutdated(url, f"the schema has no tables yet, this program needs revision {need}")
    if have < need:
        raise SchemaOutdated(url, f"the schema has revision {have}, this program needs {need}")


def upgrade(engine: Engine, progress: Callable[[str], None] | None = None) -> None:
    """Bring the tables to `head`; several at the same time wait for each other, and the later find nothing to do.

    Args:
        engine: the database.
        progress: is told each step before it is taken, in a line.

    Raises:
        SchemaTooNew: the tables were made by a newer program.
        StoreError: one of its other children.
    """
    have = current(engine)
    while True:
        try:
            return _upgrade(engine, progress or _keep_quiet)
        except StoreBusy:
            # Nodes of a Galera cluster share no lock, and take steps from each other: as long as one is taken, by
            # whomever, there is no reason to give up.
            before, have = have, current(engine)
            if have == before:
                raise


@retry_temporary
def _upgrade(engine: Engine, tell: Callable[[str], None]) -> None:
    with _mysql_lock(engine, tell), transaction(engine) as connection:
        _prepare_upgrade(connection, tell)
        have = _current(connection)
        if have is not None and have > head():
            reason = f"the schema has revision {have}, this program knows {head()} at most"
            raise SchemaTooNew(shown_url(engine.url), reason)
        take_steps(connection, [step for step in revisions() if have is None or step > have], tell)


def _keep_quiet(_line: str) -> None:
    pass


def take_steps(connection: Connection, steps: list[str], tell: Callable[[str], None] = _keep_quiet) -> None:
    """Take steps of the schema's history, in a transaction whose locks the caller has taken."""
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = _config()
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    for step in steps:
        script = scripts.get_revision(step)
        name = script.path.rpartition("/")[2].removesuffix(".py").replace("_", " ", 1)
        tell(f"{name}: {script.doc.replace('``', '')}")
        try:
            command.upgrade(config, step)
        except CommandError as error:
            # Another node's step was taken between our look and ours.
            raise StoreBusy(shown_url(connection.engine.url), str(error)) from error


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
        return kind != "table" or name in METADATA.tables

    with reading(engine) as connection:
        options = {"compare_type": True, "include_object": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        revision, differences = _current(connection), compare_metadata(context, METADATA)
    lines = [line for difference in differences for line in _lines(difference)]
    return lines if revision == head() else [f"revision: the database has {revision}, the models {head()}", *lines]


def _config() -> Config:
    from alembic.config import Config

    return Config(str(files("host_agent.migrations") / "alembic.ini"))


def _prepare_upgrade(connection: Connection, tell: Callable[[str], None]) -> None:
    """Keep other upgrades out until the transaction ends, and give DDL the time it takes.

    On SQLite the transaction's own BEGIN IMMEDIATE is the lock.
    """
    without_statement_limit(connection, lock_seconds=_TABLE_LOCK_SECONDS)
    if connection.dialect.name == "postgresql":
        # The lock of a transaction, not of a session: it works through pgbouncer and goes with us if we die.
        key = {"key": _POSTGRESQL_LOCK}
        if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), key):
            tell(_WAITING)
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), key)
            without_statement_limit(connection, lock_seconds=_TABLE_LOCK_SECONDS)


@contextmanager
def _mysql_lock(engine: Engine, tell: Callable[[str], None]) -> Iterator[None]:
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
        get_lock = text("SELECT GET_LOCK(:name, :seconds)")
        if connection.scalar(get_lock, {**name, "seconds": 0}) != 1:
            tell(_WAITING)
            while connection.scalar(get_lock, {**name, "seconds": _MYSQL_LOCK_SECONDS}) != 1:
                pass
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
