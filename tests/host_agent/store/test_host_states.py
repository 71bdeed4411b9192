# SPDX-License-Identifier: Apache-2.0
"""Hosts counted by state in SQL, as `host_agent.liveness` tells the state of each."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import update

from host_agent import store
from host_agent.liveness import state
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS, SERVICES
from tests.host_agent.facts import uuid
from tests.host_agent.store.fleet import DOWN_AFTER, age, enlist

STALE_AFTER = 900


def test_each_host_counts_in_its_state_alone(engine: Engine) -> None:
    for number in range(1, 10):
        enlist(engine, number)
    age(engine, "last_seen_up", DOWN_AFTER + 5, number=2)
    age(engine, "last_seen_up", None, number=3)
    age(engine, "updated_at", STALE_AFTER + 5, HOSTS, number=4)
    age(engine, "updated_at", None, HOSTS, number=5)
    store.retire(engine, uuid(6))
    with engine.begin() as connection:
        for number, column in ((7, "disabled"), (8, "forced_down")):
            own = store.service_uuid(uuid(number), "nova-compute")
            connection.execute(update(SERVICES).where(SERVICES.c.uuid == own).values({column: True}))
        connection.execute(update(HOSTS).where(HOSTS.c.uuid == uuid(9)).values(service_id=None))

    counted = store.count_hosts(engine, down_after_seconds=DOWN_AFTER, stale_after_seconds=STALE_AFTER)

    told = Counter(
        state(row, down_after_seconds=DOWN_AFTER, stale_after_seconds=STALE_AFTER) for row in store.list_hosts(engine)
    )
    assert counted == told == {"up": 1, "down": 4, "stale": 2, "retired": 1, "disabled": 1}


def test_a_state_that_no_host_has_is_told_as_0(engine: Engine) -> None:
    counted = store.count_hosts(engine, down_after_seconds=DOWN_AFTER, stale_after_seconds=STALE_AFTER)
    assert counted == {"up": 0, "down": 0, "stale": 0, "retired": 0, "disabled": 0}
