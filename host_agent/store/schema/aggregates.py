# SPDX-License-Identifier: Apache-2.0
"""Groups of hosts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text

from host_agent.store.schema.base import ID_TYPE, NAME, UUID, UtcDateTime, table

__all__ = ["AGGREGATES", "AGGREGATE_METADATA", "MEMBERS"]

# A group of hosts that operators made. Rows are removed with it: ``deleted`` stays 0, for Nova's SQL.
AGGREGATES = table(
    "aggregates",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("uuid", UUID, nullable=False),
    Column("name", NAME, nullable=False),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("deleted", BigInteger, server_default=text("0"), nullable=False),
    UniqueConstraint("uuid", name="uniq_aggregates0uuid"),
    UniqueConstraint("name", name="uniq_aggregates0name"),
)


# One host of an aggregate.
#
# host: as in ``compute_host.host``; a host that is removed and comes back is in its aggregates again.
MEMBERS = table(
    "aggregate_hosts",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("aggregate_id", BigInteger, nullable=False),
    Column("host", NAME, nullable=False),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("deleted", BigInteger, server_default=text("0"), nullable=False),
    UniqueConstraint("aggregate_id", "host", name="uniq_aggregate_hosts0aggregate_id0host"),
    Index("ix_aggregate_hosts_host", "host"),
)


# One key of an aggregate's metadata; ``availability_zone`` makes its hosts a zone.
AGGREGATE_METADATA = table(
    "aggregate_metadata",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("aggregate_id", BigInteger, nullable=False),
    Column("key", NAME, nullable=False),
    Column("value", NAME, nullable=False),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("deleted", BigInteger, server_default=text("0"), nullable=False),
    UniqueConstraint("aggregate_id", "key", name="uniq_aggregate_metadata0aggregate_id0key"),
)
