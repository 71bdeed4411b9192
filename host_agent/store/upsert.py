# SPDX-License-Identifier: Apache-2.0
"""The native upsert of each server, and the database's clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Insert, Table, bindparam
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from host_agent.store.schema import UtcDateTime

__all__ = ["upsert_statement", "utc_now"]


class utc_now(FunctionElement[Any]):  # noqa: N801 - named as the SQL functions beside it
    """The database's own clock in UTC, with fractions of a second: agents' clocks differ, the database's does not."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(utc_now, "sqlite")
def _utc_now_sqlite(element: utc_now, compiler: SQLCompiler, **_options: Any) -> str:
    # SQLite knows milliseconds; three zeros make them the six digits SQLAlchemy stores.
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(utc_now, "postgresql")
def _utc_now_postgresql(element: utc_now, compiler: SQLCompiler, **_options: Any) -> str:
    # Not now(): that is when the transaction began, maybe long before it got the row's lock.
    return "timezone('utc', clock_timestamp())"


@compiles(utc_now, "mysql", "mariadb")
def _utc_now_mysql(element: utc_now, compiler: SQLCompiler, **_options: Any) -> str:
    return "UTC_TIMESTAMP(6)"


def upsert_statement(
    dialect: str,
    table: Table,
    *,
    key: Collection[str],
    columns: Collection[str],
    on_insert: Mapping[str, Any],
    on_update: Mapping[str, Any],
) -> Insert:
    """Make "insert, or where `key` exists update" for executions with one parameter for each of `columns`.

    Args:
        dialect: the database's, by SQLAlchemy's name.
        table: the one to write to.
        key: the columns of one of its unique constraints.
        columns: the columns written either way.
        on_insert: further columns -> SQL expression, for a new row only.
        on_update: further columns -> SQL expression, for a row that exists only. Give ``updated_at`` in both:
            SQLAlchemy's ``onupdate`` does not fire in an upsert.
    """
    values = {name: bindparam(name) for name in columns} | dict(on_insert)
    overwritten = [name for name in columns if name not in key]
    if dialect in ("mysql", "mariadb"):
        # SQLAlchemy asks the server's version and renders VALUES() or the alias that MySQL 8.0.20 wants instead.
        statement = mysql.insert(table).values(values)
        return statement.on_duplicate_key_update({**{n: statement.inserted[n] for n in overwritten}, **on_update})
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    conflicting = insert(table).values(values)
    return conflicting.on_conflict_do_update(
        index_elements=list(key),
        set_={**{name: conflicting.excluded[name] for name in overwritten}, **on_update},
    )
