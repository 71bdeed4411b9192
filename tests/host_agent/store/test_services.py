# SPDX-License-Identifier: Apache-2.0
"""Heartbeats, on every backend."""

from __future__ import annotations

from typing import Any

from host_agent import store
from host_agent.store.engine import Engine
from tests.host_agent.facts import uuid

AGENT: dict[str, Any] = {"uuid": uuid(1), "host": "node-1", "binary": "nova-compute", "topic": "compute"}


def test_the_first_heartbeat_registers_the_service(engine: Engine) -> None:
    service_id = store.heartbeat(engine, **AGENT, version=3)
    (row,) = store.list_services(engine)
    assert {**row, **AGENT, "id": service_id, "version": 3, "report_count": 1} == row
    assert (row["disabled"], row["forced_down"], row["deleted"]) == (False, False, 0)
    assert row["last_seen_up"] is not None


def test_each_heartbeat_counts_and_moves_the_time(engine: Engine) -> None:
    ids = {store.heartbeat(engine, **AGENT)}
    (before,) = store.list_services(engine)
    ids |= {store.heartbeat(engine, **AGENT) for _ in range(3)}
    (after,) = store.list_services(engine)
    assert ids == {after["id"]}
    assert after["report_count"] == 4
    assert str(after["last_seen_up"]) > str(before["last_seen_up"])
    assert after["created_at"] == before["created_at"]


def test_a_host_installed_anew_goes_on_in_its_row(engine: Engine) -> None:
    first = store.heartbeat(engine, **AGENT)
    assert store.heartbeat(engine, **{**AGENT, "uuid": uuid(2)}) == first
    (row,) = store.list_services(engine)
    assert row["uuid"] == uuid(1)


def test_an_agent_under_a_changed_host_option_keeps_its_row(engine: Engine) -> None:
    first = store.heartbeat(engine, **AGENT)
    assert store.heartbeat(engine, **{**AGENT, "host": "rack-1"}) == first
    (row,) = store.list_services(engine)
    assert (row["host"], row["report_count"]) == ("rack-1", 2)


def test_two_binaries_on_one_host_are_two_services(engine: Engine) -> None:
    first = store.heartbeat(engine, **AGENT)
    second = store.heartbeat(engine, **{**AGENT, "uuid": uuid(2), "binary": "zun-compute"})
    assert [row["id"] for row in store.list_services(engine)] == sorted([first, second])
