# SPDX-License-Identifier: Apache-2.0
"""What holds what of a host: every workload once, whoever names it, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.numa import HostNuma
from host_agent.usage import (
    FINISHED,
    INCOMING,
    ORPHAN,
    OUTGOING,
    RECORDED,
    FoundWorkloads,
    Migration,
    RecordedWorkload,
    Usage,
    usage,
)
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.workload import CONTAINER, PAUSED, RUNNING, STOPPED, VM, HeldPages, Workload
from os_capability import CpuSet
from tests.host_agent.facts import GIB, machine

HERE, THERE, ELSEWHERE = "node-1", "node-2", "node-3"


def vm(name: str = "a", **changes: Any) -> Workload:
    known = Workload(
        uuid=f"uuid-{name}",
        name=name,
        engine="libvirt",
        kind=VM,
        state=RUNNING,
        vcpus=4,
        memory_bytes=10 * GIB,
        disk_bytes=80 * GIB,
    )
    return replace(known, **changes)


def recorded(workload: Workload, host: str | None = HERE, **changes: Any) -> RecordedWorkload:
    return RecordedWorkload(workload=workload, host=host, **changes)


def move(name: str = "a", source: str | None = HERE, dest: str | None = THERE, **changes: Any) -> Migration:
    known = Migration(
        uuid=f"move-{name}", workload_uuid=f"uuid-{name}", source_host=source, dest_host=dest, status="running"
    )
    return replace(known, **changes)


def found(*workloads: Workload, complete: bool = True) -> FoundWorkloads:
    return FoundWorkloads(
        workloads=workloads,
        complete=frozenset({"libvirt"} if complete else ()),
        partial=frozenset(() if complete else {"libvirt"}),
    )


def figures(used: Usage) -> tuple[float, int, int]:
    return used.vcpus, used.memory_bytes // GIB, used.disk_bytes // GIB


def sources(used: Usage) -> dict[str, str]:
    return {holding.workload.name: holding.source for holding in used.holdings}


def test_the_real_case_of_a_finished_evacuation() -> None:
    """Nova counted it on this host for years: 24 vCPUs, 59,392 MiB and 400 GB."""
    says = [recorded(vm(name)) for name in "bcde"] + [recorded(vm("a", vcpus=8, memory_bytes=16 * GIB), ELSEWHERE)]
    evacuation = move(
        source=THERE, dest=HERE, status="done", migration_type="evacuation", vcpus=8, memory_bytes=16 * GIB
    )
    here = usage(HERE, says, [evacuation])
    assert figures(here) == (16, 40, 320)
    assert (here.sources, here.migrations) == ({RECORDED: 4}, 0)
    assert usage(THERE, says, [evacuation]) == Usage()
    assert figures(usage(ELSEWHERE, says, [evacuation])) == (8, 16, 80)


@pytest.mark.parametrize("status", [*sorted(FINISHED), "Done"])
def test_a_finished_migration_holds_nothing(status: str) -> None:
    moves = [move(status=status, vcpus=8)]
    assert usage(HERE, [], moves) == usage(THERE, [], moves) == Usage()


@pytest.mark.parametrize("status", ["accepted", "queued", "preparing", "running", "post-migrating", "migrating"])
def test_every_other_migration_counts_once_on_each_side(status: str) -> None:
    says, moves = [recorded(vm())], [move(status=status)]
    assert figures(usage(HERE, says, moves)) == figures(usage(THERE, says, moves)) == (4, 10, 80)
    assert sources(usage(HERE, says, moves)) == {"a": RECORDED}
    assert sources(usage(THERE, says, moves)) == {"a": INCOMING}
    assert usage(ELSEWHERE, says, moves) == Usage()


def test_a_workload_that_nobody_recorded_counts_on_both_sides_by_its_migration() -> None:
    moves = [move(vcpus=2, memory_bytes=GIB, disk_bytes=GIB)]
    assert figures(usage(HERE, [], moves)) == figures(usage(THERE, [], moves)) == (2, 1, 1)
    assert list(usage(HERE, [], moves).sources) == [OUTGOING]
    nowhere = [recorded(vm(), None)]
    assert list(usage(HERE, nowhere, moves).sources) == [OUTGOING]


def test_a_workload_has_left_its_source_once_it_is_recorded_elsewhere_and_not_found_there() -> None:
    says, moves = [recorded(vm(), THERE)], [move()]
    assert sources(usage(HERE, says, moves, found(vm()))) == {"a": OUTGOING}
    assert usage(HERE, says, moves, found()).holdings == ()
    assert sources(usage(THERE, says, moves, found(vm()))) == {"a": RECORDED}


def test_what_a_migration_takes_is_its_own_size_then_the_records_then_that_of_what_was_found() -> None:
    moves = [move(vcpus=8)]
    used = usage(THERE, [recorded(vm(memory_bytes=None))], moves, found(vm(vcpus=1, memory_bytes=3 * GIB)))
    assert figures(used) == (8, 3, 80)


def test_a_resize_on_one_host_holds_the_larger_of_each_once() -> None:
    moves = [move(dest=HERE, vcpus=8, memory_bytes=GIB)]
    assert figures(usage(HERE, [recorded(vm())], moves)) == (8, 10, 80)
    assert figures(usage(HERE, [], moves, found(vm()))) == (8, 10, 80)


def test_what_is_found_and_not_recorded_is_an_orphan_and_counts() -> None:
    used = usage(HERE, [recorded(vm("b"), THERE)], [], found(vm("a"), vm("b"), vm("c")))
    assert sources(used) == dict.fromkeys("abc", ORPHAN)
    assert [holding.recorded_host for holding in used.holdings] == [None, THERE, None]
    assert used.vcpus == 12


def test_the_leftover_of_an_evacuation_holds_its_disk_alone_and_says_where_it_belongs() -> None:
    """The source came back with what was evacuated from it, stopped."""
    leftover = vm(state=STOPPED, cpuset=CpuSet([1]), hugepages=(HeldPages(size_bytes=2**21, count=5),))
    used = usage(HERE, [recorded(vm(), THERE)], [move(status="done")], found(leftover))
    assert figures(used) == (0, 0, 80)
    (holding,) = used.holdings
    assert (holding.source, holding.recorded_host, holding.is_found) == (ORPHAN, THERE, True)
    assert used.unlimited == {"vcpus": 0, "memory_bytes": 0, "disk_bytes": 0}


def test_a_recorded_workload_holds_whatever_its_state_unless_it_is_gone() -> None:
    for state in (RUNNING, STOPPED, PAUSED, "error", "building", "shelved"):
        assert usage(HERE, [recorded(vm(state=state))], []).vcpus == 4
    for state in ("deleted", "shelved_offloaded"):
        says = [recorded(vm(state=state))]
        assert usage(HERE, says, []) == Usage()
        assert usage(THERE, says, [move()]).holdings == ()
        assert sources(usage(HERE, says, [], found(vm()))) == {"a": ORPHAN}


def test_the_record_wins_and_what_it_leaves_open_comes_from_what_was_found() -> None:
    said = vm(vcpus=None, cpuset=CpuSet([0, 1]), disk_bytes=None, state=RUNNING)
    seen = vm(vcpus=2, memory_bytes=GIB, disk_bytes=GIB, cpuset=CpuSet([3]), numa_nodes=(0,), state=PAUSED)
    (holding,) = usage(HERE, [recorded(said)], [], found(seen)).holdings
    held = holding.workload
    assert (held.vcpus, held.memory_bytes, held.disk_bytes, held.numa_nodes) == (2, 10 * GIB, GIB, (0,))
    # It is what runs that is paused, and where it runs.
    assert (held.state, held.cpuset) == (PAUSED, CpuSet([3]))
    assert (holding.source, holding.is_found, holding.is_missing) == (RECORDED, True, False)


def test_what_has_no_limit_adds_nothing_and_is_counted_as_that() -> None:
    used = usage(HERE, [recorded(vm("a", vcpus=None, memory_bytes=None)), recorded(vm("b"))], [])
    assert figures(used) == (4, 10, 160)
    assert used.unlimited == {"vcpus": 1, "memory_bytes": 1, "disk_bytes": 0}


def test_containers_and_machines_that_run_are_counted_apart() -> None:
    box = vm("box", kind=CONTAINER, vcpus=0.1, engine="docker")
    says = [recorded(replace(box, uuid=f"box-{number}")) for number in range(10)]
    says += [recorded(vm("a")), recorded(vm("b", state=STOPPED))]
    used = usage(HERE, says, [])
    assert (used.container_vcpus, used.running_vms) == (1.0, 1)


def test_a_machine_on_its_way_runs_on_its_source_until_it_is_found() -> None:
    says, moves = [recorded(vm())], [move()]
    assert usage(HERE, says, moves).running_vms == 1
    assert usage(THERE, says, moves).running_vms == 0
    assert usage(THERE, says, moves, found(vm())).running_vms == 1


def test_pins_follow_what_runs() -> None:
    numa = HostNuma.measured(machine().numa)
    says = [recorded(vm(vcpus=2, cpuset=CpuSet([0, 1]))), recorded(vm("b", vcpus=1, cpuset=CpuSet([2, 3])))]
    used = usage(HERE, says, [], found(vm(cpuset=CpuSet([4, 5]))), numa)
    assert used.pcpus == 2
    assert used.numa is not None
    assert used.numa.pinned_cpus == CpuSet([4, 5])
    assert usage(HERE, says, []).pcpus is None


@pytest.mark.parametrize(
    ("changes", "listing", "is_missing"),
    [
        ({}, found(), True),
        ({}, found(complete=False), False),
        ({}, None, False),
        ({"state": STOPPED}, found(), True),
        ({"state": "building"}, found(), False),
        ({"engine": ""}, found(), True),
        ({"engine": "kvm"}, found(), True),
        ({"engine": "kvm"}, replace(found(), partial=frozenset({"docker"})), False),
        ({"engine": "kvm"}, replace(found(), partial=frozenset({"kvm"})), False),
    ],
)
def test_what_is_recorded_and_not_there_is_missing_and_counts(
    changes: dict[str, str], listing: FoundWorkloads | None, is_missing: bool
) -> None:
    used = usage(HERE, [recorded(vm(**changes))], [], listing)
    assert (used.vcpus, used.missing) == (4, int(is_missing))


def test_what_the_store_found_missing_is_until_it_is_found_or_moves() -> None:
    says = [recorded(vm(), missing_since=datetime(2026, 1, 1, tzinfo=timezone.utc))]
    assert usage(HERE, says, []).missing == 1
    assert usage(HERE, says, [], found(vm())).missing == 0
    assert usage(HERE, says, [move()]).missing == 0


def test_an_engine_that_fell_silent_has_no_complete_list() -> None:
    def seen(engine: str, status: str, trouble: str | None = None, lists_stopped: bool = True) -> SeenEngine:
        report = EngineReport(engine=engine, status=status, lists_stopped=lists_stopped)
        return SeenEngine(report=report, trouble=trouble)

    engines = (
        seen("cgroups", ANSWERED, lists_stopped=False),
        seen("docker", UNREADABLE),
        seen("libvirt", ANSWERED),
        seen("podman", ANSWERED, trouble="no answer within 2 s"),
    )
    pod = vm("pod", engine="cri-o")
    listing = FoundWorkloads.of(Discovery(engines=engines, complete=frozenset({"libvirt"}), workloads=(pod,)))
    assert listing.partial == {"cri-o", "docker", "podman"}
    assert listing.would_list(vm())
    assert not listing.would_list(vm(engine="docker"))
    # Where no engine was asked, nobody can be missed; where all were and none is there, everybody who should run.
    assert not FoundWorkloads.of(Discovery(knows_running=False)).would_list(vm())
    bare = FoundWorkloads.of(Discovery())
    assert bare.would_list(vm())
    assert not bare.would_list(vm(state=STOPPED))


def test_of_an_engine_that_is_not_here_nothing_runs_unseen_by_control_groups() -> None:
    groups = EngineReport(engine="cgroups", status=ANSWERED, lists_stopped=False)
    silent = EngineReport(engine="docker", status=UNREADABLE)
    engines = (SeenEngine(report=groups), SeenEngine(report=silent, trouble="no permission"))
    listing = FoundWorkloads.of(Discovery(engines=engines))
    assert listing.would_list(vm(engine="libvirt"))
    assert not listing.would_list(vm(engine="docker"))
    assert not listing.would_list(vm(engine="")), "it may be Docker's"


class TestControlGroupsKnowNoNames:
    """Docker cannot be asked: its containers are found by ids, under uuids that no orchestrator knows."""

    @staticmethod
    def container(name: str, **changes: Any) -> Workload:
        return vm(name, **{"engine": "docker", "kind": CONTAINER, "vcpus": 1, "disk_bytes": None, **changes})

    def used(self, recorded: list[Workload], found: list[Workload], nameless: str = "docker") -> Usage:
        records = [RecordedWorkload(workload=workload, host=HERE) for workload in recorded]
        return usage(HERE, records, [], FoundWorkloads(workloads=tuple(found), nameless=frozenset({nameless})))

    def test_a_recorded_container_does_not_count_again_under_its_id(self) -> None:
        used = self.used([self.container("a")], [self.container("b", vcpus=2)])
        assert (used.vcpus, used.sources) == (1, {RECORDED: 1})

    def test_more_than_are_recorded_are_orphans(self) -> None:
        found = [self.container(name) for name in "cde"]
        used = self.used([self.container("a"), self.container("b", engine="")], found)
        assert (used.vcpus, used.sources) == (3, {RECORDED: 2, ORPHAN: 1})

    @pytest.mark.parametrize(
        "recorded",
        [
            {"engine": "podman"},
            {"kind": VM},
            {"state": STOPPED},
            {"state": "deleted"},
        ],
        ids=str,
    )
    def test_another_thing_is_not_taken_for_it(self, recorded: dict[str, Any]) -> None:
        used = self.used([self.container("a", **recorded)], [self.container("b", vcpus=2)])
        assert used.sources[ORPHAN] == 1

    def test_an_engine_that_tells_names_is_believed(self) -> None:
        used = self.used([self.container("a")], [self.container("b")], nameless="podman")
        assert (used.vcpus, used.sources) == (2, {RECORDED: 1, ORPHAN: 1})

    def test_one_that_is_found_by_its_own_uuid_stands_for_no_other(self) -> None:
        used = self.used([self.container("a")], [self.container("a"), self.container("b")])
        assert (used.vcpus, used.sources) == (2, {RECORDED: 1, ORPHAN: 1})


NAMES = st.sampled_from("abcd")
HOSTS = st.sampled_from([HERE, THERE, ELSEWHERE, None])
SIZES = st.none() | st.integers(0, 2**40)
VCPUS = st.none() | st.floats(0, 64, allow_nan=False)


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    return vm(
        draw(NAMES),
        kind=draw(st.sampled_from([VM, CONTAINER])),
        state=draw(st.sampled_from([RUNNING, PAUSED, STOPPED, "building", "deleted", "shelved_offloaded"])),
        vcpus=draw(VCPUS),
        memory_bytes=draw(SIZES),
        disk_bytes=draw(SIZES),
        cpuset=draw(st.none() | st.just(CpuSet([0, 1]))),
    )


RECORDS = st.lists(st.builds(recorded, workloads(), HOSTS), unique_by=lambda record: record.workload.uuid)
FOUND = st.lists(workloads(), unique_by=lambda workload: workload.uuid)
MOVES = st.lists(
    st.builds(
        move,
        NAMES,
        HOSTS,
        HOSTS,
        uuid=st.uuids().map(str),
        status=st.sampled_from(["running", "accepted", "done", "error"]),
        vcpus=VCPUS,
        memory_bytes=SIZES,
        disk_bytes=SIZES,
    ),
    unique_by=lambda migration: migration.uuid,
)
NUMA = HostNuma.measured(machine().numa)


@given(RECORDS, MOVES, FOUND, st.randoms())
def test_order_makes_no_difference(
    says: list[RecordedWorkload], moves: list[Migration], seen: list[Workload], random: Any
) -> None:
    before = usage(HERE, says, moves, found(*seen), NUMA)
    for shuffled in (says, moves, seen):
        random.shuffle(shuffled)
    assert usage(HERE, says, moves, found(*seen), NUMA) == before


@given(RECORDS, MOVES, FOUND)
def test_nothing_is_negative_and_nothing_counts_twice(
    says: list[RecordedWorkload], moves: list[Migration], seen: list[Workload]
) -> None:
    used = usage(HERE, says, moves, found(*seen), NUMA)
    assert min(used.vcpus, used.memory_bytes, used.disk_bytes, used.container_vcpus, used.pcpus or 0) >= 0
    uuids = [holding.workload.uuid for holding in used.holdings]
    assert uuids == sorted(set(uuids))
    assert sum(used.sources.values()) == len(uuids)
    # Whoever is found counts, and whoever is recorded and not gone.
    assert {workload.uuid for workload in seen} <= set(uuids)


@given(RECORDS, MOVES)
def test_finished_migrations_change_nothing(says: list[RecordedWorkload], moves: list[Migration]) -> None:
    running = [migration for migration in moves if not migration.is_finished]
    assert usage(HERE, says, moves) == usage(HERE, says, running)


@given(workloads().filter(lambda workload: workload.state not in ("deleted", "shelved_offloaded")), MOVES)
def test_a_workload_counts_on_its_host_and_where_it_goes_and_nowhere_else(
    workload: Workload, moves: list[Migration]
) -> None:
    says = [recorded(workload)]
    goes_to = {
        migration.dest_host
        for migration in moves
        if migration.workload_uuid == workload.uuid and not migration.is_finished
    }
    for host in (HERE, THERE, ELSEWHERE):
        counts = [one for one in usage(host, says, moves).holdings if one.workload.uuid == workload.uuid]
        assert len(counts) == (host == HERE or host in goes_to)
