# SPDX-License-Identifier: Apache-2.0
"""The native upsert of each server, and the database's clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import ColumnElement, Float, Insert, Select, Table, bindparam, func, literal
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from host_agent.store.schema import UtcDateTime

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["Incoming", "insert_missing", "upsert_from_select", "upsert_statement", "utc_now"]

# A column's name -> what the row that was to be inserted has there.
Incoming: TypeAlias = Callable[[str], ColumnElement[Any]]


class utc_now(FunctionElement[Any]):  # noqa: N801 - named as the SQL functions beside it
    """The database's own clock in UTC, with fractions of a second: agents' clocks differ, the database's does not.

    Args:
        offset_seconds: how much later; negative for a moment that has passed.
    """

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, offset_seconds: float = 0) -> None:
        super().__init__(*([literal(float(offset_seconds), Float)] if offset_seconds else []))


@compiles(utc_now, "sqlite")
def _utc_now_sqlite(element: utc_now, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite knows milliseconds; three zeros make them the six digits SQLAlchemy stores.
    offset = "".join(f", {seconds} || ' seconds'" for seconds in _offset(element, compiler, options))
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now'{offset})"


@compiles(utc_now, "postgresql")
def _utc_now_postgresql(element: utc_now, compiler: SQLCompiler, **options: Any) -> str:
    # Not now(): that is when the transaction began, maybe long before it got the row's lock.
    offset = "".join(f" + {seconds} * interval '1 second'" for seconds in _offset(element, compiler, options))
    return f"(timezone('utc', clock_timestamp()){offset})"


@compiles(utc_now, "mysql", "mariadb")
def _utc_now_mysql(element: utc_now, compiler: SQLCompiler, **options: Any) -> str:
    offset = "".join(f" + INTERVAL {seconds} SECOND" for seconds in _offset(element, compiler, options))
    return f"(UTC_TIMESTAMP(6){offset})"


def _offset(element: utc_now, compiler: SQLCompiler, options: Mapping[str, Any]) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]


def upsert_statement(
    dialect: str,
    table: Table,
    *,
    key: Collection[str],
    columns: Collection[str],
    on_insert: Mapping[str, Any],
    on_update: Callable[[Incoming], Mapping[str, Any]],
    only_if: Callable[[Incoming], ColumnElement[bool]],
    decided_by: Sequence[str],
) -> Insert:
    """Make "insert, or where `key` exists update, but only if" for executions with one parameter for each of `columns`.

    Args:
        dialect: the database's, by SQLAlchemy's name.
        table: the one to write to.
        key: the columns of one of its unique constraints.
        columns: the columns written either way.
        on_insert: further columns -> SQL expression, for a new row only.
        on_update: gives columns -> SQL expression, for a row that exists only. Give ``updated_at`` in both:
            SQLAlchemy's ``onupdate`` does not fire in an upsert.
        only_if: gives the condition under which a row that exists is changed, from the stored columns and the incoming
            ones. It must be true or false, never NULL.
        decided_by: those of `columns` that `only_if` and `on_update` look at, in an order such that writing one leaves
            the answer for those after it the same.
    """
    values = {name: bindparam(name) for name in columns} | dict(on_insert)
    if dialect in ("mysql", "mariadb"):
        settled = {*key, *decided_by}
        order = [*(name for name in columns if name not in settled), *decided_by]
        return _on_duplicate_key_update(table, values, order, on_update, only_if)
    insert = _insert(dialect, table).values(values)
    incoming: Incoming = insert.excluded.__getitem__
    return insert.on_conflict_do_update(
        index_elements=list(key),
        set_={**{name: incoming(name) for name in columns if name not in key}, **on_update(incoming)},
        where=only_if(incoming),
    )


def _on_duplicate_key_update(
    table: Table,
    values: Mapping[str, Any],
    order: Sequence[str],
    on_update: Callable[[Incoming], Mapping[str, Any]],
    only_if: Callable[[Incoming], ColumnElement[bool]],
) -> Insert:
    # SQLAlchemy asks the server's version and renders VALUES() or the alias that MySQL 8.0.20 wants instead.
    insert = mysql.insert(table).values(values)
    incoming: Incoming = insert.inserted.__getitem__
    allowed, changes = only_if(incoming), on_update(incoming)
    # There is no WHERE, so each column asks. Assignments go from left to right, and see those before them.
    new = dict(changes) | {name: incoming(name) for name in order if name not in changes}
    return insert.on_duplicate_key_update(
        [(name, func.if_(allowed, value, table.c[name])) for name, value in new.items()]
    )


def upsert_from_select(dialect: str, table: Table, key: str, columns: Sequence[str], source: Select[Any]) -> Insert:
    """Make "insert what `source` gives, or where `key` exists update all of `columns`"."""
    others = [name for name in columns if name != key]
    if dialect in ("mysql", "mariadb"):
        into = mysql.insert(table).from_select(columns, source)
        return into.on_duplicate_key_update({name: into.inserted[name] for name in others})
    upsert = _insert(dialect, table).from_select(columns, source)
    return upsert.on_conflict_do_update(index_elements=[key], set_={name: upsert.excluded[name] for name in others})


def insert_missing(dialect: str, table: Table, key: str) -> Insert:
    """Make "insert unless a row has this `key`"; every other trouble with a row is an error, as in any insert."""
    if dialect in ("mysql", "mariadb"):
        # Not INSERT IGNORE, which makes a warning of any error.
        statement = mysql.insert(table)
        return statement.on_duplicate_key_update({key: table.c[key]})
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=[key])


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Begin a statement that may go on with ON CONFLICT."""
    # Loaded where it is used: PostgreSQL's brings all its drivers, which takes longer than to open an SQLite file.
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
