# SPDX-License-Identifier: Apache-2.0
"""The tables as SQLAlchemy models; ``migrations/`` makes them, and a test holds the two together.

Names and meanings are those of Nova's ``compute_nodes`` and ``services``. What nobody measures is NULL.
"""

from host_agent.store.schema.aggregates import AggregateHostRow, AggregateMetadataRow, AggregateRow
from host_agent.store.schema.base import Base, UtcDateTime
from host_agent.store.schema.hosts import ComputeHostRow, EventRow, ServiceRow
from host_agent.store.schema.inventories import HostInventoryRow, InventorySumRow, NodeInventoryRow, TraitSetRow
from host_agent.store.schema.tokens import ApiTokenRow
from host_agent.store.schema.workloads import FoundWorkloadRow, MigrationRow, WorkloadRow

__all__ = [
    "AggregateHostRow",
    "AggregateMetadataRow",
    "AggregateRow",
    "ApiTokenRow",
    "Base",
    "ComputeHostRow",
    "EventRow",
    "FoundWorkloadRow",
    "HostInventoryRow",
    "InventorySumRow",
    "MigrationRow",
    "NodeInventoryRow",
    "ServiceRow",
    "TraitSetRow",
    "UtcDateTime",
    "WorkloadRow",
]
