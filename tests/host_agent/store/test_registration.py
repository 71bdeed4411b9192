# SPDX-License-Identifier: Apache-2.0
"""Who a machine is to the database: known, new, lost and found, or refused, on every backend."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from host_agent import store
from host_agent.errors import AmbiguousHost, DuplicateHost, HostRetired, NameTaken, ReportRefused
from host_agent.store import Candidate, recognise
from host_agent.store.engine import Engine
from tests.host_agent.facts import record, uuid
from tests.host_agent.store.fleet import BOOT, DOWN_AFTER, OTHER_BOOT, age, beat, claim, codes, enlist, host

SAME, OTHER, UNKNOWN = "same", "other", None
NEW_UUID = uuid(99)


def candidate(number: int = 1, **changes: Any) -> Candidate:
    facts = record(number)
    known = Candidate(
        uuid=facts.uuid,
        host=facts.host,
        hostname=facts.hypervisor_hostname,
        machine_id=facts.machine_id,
        product_uuid=facts.product_uuid,
    )
    return replace(known, **changes)


def new(number: int = 1, **changes: Any) -> store.Claim:
    """Give the claim of a machine that lost its uuid."""
    return claim(number, uuid=NEW_UUID, is_new=True, **changes)


def answer(machine: str | None, product: str | None, name: str, *, is_retired: bool = False) -> str:
    """Say what becomes of a machine that agrees so with one stored host."""
    wanted = new(machine_id=SAME, product_uuid=SAME, hostname=SAME, host=SAME)
    stored = candidate(machine_id=machine, product_uuid=product, hostname=name, host=name, is_retired=is_retired)
    try:
        found = recognise(wanted, [stored])
    except AmbiguousHost:
        return "refused"
    return "new" if found is None else "found"


# machine id, product uuid, host name -> what becomes of it
TRUTH = {
    (SAME, SAME, SAME): "found",
    (SAME, SAME, OTHER): "found",
    (SAME, UNKNOWN, SAME): "found",
    (SAME, UNKNOWN, OTHER): "refused",
    (SAME, OTHER, SAME): "refused",
    (SAME, OTHER, OTHER): "refused",
    (OTHER, SAME, SAME): "refused",
    (OTHER, UNKNOWN, SAME): "refused",
    (OTHER, OTHER, SAME): "refused",
    (UNKNOWN, SAME, SAME): "refused",
    (UNKNOWN, UNKNOWN, SAME): "refused",
    (UNKNOWN, OTHER, SAME): "refused",
    (OTHER, SAME, OTHER): "new",
    (OTHER, UNKNOWN, OTHER): "new",
    (OTHER, OTHER, OTHER): "new",
    (UNKNOWN, SAME, OTHER): "new",
    (UNKNOWN, UNKNOWN, OTHER): "new",
    (UNKNOWN, OTHER, OTHER): "new",
}


def test_every_way_to_resemble_a_stored_host_has_its_answer() -> None:
    kinds = itertools.product((SAME, OTHER, UNKNOWN), (SAME, OTHER, UNKNOWN), (SAME, OTHER))
    assert {kind: answer(*kind) for kind in kinds} == TRUTH


def test_a_retired_host_gives_its_name_away_and_not_itself() -> None:
    assert answer(OTHER, OTHER, SAME, is_retired=True) == "new"
    assert answer(UNKNOWN, UNKNOWN, SAME, is_retired=True) == "new"
    assert answer(SAME, OTHER, SAME, is_retired=True) == "refused"
    assert answer(SAME, SAME, SAME, is_retired=True) == "found"


def test_what_one_side_does_not_know_decides_nothing_whichever_side_it_is() -> None:
    for claimed, stored in itertools.product((None, "x"), (None, "x")):
        wanted = new(product_uuid=claimed)
        assert recognise(wanted, [candidate(product_uuid=stored)]) == candidate(product_uuid=stored)


def test_one_that_surely_is_the_machine_settles_all_doubts() -> None:
    clone = candidate(2, machine_id=record().machine_id)
    namesake = candidate(3, hostname="node-1", host="node-1")
    assert recognise(new(), [clone, candidate(), namesake]) == candidate()
    assert recognise(new(), []) is None


def test_two_that_surely_are_the_machine_are_one_too_many() -> None:
    twin = candidate(uuid=uuid(2), host="twin")
    with pytest.raises(AmbiguousHost, match=rf"2 stored hosts have .* 'node-1' \({uuid(1)}\) and 'twin' \({uuid(2)}\)"):
        recognise(new(), [candidate(), twin])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"product_uuid": "x"}, "has the machine id and host name of this machine, but another product uuid"),
        ({"machine_id": "x"}, "has the product uuid and host name of this machine, but another machine id"),
        (
            {"machine_id": None, "product_uuid": "x"},
            "has the host name of this machine, but another product uuid",
        ),
        (
            {"machine_id": None},
            "has the product uuid and host name of this machine, but no machine id to compare",
        ),
    ],
)
def test_a_refusal_says_what_agrees_what_differs_and_what_to_do(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(AmbiguousHost) as raised:
        recognise(new(), [candidate(**changes)])
    assert str(raised.value) == (
        f"the stored host 'node-1' ({uuid(1)}) {reason}: if this is that host, run `host-agent identity adopt "
        f"{uuid(1)}`, if it is another one, `host-agent identity reset`"
    )


def test_the_first_registration_makes_the_service_and_tells_of_the_host(engine: Engine) -> None:
    registration = store.register(engine, claim())
    (row,) = store.list_services(engine)
    own_uuid = store.service_uuid(uuid(1), "nova-compute")
    lease = store.Lease(service_id=int(str(row["id"])), service_uuid=own_uuid, boot_id=BOOT)
    assert registration == store.Registration(uuid=uuid(1), host="node-1", lease=lease, adopted=False)
    expected: dict[str, object] = {
        "uuid": own_uuid,
        "host": "node-1",
        "binary": "nova-compute",
        "topic": "compute",
        "boot_id": BOOT,
    }
    expected |= {"report_count": 1, "disabled": False, "forced_down": False, "deleted": 0}
    assert {**row, **expected} == row
    (told,) = store.list_events(engine)
    assert (told["code"], told["host_uuid"], told["host"]) == ("host-registered", uuid(1), "node-1")
    assert (told["boot_id"], told["sequence"]) == (BOOT, 1000)


def test_to_register_again_in_the_same_boot_changes_nothing_but_the_time(engine: Engine) -> None:
    first = store.register(engine, claim())
    (before,) = store.list_services(engine)
    assert store.register(engine, claim()) == first
    (after,) = store.list_services(engine)
    assert {**before, "report_count": 2, "last_seen_up": 0, "updated_at": 0} == {
        **after,
        "last_seen_up": 0,
        "updated_at": 0,
    }
    assert codes(engine) == ["host-registered"]


def test_a_host_joins_its_service_even_before_its_facts_come_again(engine: Engine) -> None:
    enlist(engine)
    host_before = host(engine)
    store.retire(engine, uuid(1))
    store.retire(engine, uuid(1), undo=True)
    assert host(engine)["service_id"] is None
    lease = store.register(engine, claim()).lease
    after = host(engine)
    assert after["service_id"] == lease.service_id
    assert after["updated_at"] == host_before["updated_at"]


def test_a_second_boot_that_is_alive_is_refused(engine: Engine) -> None:
    lease = enlist(engine)
    (before,) = store.list_services(engine)
    with pytest.raises(DuplicateHost, match=rf"alive elsewhere, as 'node-1' with boot id {BOOT}") as raised:
        store.register(engine, claim(boot_id=OTHER_BOOT, hostname="clone"))
    assert raised.value.last_seen_up == before["last_seen_up"]
    assert store.list_services(engine) == [before]
    assert beat(engine, lease) is not None


def test_a_refused_machine_sees_whether_the_other_lives_on(engine: Engine) -> None:
    """That is how a clone and the machine before its own reboot are told apart."""
    lease = enlist(engine)

    def seen() -> Any:
        with pytest.raises(DuplicateHost) as raised:
            store.register(engine, claim(boot_id=OTHER_BOOT))
        return raised.value.last_seen_up

    first = seen()
    assert seen() == first
    beat(engine, lease)
    assert seen() > first


def test_the_next_boot_is_taken_once_the_one_before_counts_as_down(engine: Engine) -> None:
    enlist(engine)
    age(engine, "last_seen_up", DOWN_AFTER + 30)
    (before,) = store.list_services(engine)
    lease = store.register(engine, claim(boot_id=OTHER_BOOT, sequence=7)).lease
    assert beat(engine, lease) is not None
    assert codes(engine) == ["host-down", "host-registered", "host-up"]
    up, down = (
        next(event for event in store.list_events(engine) if event["code"] == code) for code in ("host-up", "host-down")
    )
    assert down["at"] == before["last_seen_up"] + timedelta(seconds=DOWN_AFTER)  # type: ignore[operator]
    assert up["at"] - down["at"] >= timedelta(seconds=29)  # type: ignore[operator]
    assert (up["boot_id"], up["sequence"]) == (OTHER_BOOT, 7)


def test_a_silence_is_told_once(engine: Engine) -> None:
    enlist(engine)
    age(engine, "last_seen_up", DOWN_AFTER + 30)
    for _ in range(3):
        store.register(engine, claim())
    assert sorted(map(str, codes(engine))) == ["host-down", "host-registered", "host-up"]


def test_a_database_clock_that_was_set_is_no_silence(engine: Engine) -> None:
    enlist(engine)
    age(engine, "last_seen_up", DOWN_AFTER + 86400)

    store.register(engine, claim(silent_seconds=2.0))

    assert codes(engine) == ["host-registered"]


def test_a_boot_that_was_seen_in_the_future_does_not_keep_the_next_one_out(engine: Engine) -> None:
    enlist(engine)
    age(engine, "last_seen_up", -86400)

    lease = store.register(engine, claim(boot_id=OTHER_BOOT)).lease

    assert lease.boot_id == OTHER_BOOT


def test_a_short_silence_is_none(engine: Engine) -> None:
    enlist(engine)
    age(engine, "last_seen_up", DOWN_AFTER - 20)
    store.register(engine, claim())
    assert codes(engine) == ["host-registered"]


def test_a_machine_that_lost_its_uuid_gets_its_row_back(engine: Engine) -> None:
    lease = enlist(engine)
    store.release(engine, lease)
    found = store.register(engine, new(boot_id=OTHER_BOOT, hostname="renamed", host="renamed"))
    assert found == store.Registration(
        uuid=uuid(1), host="node-1", lease=replace(lease, boot_id=OTHER_BOOT), adopted=True
    )
    assert codes(engine, 1) == ["host-registered", "identity-adopted"]
    assert codes(engine, 99) == []
    store.upsert(engine, record(hypervisor_hostname="renamed", boot_id=OTHER_BOOT), found.lease)
    (row,) = store.list_hosts(engine)
    assert (row["host"], row["hypervisor_hostname"]) == ("node-1", "renamed")


def test_a_machine_that_is_not_surely_the_same_is_refused_and_writes_nothing(engine: Engine) -> None:
    store.release(engine, enlist(engine))
    before = store.list_services(engine), codes(engine)
    with pytest.raises(AmbiguousHost, match="another product uuid"):
        store.register(engine, new(product_uuid=uuid(5)))
    assert (store.list_services(engine), codes(engine)) == before


def test_only_a_new_uuid_is_looked_up_by_what_the_machine_is(engine: Engine) -> None:
    """An operator who resets a clone says that it is another host."""
    enlist(engine)
    clone = claim(uuid=NEW_UUID, is_new=False, host="clone", hostname="clone", boot_id=OTHER_BOOT)
    assert store.register(engine, clone).uuid == NEW_UUID
    assert codes(engine, 99) == ["host-registered"]


def test_a_clone_without_the_file_is_refused_as_long_as_its_origin_lives(engine: Engine) -> None:
    enlist(engine)
    with pytest.raises(DuplicateHost):
        store.register(engine, new(boot_id=OTHER_BOOT))


def test_a_machine_nobody_resembles_is_new(engine: Engine) -> None:
    enlist(engine)
    assert store.register(engine, claim(2, is_new=True)).adopted is False
    assert codes(engine, 2) == ["host-registered"]


def test_a_retired_host_is_refused_under_its_uuid_and_without_it(engine: Engine) -> None:
    enlist(engine)
    store.retire(engine, uuid(1))
    for wanted in (claim(), new()):
        with pytest.raises(HostRetired, match=f"hosts retire --undo {uuid(1)}"):
            store.register(engine, wanted)
    assert store.list_services(engine) == []
    store.retire(engine, uuid(1), undo=True)
    assert store.register(engine, claim()).uuid == uuid(1)


def test_the_name_of_a_live_host_is_refused(engine: Engine) -> None:
    enlist(engine)
    with pytest.raises(NameTaken, match="'node-1' is in use by another host that is alive"):
        store.register(engine, claim(2, host="node-1"))
    assert codes(engine, 2) == []


def test_the_name_of_a_silent_host_is_taken_over_with_its_row(engine: Engine) -> None:
    first = enlist(engine)
    age(engine, "last_seen_up", DOWN_AFTER + 1)
    second = enlist(engine, 2, host="node-1", boot_id=OTHER_BOOT)
    (row,) = store.list_services(engine)
    assert (row["id"], row["uuid"], row["boot_id"]) == (first.service_id, second.service_uuid, OTHER_BOOT)
    assert (host(engine, 1)["service_id"], host(engine, 2)["service_id"]) == (None, first.service_id)
    assert codes(engine, 2) == ["host-registered", "name-taken-over"]
    assert beat(engine, first) is None
    with pytest.raises(NameTaken):
        store.register(engine, claim())


def test_a_host_that_takes_a_name_over_keeps_its_own_row(engine: Engine) -> None:
    enlist(engine)
    second = enlist(engine, 2)
    age(engine, "last_seen_up", DOWN_AFTER + 1, number=1)
    moved = store.register(engine, claim(2, host="node-1")).lease
    (row,) = store.list_services(engine)
    assert (row["id"], row["uuid"], row["host"]) == (second.service_id, second.service_uuid, "node-1")
    assert moved == second
    assert host(engine, 1)["service_id"] is None


def test_an_agent_under_a_changed_host_option_keeps_its_row(engine: Engine) -> None:
    first = store.register(engine, claim())
    assert store.register(engine, claim(host="rack-1")).lease == first.lease
    (row,) = store.list_services(engine)
    assert (row["host"], row["report_count"]) == ("rack-1", 2)


def test_a_disabled_service_stays_disabled(engine: Engine) -> None:
    enlist(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE services SET disabled = TRUE, disabled_reason = 'disk'")
    store.register(engine, claim())
    row = host(engine)
    assert (row["disabled"], row["disabled_reason"]) == (True, "disk")


def test_every_refusal_is_a_line(engine: Engine) -> None:
    enlist(engine)
    for wanted in (claim(boot_id=OTHER_BOOT), claim(2, host="node-1"), new(machine_id="x")):
        with pytest.raises(ReportRefused) as raised:
            store.register(engine, wanted)
        assert "\n" not in str(raised.value)
