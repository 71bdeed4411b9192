# SPDX-License-Identifier: Apache-2.0
"""What all tables have in common: their types of columns, and how MySQL keeps them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT, MEDIUMTEXT
from sqlalchemy.orm import DeclarativeBase, mapped_column

__all__ = ["ID_TYPE", "LONG_TEXT", "TABLE_OPTIONS", "Base", "Json", "UtcDateTime", "Uuid"]


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
_MEDIUM_TEXT = Text().with_variant(MEDIUMTEXT, "mysql", "mariadb")
LONG_TEXT = Text().with_variant(LONGTEXT, "mysql", "mariadb")

Uuid = Annotated[str, mapped_column(String(36))]
Json = Annotated[str, mapped_column(_MEDIUM_TEXT)]

_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
# utf8mb4_bin: two names are equal here exactly when they are on PostgreSQL and SQLite.
TABLE_OPTIONS = {f"{dialect}_{name}": value for dialect in ("mysql", "mariadb") for name, value in _MYSQL.items()}


class Base(DeclarativeBase):
    """All tables; sizes are 64 bits wide."""

    type_annotation_map = {int: BigInteger, float: Double, str: String(255), datetime: UtcDateTime}  # noqa: RUF012
