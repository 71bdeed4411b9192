# SPDX-License-Identifier: Apache-2.0
"""Groups of hosts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from host_agent.store.schema.base import ID_TYPE, TABLE_OPTIONS, Base, Uuid

__all__ = ["AggregateHostRow", "AggregateMetadataRow", "AggregateRow"]


class AggregateRow(Base):
    """A group of hosts that operators made. Rows are removed with it: ``deleted`` stays 0, for Nova's SQL."""

    __tablename__ = "aggregates"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_aggregates0uuid"),
        UniqueConstraint("name", name="uniq_aggregates0name"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    uuid: Mapped[Uuid]
    name: Mapped[str]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))


class AggregateHostRow(Base):
    """One host of an aggregate.

    Attributes:
        host: as in ``compute_host.host``; a host that is removed and comes back is in its aggregates again.
    """

    __tablename__ = "aggregate_hosts"
    __table_args__ = (
        UniqueConstraint("aggregate_id", "host", name="uniq_aggregate_hosts0aggregate_id0host"),
        Index("ix_aggregate_hosts_host", "host"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    aggregate_id: Mapped[int]
    host: Mapped[str]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))


class AggregateMetadataRow(Base):
    """One key of an aggregate's metadata; ``availability_zone`` makes its hosts a zone."""

    __tablename__ = "aggregate_metadata"
    __table_args__ = (
        UniqueConstraint("aggregate_id", "key", name="uniq_aggregate_metadata0aggregate_id0key"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    aggregate_id: Mapped[int]
    key: Mapped[str]
    value: Mapped[str]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))
