# SPDX-License-Identifier: Apache-2.0
"""Heartbeats and leases, on every backend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from host_agent import store
from host_agent.errors import DuplicateHost, LeaseLost
from host_agent.store.engine import Engine
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import BOOT, DOWN_AFTER, OTHER_BOOT, age, beat, claim, codes, enlist, host


def service(engine: Engine) -> dict[str, Any]:
    (row,) = store.list_services(engine)
    return row


def test_each_heartbeat_counts_and_moves_the_time(engine: Engine) -> None:
    lease = store.register(engine, claim()).lease
    before = service(engine)
    answers = [beat(engine, lease) for _ in range(3)]
    after = service(engine)
    assert answers == [store.Beat(lease=lease, contender=None)] * 3
    assert (before["report_count"], after["report_count"]) == (1, 4)
    assert after["last_seen_up"] > before["last_seen_up"]
    assert after["last_seen_up"] <= after["updated_at"]
    assert after["created_at"] == before["created_at"]


def test_a_heartbeat_is_two_statements_that_touch_no_index(engine: Engine) -> None:
    lease = store.register(engine, claim()).lease
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    beat(engine, lease)
    update, select = (statement for statement in statements if not statement.startswith("BEGIN"))
    assert select.startswith("SELECT")
    changed = update.split("SET ")[1].split(" WHERE ")[0]
    assert changed.count("=") == 3
    assert all(f"{column}=" in changed for column in ("report_count", "last_seen_up", "updated_at"))


def test_a_heartbeat_without_a_row_asks_to_register(engine: Engine) -> None:
    lease = store.Lease(service_id=1, service_uuid=store.service_uuid(uuid(1), "nova-compute"), boot_id=BOOT)
    assert beat(engine, lease) is None
    assert store.list_services(engine) == []


@pytest.mark.parametrize(("silent", "is_taken"), [(DOWN_AFTER - 20, True), (DOWN_AFTER + 1, False), (None, False)])
def test_who_was_silent_too_long_has_to_register(engine: Engine, silent: float | None, is_taken: bool) -> None:
    lease = store.register(engine, claim()).lease
    age(engine, "last_seen_up", silent)
    before = service(engine)
    assert (beat(engine, lease) is not None) is is_taken
    assert (service(engine) == before) is not is_taken


def test_a_boot_that_lost_its_row_is_told_and_changes_nothing(engine: Engine) -> None:
    lease = enlist(engine)
    age(engine, "last_seen_up", DOWN_AFTER + 1)
    newer = enlist(engine, boot_id=OTHER_BOOT)
    before = service(engine), host(engine)["updated_at"]
    assert beat(engine, lease) is None
    with pytest.raises(LeaseLost, match="has to register again"):
        store.upsert(engine, record(running_containers=9, sequence=10**9), lease)
    store.release(engine, lease)
    assert (service(engine), host(engine)["updated_at"]) == before
    assert beat(engine, newer) is not None


def test_a_lease_given_back_is_free_for_the_next_boot(engine: Engine) -> None:
    lease = enlist(engine)
    store.release(engine, lease)
    assert service(engine)["boot_id"] is None
    assert beat(engine, lease) is None
    with pytest.raises(LeaseLost):
        store.upsert(engine, record(), lease)
    assert beat(engine, enlist(engine, boot_id=OTHER_BOOT)) is not None


def test_a_second_boot_is_known_to_the_first_and_told_once(engine: Engine) -> None:
    lease = enlist(engine)
    contender = {"service_uuid": lease.service_uuid, "boot_id": OTHER_BOOT, "host": "clone"}
    for _ in range(3):
        store.contend(engine, **contender)
    assert beat(engine, lease) == store.Beat(lease=lease, contender=f"clone, boot id {OTHER_BOOT}")
    assert codes(engine) == ["host-registered", "identity-duplicate"]

    age(engine, "contended_at", DOWN_AFTER + 1)
    assert beat(engine, lease) == store.Beat(lease=lease, contender=None)


def test_nobody_contends_with_itself_or_for_a_free_row(engine: Engine) -> None:
    lease = enlist(engine)
    store.contend(engine, service_uuid=lease.service_uuid, boot_id=BOOT, host="node-1")
    store.contend(engine, service_uuid=lease.service_uuid, boot_id=None, host="node-1")
    store.release(engine, lease)
    store.contend(engine, service_uuid=lease.service_uuid, boot_id=OTHER_BOOT, host="clone")
    assert service(engine)["contended_at"] is None
    assert codes(engine) == ["host-registered"]


def test_a_contender_does_not_get_the_row_while_its_holder_restarts(engine: Engine) -> None:
    lease = enlist(engine)
    store.contend(engine, service_uuid=lease.service_uuid, boot_id=OTHER_BOOT, host="clone")
    store.release(engine, lease)
    with pytest.raises(DuplicateHost):
        store.register(engine, claim(boot_id=OTHER_BOOT))
    assert store.register(engine, claim()).lease == lease

    age(engine, "contended_at", 86400 + 1)
    store.release(engine, lease)
    assert store.register(engine, claim(boot_id=OTHER_BOOT)).lease == replace(lease, boot_id=OTHER_BOOT)


def test_a_contender_that_gets_the_row_is_none_any_more(engine: Engine) -> None:
    lease = enlist(engine)
    store.contend(engine, service_uuid=lease.service_uuid, boot_id=OTHER_BOOT, host="clone")
    age(engine, "last_seen_up", DOWN_AFTER + 1)
    assert beat(engine, enlist(engine, boot_id=OTHER_BOOT)) == store.Beat(
        lease=store.Lease(service_id=lease.service_id, service_uuid=lease.service_uuid, boot_id=OTHER_BOOT),
        contender=None,
    )


def test_a_boot_without_an_id_neither_keeps_out_nor_is_kept_out(engine: Engine) -> None:
    nameless = enlist(engine, boot_id=None)
    assert beat(engine, nameless) is not None
    holder = enlist(engine)
    assert beat(engine, nameless) is not None
    assert beat(engine, enlist(engine, boot_id=None)) is not None
    # It did not take the row from the one that has an id.
    assert beat(engine, holder) is not None
    store.release(engine, nameless)
    with pytest.raises(DuplicateHost):
        store.register(engine, claim(boot_id=OTHER_BOOT))


def test_two_binaries_on_one_host_are_two_services(engine: Engine) -> None:
    first = store.register(engine, claim())
    second = store.register(engine, claim(binary="zun-compute"))
    assert [row["id"] for row in store.list_services(engine)] == [first.lease.service_id, second.lease.service_id]
