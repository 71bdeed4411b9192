# SPDX-License-Identifier: Apache-2.0
"""Everything kept in SQL; the only importer of SQLAlchemy and alembic.

One public function is one transaction, retried from outside for temporary errors; `prune` is one for each page. They
raise `StoreError` and its children, and `ReportRefused` and its children where the database works and says no.
"""

from host_agent.store.aggregate_rows import (
    Aggregate,
    AvailabilityZone,
    aggregates_of_host,
    availability_zones,
    get_aggregate,
    list_aggregates,
)
from host_agent.store.aggregates import (
    add_host,
    create_aggregate,
    delete_aggregate,
    remove_host,
    set_metadata,
    update_aggregate,
)
from host_agent.store.compute_host import find, get, known_facts, list_hosts
from host_agent.store.engine import open_engine
from host_agent.store.events import add_events, list_events
from host_agent.store.group_usage import fleet_usage, usage_by_aggregate, usage_by_zone
from host_agent.store.host_report import upsert, upsert_many
from host_agent.store.hosts import prune, retire
from host_agent.store.migrations import delete_migration, list_migrations, record_migration
from host_agent.store.registration import Candidate, Claim, Registration, recognise, register
from host_agent.store.row import Row
from host_agent.store.services import Beat, Lease, contend, heartbeat, list_services, release, service_uuid
from host_agent.store.usage_audit import HostUsage, host_usage, recount
from host_agent.store.workloads import delete_workload, list_workloads, record_workload
from host_agent.store.zones import DEFAULT_ZONE

__all__ = [
    "DEFAULT_ZONE",
    "Aggregate",
    "AvailabilityZone",
    "Beat",
    "Candidate",
    "Claim",
    "HostUsage",
    "Lease",
    "Registration",
    "Row",
    "add_events",
    "add_host",
    "aggregates_of_host",
    "availability_zones",
    "contend",
    "create_aggregate",
    "delete_aggregate",
    "delete_migration",
    "delete_workload",
    "find",
    "fleet_usage",
    "get",
    "get_aggregate",
    "heartbeat",
    "host_usage",
    "known_facts",
    "list_aggregates",
    "list_events",
    "list_hosts",
    "list_migrations",
    "list_services",
    "list_workloads",
    "open_engine",
    "prune",
    "recognise",
    "record_migration",
    "record_workload",
    "recount",
    "register",
    "release",
    "remove_host",
    "retire",
    "service_uuid",
    "set_metadata",
    "update_aggregate",
    "upsert",
    "upsert_many",
    "usage_by_aggregate",
    "usage_by_zone",
]
