# SPDX-License-Identifier: Apache-2.0
"""The tables as SQLAlchemy describes them; ``migrations/`` makes them, and a test holds the two together.

Names and meanings are those of Nova's ``compute_nodes`` and ``services``. What nobody measures is NULL.
Sizes are 64 bits wide.
"""

from host_agent.store.schema.aggregates import AGGREGATE_METADATA, AGGREGATES, MEMBERS
from host_agent.store.schema.base import METADATA, UtcDateTime
from host_agent.store.schema.hosts import EVENTS, HOSTS, SERVICES
from host_agent.store.schema.inventories import INVENTORIES, NODES, SUMS, TRAIT_SETS
from host_agent.store.schema.tokens import API_TOKENS
from host_agent.store.schema.workloads import FOUND_WORKLOADS, MIGRATIONS, WORKLOADS

__all__ = [
    "AGGREGATES",
    "AGGREGATE_METADATA",
    "API_TOKENS",
    "EVENTS",
    "FOUND_WORKLOADS",
    "HOSTS",
    "INVENTORIES",
    "MEMBERS",
    "METADATA",
    "MIGRATIONS",
    "NODES",
    "SERVICES",
    "SUMS",
    "TRAIT_SETS",
    "WORKLOADS",
    "UtcDateTime",
]
