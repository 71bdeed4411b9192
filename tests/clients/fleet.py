# SPDX-License-Identifier: Apache-2.0
"""The five hosts that the clients look at, written through the store: ``python -m tests.clients.fleet DATABASE_URL``.

node-1   up, no zone, runs vm-1 and vm-2
node-2   up, zone east by aggregate rack-2, runs vm-3
node-3   up, zone east by aggregate rack-2
node-4   up, no zone
node-5   not heard of for an hour and a half
"""

from __future__ import annotations

import sys

from host_agent import store
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.facts import record
from tests.host_agent.store.fleet import age, claim
from tests.host_agent.store.workloads import GIB, vm

__all__ = ["write"]

# A day and three hours.
_BOOTED_BEFORE_SECONDS = 97_200


def write(engine: Engine) -> None:
    """Write them into a database with the newest schema."""
    for number in range(1, 6):
        claimed = claim(number)
        facts = record(number, boot_id=claimed.boot_id, sequence=_BOOTED_BEFORE_SECONDS * 10**6, hypervisor_type="QEMU")
        store.upsert(engine, facts, store.register(engine, claimed).lease)
    age(engine, "last_seen_up", 5400, number=5)
    rack = store.create_aggregate(engine, "rack-2", availability_zone="east")
    for host in ("node-2", "node-3"):
        store.add_host(engine, rack.id, host)
    for number, host in ((1, "node-1"), (2, "node-1"), (3, "node-2")):
        store.record_workload(engine, vm(number, memory_bytes=GIB), host)


if __name__ == "__main__":
    opened = store.open_engine(sys.argv[1])
    migrate.create(opened)
    write(opened)
