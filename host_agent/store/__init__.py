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
from host_agent.store.fleet_fit import FleetFit, fitting_hosts
from host_agent.store.group_usage import (
    aggregate_usage,
    fleet_usage,
    usage_by_aggregate,
    usage_by_zone,
    zone_usage,
)
from host_agent.store.host_report import upsert, upsert_many
from host_agent.store.host_states import count_hosts
from host_agent.store.hosts import prune, retire
from host_agent.store.hypervisors import find_hypervisors, get_hypervisor, hypervisor_servers, list_hypervisors
from host_agent.store.migrations import delete_migration, get_migration, list_migrations, record_migration
from host_agent.store.narrow_hosts import hosts_named, hosts_sorted
from host_agent.store.registration import Candidate, Claim, Registration, recognise, register
from host_agent.store.row import Row
from host_agent.store.service_changes import change_service, delete_service
from host_agent.store.services import Beat, Lease, contend, heartbeat, list_services, release, service_uuid
from host_agent.store.statistics import hypervisor_statistics
from host_agent.store.tokens import (
    TOKEN_ROLES,
    ApiToken,
    bearer_of_token,
    create_token,
    delete_token,
    list_tokens,
)
from host_agent.store.usage_audit import HostUsage, host_usage, recount
from host_agent.store.workloads import delete_workload, get_workload, list_workloads, record_workload
from host_agent.store.zoned_services import ServiceZone, service_zones, zoned_services
from host_agent.store.zones import DEFAULT_ZONE

__all__ = [
    "DEFAULT_ZONE",
    "TOKEN_ROLES",
    "Aggregate",
    "ApiToken",
    "AvailabilityZone",
    "Beat",
    "Candidate",
    "Claim",
    "FleetFit",
    "HostUsage",
    "Lease",
    "Registration",
    "Row",
    "ServiceZone",
    "add_events",
    "add_host",
    "aggregate_usage",
    "aggregates_of_host",
    "availability_zones",
    "bearer_of_token",
    "change_service",
    "contend",
    "count_hosts",
    "create_aggregate",
    "create_token",
    "delete_aggregate",
    "delete_migration",
    "delete_service",
    "delete_token",
    "delete_workload",
    "find",
    "find_hypervisors",
    "fitting_hosts",
    "fleet_usage",
    "get",
    "get_aggregate",
    "get_hypervisor",
    "get_migration",
    "get_workload",
    "heartbeat",
    "host_usage",
    "hosts_named",
    "hosts_sorted",
    "hypervisor_servers",
    "hypervisor_statistics",
    "known_facts",
    "list_aggregates",
    "list_events",
    "list_hosts",
    "list_hypervisors",
    "list_migrations",
    "list_services",
    "list_tokens",
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
    "service_zones",
    "set_metadata",
    "update_aggregate",
    "upsert",
    "upsert_many",
    "usage_by_aggregate",
    "usage_by_zone",
    "zone_usage",
    "zoned_services",
]
