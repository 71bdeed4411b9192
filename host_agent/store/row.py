# SPDX-License-Identifier: Apache-2.0
"""What a query gives, detached from its connection: rows by column name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, select

from host_agent.store.upsert import utc_now

__all__ = ["Row", "first_row", "now", "rows"]

# By column name.
Row: TypeAlias = dict[str, object]


def rows(connection: Connection, query: Select[Any], parameters: Mapping[str, object] | None = None) -> list[Row]:
    """Give all rows of a query."""
    return [dict(row) for row in connection.execute(query, parameters).mappings()]


def first_row(connection: Connection, query: Select[Any]) -> dict[str, Any] | None:
    """Give the first row of a query."""
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def now(connection: Connection) -> datetime:
    """Give the time by the database's clock."""
    moment: datetime = connection.execute(select(utc_now())).scalar_one()
    return moment
