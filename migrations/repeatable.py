# SPDX-License-Identifier: Apache-2.0
"""Operations that look before they add.

MySQL commits each of them by itself: a step that was cut off in the midst is taken again from its beginning.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

__all__ = ["add_columns", "allow_null", "create_index", "create_table"]


def create_table(name: str, *items: sa.schema.SchemaItem, **options: Any) -> None:
    """Create a table, unless it is there with these columns.

    A table with other columns is somebody else's; creating ours says so.
    """
    wanted = {item.name for item in items if isinstance(item, sa.Column)}
    if not _inspector().has_table(name) or not wanted <= _columns(name):
        op.create_table(name, *items, **options)


def add_columns(table: str, *columns: sa.Column[Any]) -> None:
    """Add those of the columns that the table lacks."""
    present = _columns(table)
    for column in columns:
        if column.name not in present:
            op.add_column(table, column)


def allow_null(table: str, column: str, kind: sa.types.TypeEngine[Any]) -> None:
    """Let a column of this kind be NULL; SQLite, which cannot alter one, gets a copy of the table."""
    if column in {known["name"] for known in _inspector().get_columns(table) if not known["nullable"]}:
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, existing_type=kind, nullable=True)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index, unless the table has one of that name."""
    if name not in {index["name"] for index in _inspector().get_indexes(table)}:
        op.create_index(name, table, columns)


def _columns(table: str) -> set[str]:
    return {column["name"] for column in _inspector().get_columns(table)}


def _inspector() -> sa.Inspector:
    # Made anew each time: an inspector remembers what it saw.
    return sa.inspect(op.get_bind())
