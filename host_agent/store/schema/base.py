# SPDX-License-Identifier: Apache-2.0
"""What all tables have in common: their types of columns, and how MySQL keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, String, Table, Text, TypeDecorator
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT, MEDIUMTEXT
from sqlalchemy.schema import SchemaItem

__all__ = ["ID_TYPE", "LONG_TEXT", "MEDIUM_TEXT", "METADATA", "NAME", "UUID", "UtcDateTime", "table"]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment kept in UTC without a zone, to the microsecond; Python sees aware datetimes."""

    impl = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Drop the zone after going to UTC."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that it is UTC."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


# SQLite counts up by itself only in a column of exactly the type INTEGER, which holds 64 bits there.
ID_TYPE = BigInteger().with_variant(Integer, "sqlite")
# MySQL's TEXT ends at 64 KiB, less than the document of a machine with 1,024 CPUs.
MEDIUM_TEXT = Text().with_variant(MEDIUMTEXT, "mysql", "mariadb")
LONG_TEXT = Text().with_variant(LONGTEXT, "mysql", "mariadb")

NAME = String(255)
UUID = String(36)

_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
# utf8mb4_bin: two names are equal here exactly when they are on PostgreSQL and SQLite.
_OPTIONS: Mapping[str, Any] = {
    f"{dialect}_{name}": value for dialect in ("mysql", "mariadb") for name, value in _MYSQL.items()
}

METADATA = MetaData()


def table(name: str, *items: SchemaItem, sqlite_with_rowid: bool = True) -> Table:
    """Describe a table of `METADATA` by its columns, constraints and indexes."""
    return Table(name, METADATA, *items, sqlite_with_rowid=sqlite_with_rowid, **_OPTIONS)
