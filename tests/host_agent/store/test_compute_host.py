# SPDX-License-Identifier: Apache-2.0
"""Rows of compute_host, on every backend."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import event, text

from host_agent import store
from host_agent.errors import UnknownMarker
from host_agent.record import ComputeHost
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS
from os_capability import Host
from tests.host_agent.facts import machine, record, uuid
from tests.host_agent.store.fleet import BOOT, OTHER_BOOT, claim, enlist

BIG = 2**53 + 1
STORES_OWN = {"id", "service_id", "mapped", "facts_at", "created_at", "updated_at", "deleted_at", "deleted"} | {
    "retired_at",
    "usage_generation",
    "workloads_at",
    *("vcpus_used", "pcpus_used", "memory_mb_used", "free_ram_mb", "local_gb_used", "free_disk_gb", "used_cpu"),
    *("running_vms", "current_workload"),
}


def row_of(engine: Engine, number: int = 1) -> dict[str, Any]:
    row = store.get(engine, uuid(number))
    assert row is not None
    return row


def columns_of(written: ComputeHost) -> dict[str, Any]:
    """Give what was written; which set of traits it is nobody asks for."""
    return {name: value for name, value in asdict(written).items() if name != "traits"}


def test_a_record_has_every_column_but_those_the_store_fills_in() -> None:
    columns = {column.name for column in HOSTS.columns}
    known = {field.name for field in fields(ComputeHost)} - {"traits"} | {"trait_set_id"}
    assert known == columns - STORES_OWN


def test_every_column_comes_back_as_it_was_written(engine: Engine) -> None:
    full: dict[str, Any] = {}
    for field in fields(ComputeHost):
        if field.type == "int | None":
            full[field.name] = BIG
        elif field.type == "float | None":
            full[field.name] = 0.1
        elif field.type == "bool | None":
            full[field.name] = True
        elif field.type == "str | None":
            full[field.name] = f"{field.name} ünï 🖥 \\ ' %s :x"
    full |= {"boot_id": uuid(99), "product_uuid": uuid(98), "sequence": BIG}
    written = record(**full)
    lease = store.register(engine, claim(boot_id=uuid(99))).lease
    store.upsert(engine, written, lease)
    row = row_of(engine)
    assert {name: row[name] for name in columns_of(written)} == columns_of(written)
    assert row["service_id"] == lease.service_id
    assert (row["deleted"], row["deleted_at"], row["mapped"]) == (0, None, None)


def test_what_is_unknown_comes_back_as_none(engine: Engine) -> None:
    unknown: dict[str, Any] = {field.name: None for field in fields(ComputeHost) if "None" in str(field.type)}
    store.upsert(engine, record(**unknown))
    row = row_of(engine)
    assert {name: row[name] for name in unknown} == unknown


def test_writing_twice_keeps_one_row_and_moves_updated_at(engine: Engine) -> None:
    store.upsert(engine, record())
    before = row_of(engine)
    store.upsert(engine, record())
    after = row_of(engine)
    assert len(store.list_hosts(engine)) == 1
    assert after["updated_at"] > before["updated_at"]
    assert {**after, "updated_at": None, "now": None} == {**before, "updated_at": None, "now": None}


def test_times_are_the_databases_in_utc(engine: Engine) -> None:
    store.upsert(engine, record())
    row = row_of(engine)
    assert abs(row["updated_at"] - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert row["created_at"].utcoffset() == timedelta(0)
    assert row["facts_at"] >= row["created_at"] - timedelta(milliseconds=5)


def test_facts_are_written_only_when_their_digest_moved(engine: Engine) -> None:
    store.upsert(engine, record(facts=machine(free_bytes=1 << 30)))
    first = row_of(engine)
    quieter = record(facts=machine(free_bytes=1 << 29))
    store.upsert(engine, quieter)
    second = row_of(engine)
    assert second["mem_free_kb"] == 1 << 19
    assert (second["facts"], second["facts_at"]) == (first["facts"], first["facts_at"])

    changed = record(facts=machine(flag="avx512f"))
    store.upsert(engine, changed)
    third = row_of(engine)
    assert (third["facts"], third["facts_digest"]) == (changed.facts, changed.facts_digest)
    assert third["facts_at"] > second["facts_at"]
    assert third["created_at"] == first["created_at"]


def test_an_unmoved_digest_sends_no_document(engine: Engine) -> None:
    store.upsert(engine, record())
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    store.upsert(engine, record())
    store.upsert_many(engine, [record()])
    writes = [statement for statement in statements if statement.startswith(("UPDATE", "INSERT"))]
    assert len(writes) == 2
    assert all("facts=" not in statement and "facts)" not in statement for statement in writes)


def test_a_renamed_host_keeps_its_row(engine: Engine) -> None:
    store.upsert(engine, record(name="old"))
    store.upsert(engine, replace(record(name="new"), host="old-1"))
    (row,) = store.list_hosts(engine)
    assert (row["id"], row["host"], row["hypervisor_hostname"]) == (1, "old-1", "new-1")


def test_two_hosts_may_share_a_name(engine: Engine) -> None:
    store.upsert(engine, record(1, hypervisor_hostname="same"))
    store.upsert(engine, record(2, hypervisor_hostname="same"))
    assert [row["uuid"] for row in store.find(engine, "same")] == [uuid(1), uuid(2)]


def test_the_service_is_kept_where_none_is_given(engine: Engine) -> None:
    lease = enlist(engine)
    store.upsert(engine, record())
    store.upsert_many(engine, [record(facts=machine(flag="avx"))])
    assert row_of(engine)["service_id"] == lease.service_id


def test_hosts_are_found_by_uuid_hypervisor_host_name_and_host(engine: Engine) -> None:
    store.upsert_many(engine, [record(1, host="a", hypervisor_hostname="b"), record(2)])
    for name in (uuid(1), "a", "b"):
        (row,) = store.find(engine, name)
        assert row["uuid"] == uuid(1)
    assert store.find(engine, "nobody") == []
    assert store.find(engine, "A") == []
    assert store.get(engine, uuid(3)) is None


def test_lists_never_select_the_document(engine: Engine) -> None:
    statements: list[str] = []
    store.upsert(engine, record())
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    rows = store.list_hosts(engine) + store.find(engine, "node-1")
    assert len(rows) == 2
    assert all("facts" not in row for row in rows)
    # `facts_at` and `facts_digest` are narrow.
    assert all("compute_host.facts," not in statement for statement in statements)


def test_pages_follow_each_other_by_marker(engine: Engine) -> None:
    store.upsert_many(engine, [record(number) for number in range(1, 8)])
    seen: list[object] = []
    marker = None
    while page := store.list_hosts(engine, limit=3, marker=marker):
        assert len(page) <= 3
        seen += [row["uuid"] for row in page]
        marker = str(page[-1]["uuid"])
    assert seen == [uuid(number) for number in range(1, 8)]


def test_an_unknown_marker_is_an_error(engine: Engine) -> None:
    with pytest.raises(UnknownMarker, match="no host has the uuid 'gone'"):
        store.list_hosts(engine, marker="gone")


def test_a_batch_writes_new_changed_and_settled_hosts(engine: Engine) -> None:
    store.upsert_many(engine, [record(number) for number in (2, 4, 6)])
    before = {row["uuid"]: row for row in store.list_hosts(engine)}
    changed = record(4, facts=machine(flag="avx512f"))
    store.upsert_many(engine, [record(6, running_containers=3), record(5), changed, record(2, running_containers=1)])
    after = {row["uuid"]: row for row in store.list_hosts(engine)}
    assert sorted(map(str, after)) == [uuid(number) for number in (2, 4, 5, 6)]
    assert [after[uuid(number)]["running_containers"] for number in (2, 4, 5, 6)] == [1, None, None, 3]
    moved = {key for key in before if after[key]["facts_at"] != before[key]["facts_at"]}
    assert moved == {uuid(4)}
    assert row_of(engine, 4)["facts"] == changed.facts


def test_a_batch_may_name_a_host_twice_and_the_last_wins(engine: Engine) -> None:
    store.upsert_many(engine, [record(1, running_containers=1), record(1, running_containers=2)])
    assert row_of(engine)["running_containers"] == 2


def test_an_empty_batch_writes_nothing(engine: Engine) -> None:
    store.upsert_many(engine, [])
    assert store.list_hosts(engine) == []


def test_more_hosts_than_a_statement_takes_parameters(engine: Engine) -> None:
    template = record(facts=machine(nodes=1, cores=1, threads=1))
    fleet = [replace(template, uuid=uuid(number), host=f"node-{number}") for number in range(2500)]
    store.upsert_many(engine, fleet)
    store.upsert_many(engine, fleet)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM compute_host")) == 2500


def test_the_document_of_1024_cpus_is_stored_whole(engine: Engine) -> None:
    large = record(facts=machine(nodes=16, cores=32, threads=2))
    assert len(large.facts) > 64 * 1024
    store.upsert(engine, large)
    assert row_of(engine)["facts"] == large.facts


OLD, NEW = machine(), machine(flag="avx512f")
HOUR = 3600 * 1_000_000


# (boot, sequence) of the stored facts, of those that are written, whether these are taken
ORDER = [
    ((BOOT, 5), (BOOT, 4), False),
    ((BOOT, 5), (BOOT, 5), True),
    ((BOOT, 5), (BOOT, 6), True),
    # Late by more than an hour: the machine was set back to a snapshot.
    ((BOOT, 5 + HOUR), (BOOT, 5), False),
    ((BOOT, 6 + HOUR), (BOOT, 5), True),
    # Another boot begins to count anew, and one without an id may be another.
    ((BOOT, 5), (OTHER_BOOT, 4), True),
    ((BOOT, 5), (None, 4), True),
    ((None, 5), (None, 4), True),
    ((None, 5), (BOOT, 4), True),
]


@pytest.mark.parametrize("write", [store.upsert, lambda engine, one: store.upsert_many(engine, [one])])
@pytest.mark.parametrize("facts", [OLD, NEW], ids=["same facts", "other facts"])
def test_facts_of_the_same_boot_that_are_older_change_nothing(engine: Engine, write: Any, facts: Host) -> None:
    for number, (stored, written, is_taken) in enumerate(ORDER):
        write(engine, record(number, facts=OLD, boot_id=stored[0], sequence=stored[1], running_containers=1))
        before = row_of(engine, number)
        newer = record(number, facts=facts, boot_id=written[0], sequence=written[1], running_containers=2)
        write(engine, newer)
        row = row_of(engine, number)
        if is_taken:
            kept = {"product_uuid", "facts"} if facts is OLD else {"product_uuid"}
            expected = {name: value for name, value in columns_of(newer).items() if name not in kept}
            assert {name: row[name] for name in expected} == expected
            assert row["updated_at"] > before["updated_at"]
            assert (row["facts_at"] > before["facts_at"]) is (facts is NEW)
        else:
            assert {**row, "now": None} == {**before, "now": None}


def test_one_host_that_has_newer_facts_holds_up_no_other_of_its_batch(engine: Engine) -> None:
    store.upsert_many(engine, [record(number, sequence=5) for number in (1, 2, 3)])
    before = {number: row_of(engine, number) for number in (1, 2, 3)}
    sequences = {1: 6, 2: 4, 3: 6}
    store.upsert_many(
        engine, [record(number, sequence=sequences[number], running_containers=1) for number in sequences]
    )
    after = {number: row_of(engine, number) for number in (1, 2, 3)}
    assert [after[number]["sequence"] for number in (1, 2, 3)] == [6, 5, 6]
    assert [after[number]["running_containers"] for number in (1, 2, 3)] == [1, None, 1]
    # Their facts are the same, though the whole batch was written anew.
    assert [after[number]["facts_at"] for number in after] == [before[number]["facts_at"] for number in before]


def test_a_product_uuid_is_not_forgotten_by_who_may_not_read_it(engine: Engine) -> None:
    known = record().product_uuid
    store.upsert(engine, record())
    store.upsert(engine, record(product_uuid=None, sequence=2))
    assert row_of(engine)["product_uuid"] == known
    store.upsert(engine, record(product_uuid=None, facts=NEW, sequence=3))
    assert row_of(engine)["product_uuid"] == known
    store.upsert(engine, record(product_uuid=uuid(7), facts=NEW, sequence=4))
    assert row_of(engine)["product_uuid"] == uuid(7)


def test_rows_come_with_the_liveness_of_their_service(engine: Engine) -> None:
    store.upsert(engine, record(1))
    enlist(engine, 2)
    (service,) = store.list_services(engine)
    for rows in (store.list_hosts(engine), store.find(engine, "node-1") + store.find(engine, "node-2")):
        without, with_one = rows
        names = ("last_seen_up", "disabled", "disabled_reason", "forced_down")
        assert [without[name] for name in names] == [None] * 4
        assert [with_one[name] for name in names] == [service["last_seen_up"], False, None, False]
        assert all(row["now"] >= service["last_seen_up"] for row in rows)  # type: ignore[operator]
    assert row_of(engine, 2)["last_seen_up"] == service["last_seen_up"]


def test_the_stored_document_can_be_had_back(engine: Engine) -> None:
    store.upsert(engine, record())
    assert store.known_facts(engine, uuid(1)) == record().facts
    assert store.known_facts(engine, uuid(2)) is None
