# SPDX-License-Identifier: Apache-2.0
"""Everything kept in SQL; the only importer of SQLAlchemy and alembic.

One public function is one transaction, retried from outside for temporary errors. All of it raises `StoreError`
and its children only.
"""

from host_agent.store.compute_host import Row, find, get, list_hosts, upsert, upsert_many
from host_agent.store.engine import open_engine
from host_agent.store.services import heartbeat, list_services

__all__ = [
    "Row",
    "find",
    "get",
    "heartbeat",
    "list_hosts",
    "list_services",
    "open_engine",
    "upsert",
    "upsert_many",
]
