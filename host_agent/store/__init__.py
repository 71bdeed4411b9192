# SPDX-License-Identifier: Apache-2.0
"""Everything kept in SQL; the only importer of SQLAlchemy and alembic.

One public function is one transaction, retried from outside for temporary errors; `prune` is one for each page. They
raise `StoreError` and its children, and `ReportRefused` and its children where the database works and says no.
"""

from host_agent.store.compute_host import find, get, known_facts, list_hosts, upsert, upsert_many
from host_agent.store.engine import open_engine
from host_agent.store.events import add_events, list_events
from host_agent.store.hosts import prune, retire
from host_agent.store.registration import Candidate, Claim, Registration, recognise, register
from host_agent.store.row import Row
from host_agent.store.services import Beat, Lease, contend, heartbeat, list_services, release, service_uuid

__all__ = [
    "Beat",
    "Candidate",
    "Claim",
    "Lease",
    "Registration",
    "Row",
    "add_events",
    "contend",
    "find",
    "get",
    "heartbeat",
    "known_facts",
    "list_events",
    "list_hosts",
    "list_services",
    "open_engine",
    "prune",
    "recognise",
    "register",
    "release",
    "retire",
    "service_uuid",
    "upsert",
    "upsert_many",
]
