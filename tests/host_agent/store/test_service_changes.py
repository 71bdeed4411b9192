# SPDX-License-Identifier: Apache-2.0
"""What operators do to services: on SQLite, and what depends on locks and joins on every backend."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
from sqlalchemy import event, func, select

from host_agent import store
from host_agent.errors import HostNotFound, LeaseLost, ServiceInUse, ServiceNotFound
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.schema import EVENTS, FOUND_WORKLOADS, INVENTORIES
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import DOWN_AFTER, age, beat, claim, codes, enlist, host
from tests.host_agent.store.workloads import discovery, move, report, used, vm

GONE: list[int | str] = ["00000000-0000-4000-8000-999999999999", 999_999, -1, "nonsense"]


@pytest.fixture
def sqlite(sqlite_url: str, opened: Callable[..., Engine]) -> Engine:
    engine = opened(sqlite_url)
    migrate.create(engine)
    return engine


def key(number: int = 1, binary: str = "nova-compute") -> str:
    return store.service_uuid(uuid(number), binary)


def service(engine: Engine, number: int = 1) -> dict[str, Any]:
    columns = ("id", "disabled", "disabled_reason", "forced_down", "is_alive", "updated_at")
    (found,) = store.zoned_services(engine, columns, down_after_seconds=DOWN_AFTER, uuid=key(number))
    return found


def told(engine: Engine, number: int = 1) -> list[tuple[object, object, object]]:
    """Give code, message and detail of what was told of a host, without its registration, oldest first."""
    rows = reversed(store.list_events(engine, host_uuid=uuid(number)))
    return [
        (row["code"], row["message"], json.loads(str(row["detail"])))
        for row in rows
        if row["code"] != "host-registered"
    ]


def hosts(engine: Engine) -> list[object]:
    return [row["host"] for row in store.list_hosts(engine)]


def services(engine: Engine) -> list[object]:
    return [row["host"] for row in store.list_services(engine)]


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


class TestChanging:
    def test_a_service_is_disabled_with_a_reason_and_enabled_without(self, engine: Engine) -> None:
        enlist(engine)
        before = service(engine)
        store.change_service(engine, key(), disabled=True, disabled_reason="new fans")
        disabled = service(engine)
        assert (disabled["disabled"], disabled["disabled_reason"]) == (True, "new fans")
        assert (disabled["is_alive"], disabled["updated_at"] > before["updated_at"]) == (True, True)
        store.change_service(engine, before["id"], disabled=True)
        assert service(engine)["disabled_reason"] is None
        store.change_service(engine, before["id"], disabled=False, disabled_reason="none any more")
        enabled = service(engine)
        assert (enabled["disabled"], enabled["disabled_reason"]) == (False, None)
        assert told(engine) == [
            (
                "service-disabled",
                "an operator disabled its service 'nova-compute': new fans",
                {"binary": "nova-compute", "reason": "new fans"},
            ),
            (
                "service-disabled",
                "an operator disabled its service 'nova-compute'",
                {"binary": "nova-compute", "reason": None},
            ),
            ("service-enabled", "an operator enabled its service 'nova-compute'", {"binary": "nova-compute"}),
        ]

    def test_a_service_forced_down_is_down_while_it_beats(self, sqlite: Engine) -> None:
        lease = enlist(sqlite)
        store.change_service(sqlite, key(), forced_down=True)
        assert beat(sqlite, lease) is not None
        assert (service(sqlite)["forced_down"], service(sqlite)["is_alive"]) == (True, False)
        store.change_service(sqlite, key(), forced_down=False)
        assert service(sqlite)["is_alive"] is True
        assert [code for code, _, _ in told(sqlite)] == ["service-forced-down", "service-forced-up"]

    def test_both_at_once_are_one_change(self, sqlite: Engine) -> None:
        enlist(sqlite)
        store.change_service(sqlite, key(), disabled=True, disabled_reason="gone", forced_down=True)
        assert [code for code, _, _ in told(sqlite)] == ["service-forced-down", "service-disabled"]
        assert (service(sqlite)["disabled"], service(sqlite)["forced_down"]) == (True, True)

    def test_what_is_so_already_is_neither_changed_nor_told(self, sqlite: Engine) -> None:
        enlist(sqlite)
        store.change_service(sqlite, key(), disabled=True, disabled_reason="why", forced_down=True)
        before = service(sqlite), told(sqlite)
        store.change_service(sqlite, key(), disabled=True, disabled_reason="why", forced_down=True)
        store.change_service(sqlite, key(), forced_down=True)
        store.change_service(sqlite, key())
        assert (service(sqlite), told(sqlite)) == before

    def test_a_heartbeat_and_a_restart_keep_what_the_operator_said(self, sqlite: Engine) -> None:
        lease = enlist(sqlite)
        store.change_service(sqlite, key(), disabled=True, disabled_reason="why", forced_down=True)
        beat(sqlite, lease)
        store.release(sqlite, lease)
        enlist(sqlite)
        after = service(sqlite)
        assert (after["disabled"], after["disabled_reason"], after["forced_down"]) == (True, "why", True)

    def test_another_host_is_not_touched(self, sqlite: Engine) -> None:
        for number in (1, 2):
            enlist(sqlite, number)
        store.change_service(sqlite, key(1), disabled=True, forced_down=True)
        assert (service(sqlite, 2)["disabled"], service(sqlite, 2)["forced_down"]) == (False, False)
        assert told(sqlite, 2) == []

    def test_a_service_without_facts_is_told_of_by_its_name(self, sqlite: Engine) -> None:
        store.register(sqlite, claim())
        store.change_service(sqlite, key(), disabled=True)
        newest = store.list_events(sqlite)[0]
        assert (newest["code"], newest["host_uuid"], newest["host"]) == ("service-disabled", None, "node-1")

    def test_what_is_not_there_is_said(self, sqlite: Engine) -> None:
        enlist(sqlite)
        for gone in GONE:
            with pytest.raises(ServiceNotFound, match=f"no service has the (id|uuid) {gone}"):
                store.change_service(sqlite, gone, disabled=True)
            with pytest.raises(ServiceNotFound, match=f"no service has the (id|uuid) {gone}"):
                store.delete_service(sqlite, gone)
        assert (services(sqlite), told(sqlite)) == (["node-1"], [])


class TestDeleting:
    def test_all_that_was_kept_of_the_host_goes(self, engine: Engine) -> None:
        for number in (1, 2):
            enlist(engine, number)
            report(engine, number, discovery(vm(number)), sequence=2)
        made = store.create_aggregate(engine, "one", "zone-a")
        for name in ("node-1", "node-2"):
            store.add_host(engine, made.id, name)

        store.delete_service(engine, key(1))

        assert hosts(engine) == services(engine) == ["node-2"]
        assert store.get_aggregate(engine, made.id).hosts == ("node-2",)
        assert store.host_usage(engine, uuid(1)) is None
        assert [count(engine, table) for table in (INVENTORIES, FOUND_WORKLOADS)] == [1, 1]
        assert told(engine, 1) == [
            (
                "host-deleted",
                "an operator deleted its service 'nova-compute', and all that was kept of it",
                {"binary": "nova-compute", "service_uuid": key(1)},
            )
        ]
        assert codes(engine, 1) == ["host-deleted"]
        assert codes(engine, 2) == ["host-registered", "aggregate-host-added"]
        with pytest.raises(HostNotFound):
            store.add_host(engine, made.id, "node-1")

    def test_a_host_that_lives_registers_as_a_new_one(self, sqlite: Engine) -> None:
        lease = enlist(sqlite)
        made = store.create_aggregate(sqlite, "one")
        store.add_host(sqlite, made.id, "node-1")
        store.change_service(sqlite, key(), disabled=True)
        store.delete_service(sqlite, lease.service_id)
        assert beat(sqlite, lease) is None
        with pytest.raises(LeaseLost):
            store.upsert(sqlite, record(sequence=2), lease)
        enlist(sqlite)
        assert (hosts(sqlite), service(sqlite)["disabled"]) == (["node-1"], False)
        assert store.get_aggregate(sqlite, made.id).hosts == ()
        assert codes(sqlite, 1) == ["host-deleted", "host-registered"]

    def test_not_while_workloads_are_recorded_for_it(self, engine: Engine) -> None:
        enlist(engine)
        for state in ("running", "stopped", "error"):
            store.record_workload(engine, vm(1, state=state), "node-1")
            before = host(engine) | {"now": None}
            with pytest.raises(ServiceInUse, match="'node-1' has 1 workloads and 0 migrations in progress") as refused:
                store.delete_service(engine, key())
            assert (refused.value.workloads, refused.value.migrations) == (1, 0)
            assert (host(engine) | {"now": None}, services(engine), told(engine)) == (before, ["node-1"], [])
        store.record_workload(engine, vm(1, state="deleted"), "node-1")
        store.delete_service(engine, key())
        assert services(engine) == []

    def test_not_while_a_workload_comes_or_goes(self, engine: Engine) -> None:
        for number in (1, 2):
            enlist(engine, number)
        for source, dest in ((1, 2), (2, 1), (1, 1), (1, None)):
            store.record_migration(engine, move(source=source, dest=dest))
            with pytest.raises(ServiceInUse) as refused:
                store.delete_service(engine, key(1))
            assert (refused.value.workloads, refused.value.migrations) == (0, 1)
            store.record_migration(engine, move(source=source, dest=dest, status="completed"))
        store.delete_service(engine, key(1))
        assert services(engine) == ["node-2"]

    def test_what_only_the_agent_found_is_no_reason_to_stay(self, sqlite: Engine) -> None:
        """A host that burnt down cannot be emptied: what was found there last goes with it."""
        enlist(sqlite)
        report(sqlite, 1, discovery(vm(1)), sequence=2)
        assert used(sqlite)[0] == 4
        store.delete_service(sqlite, key())
        assert hosts(sqlite) == []

    def test_a_service_that_never_reported_goes_alone(self, sqlite: Engine) -> None:
        store.register(sqlite, claim())
        enlist(sqlite, 2)
        store.delete_service(sqlite, key())
        assert services(sqlite) == hosts(sqlite) == ["node-2"]
        newest = store.list_events(sqlite)[0]
        assert (newest["code"], newest["host_uuid"], newest["host"]) == ("host-deleted", None, "node-1")

    def test_a_name_with_another_service_keeps_its_aggregates(self, engine: Engine) -> None:
        enlist(engine)
        enlist(engine, binary="zun-compute")
        made = store.create_aggregate(engine, "one")
        store.add_host(engine, made.id, "node-1")
        store.delete_service(engine, key(binary="nova-compute"))
        assert (services(engine), hosts(engine)) == (["node-1"], ["node-1"])
        assert store.get_aggregate(engine, made.id).hosts == ("node-1",)
        store.delete_service(engine, key(binary="zun-compute"))
        assert store.get_aggregate(engine, made.id).hosts == ()

    def test_an_older_row_of_the_name_counts_again(self, sqlite: Engine) -> None:
        """What was found there counted no more since another machine had taken the name over."""
        enlist(sqlite, 1)
        report(sqlite, 1, discovery(vm(1)), sequence=2)
        age(sqlite, "last_seen_up", DOWN_AFTER + 1)
        lease = store.register(sqlite, claim(2, host="node-1")).lease
        store.upsert(sqlite, record(2, host="node-1"), lease)
        store.recount(sqlite)
        before = used(sqlite, 1)[0]
        store.delete_service(sqlite, key(2))
        assert (before, used(sqlite, 1)[0]) == (0, 4)

    def test_twice_is_once(self, sqlite: Engine) -> None:
        enlist(sqlite)
        store.delete_service(sqlite, key())
        events = count(sqlite, EVENTS)
        with pytest.raises(ServiceNotFound):
            store.delete_service(sqlite, key())
        assert count(sqlite, EVENTS) == events

    def test_a_workload_that_comes_meanwhile_is_seen(
        self, engine: Engine, prepared_url: str, opened: Callable[..., Engine]
    ) -> None:
        """Somebody deletes the host after the workload was written and before that is committed."""
        enlist(engine)
        other = opened(prepared_url)
        deleting: list[Future[None]] = []
        with ThreadPoolExecutor(1) as pool:

            def overtake(_connection: object, _cursor: object, statement: str, *_: object) -> None:
                if statement.startswith("UPDATE workloads SET missing_since") and not deleting:
                    deleting.append(pool.submit(store.delete_service, engine, key()))
                    # It has to wait for us: that it has not come back is all that can be seen of it.
                    wait(deleting, timeout=0.5)

            event.listen(other, "after_cursor_execute", overtake)
            store.record_workload(other, vm(1), "node-1")
            assert isinstance(deleting[0].exception(), ServiceInUse)
        assert hosts(engine) == ["node-1"]
