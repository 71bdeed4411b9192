# SPDX-License-Identifier: Apache-2.0
"""Whatever happened, in whatever order: all rows are as computed from scratch, and as the pure function says."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from host_agent import store
from host_agent.store import migrate
from host_agent.usage import FoundWorkloads, Migration, RecordedWorkload, usage
from host_agent.workloads.workload import CONTAINER, RUNNING, STOPPED, VM, Workload
from os_capability import CpuSet
from tests.host_agent.facts import uuid
from tests.host_agent.store.fleet import claim
from tests.host_agent.store.workloads import GIB, discovery, move, report, vm

HOSTS = (1, 2, 3)
WORKLOADS = st.builds(
    vm,
    st.integers(1, 4),
    kind=st.sampled_from([VM, CONTAINER]),
    state=st.sampled_from([RUNNING, STOPPED, "building", "deleted"]),
    vcpus=st.sampled_from([None, 0.5, 1, 2.0]),
    memory_bytes=st.sampled_from([None, GIB, GIB + 1]),
    disk_bytes=st.sampled_from([None, 3 * GIB]),
    cpuset=st.sampled_from([None, CpuSet([0]), CpuSet([0, 1])]),
)
MIGRATIONS = st.builds(
    move,
    st.integers(1, 4),
    source=st.sampled_from([1, 2, 3, 9, None]),
    dest=st.sampled_from([1, 2, 3, 9, None]),
    status=st.sampled_from(["accepted", "running", "done", "error"]),
    vcpus=st.sampled_from([None, 8]),
)


class History(RuleBasedStateMachine):
    """Hosts 1 and 2 are there from the beginning, host 3 from its first report, host 9 never."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.engine = store.open_engine(f"sqlite:///{Path(self.folder.name)}/state.sqlite")
        migrate.make_ready(self.engine)
        self.recorded: dict[str, RecordedWorkload] = {}
        self.migrations: dict[str, Migration] = {}
        self.found: dict[int, tuple[Workload, ...]] = {}
        for number in (1, 2):
            self.report(number)

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()

    @rule(workload=WORKLOADS, host=st.sampled_from([1, 2, 3, 9, None]))
    def record(self, workload: Workload, host: int | None) -> None:
        name = None if host is None else f"node-{host}"
        store.record_workload(self.engine, workload, name)
        self.recorded[workload.uuid] = RecordedWorkload(workload=workload, host=name)

    @rule(workload=WORKLOADS)
    def forget(self, workload: Workload) -> None:
        was_there = self.recorded.pop(workload.uuid, None) is not None
        assert store.delete_workload(self.engine, workload.uuid) == was_there

    @rule(migration=MIGRATIONS)
    def migrate(self, migration: Migration) -> None:
        store.record_migration(self.engine, migration)
        self.migrations[migration.uuid] = migration

    @rule(migration=MIGRATIONS)
    def forget_migration(self, migration: Migration) -> None:
        was_there = self.migrations.pop(migration.uuid, None) is not None
        assert store.delete_migration(self.engine, migration.uuid) == was_there

    @rule(host=st.sampled_from(HOSTS))
    def report(self, host: int) -> None:
        report(self.engine, host, reserved_host_cpus=host, memory_mb=1000)
        self.found.setdefault(host, ())

    @rule(host=st.sampled_from(HOSTS), seen=st.lists(WORKLOADS, max_size=4, unique_by=lambda one: one.uuid))
    def find(self, host: int, seen: list[Workload]) -> None:
        report(self.engine, host, discovery(*seen), reserved_host_cpus=host, memory_mb=1000)
        self.found[host] = tuple(seen)

    @rule(host=st.sampled_from(HOSTS))
    def retire_and_return(self, host: int) -> None:
        if host in self.found:
            store.retire(self.engine, uuid(host))
            store.retire(self.engine, uuid(host), undo=True)

    @rule(host=st.sampled_from(HOSTS))
    def register(self, host: int) -> None:
        if host in self.found:
            store.register(self.engine, claim(host))

    @invariant()
    def the_narrow_rows_are_what_the_wide_ones_say(self) -> None:
        rows = store.list_hosts(self.engine)
        statistics = store.hypervisor_statistics(self.engine)
        served = [row for row in rows if row["service_id"] is not None]
        assert statistics["count"] == len(served)
        for name in ("vcpus_used", "memory_mb_used", "local_gb_used", "free_ram_mb", "running_vms", "current_workload"):
            assert statistics[name] == sum(cast(Any, row[name]) for row in served), name
        fleet = store.fleet_usage(self.engine, down_after_seconds=3600)
        assert (fleet.hosts, fleet.up) == (len(rows), len(served))
        assert fleet.resources["VCPU"].used == sum(cast(Any, row["vcpus_used"]) for row in rows)

    @invariant()
    def the_columns_are_those_from_scratch(self) -> None:
        assert store.recount(self.engine) == 0
        for number, seen in self.found.items():
            row: dict[str, Any] = store.get(self.engine, uuid(number)) or {}
            found = FoundWorkloads(workloads=seen)
            wanted = usage(f"node-{number}", self.recorded.values(), self.migrations.values(), found)
            assert row["vcpus_used"] == number + ceil(wanted.vcpus)
            assert row["memory_mb_used"] == ceil(wanted.memory_bytes / 1024**2)
            assert row["local_gb_used"] == wanted.disk_bytes // GIB
            assert row["free_ram_mb"] == 1000 - row["memory_mb_used"]
            assert (row["used_cpu"], row["running_vms"]) == (wanted.container_vcpus, wanted.running_vms)
            assert row["current_workload"] == wanted.migrations
            shown = store.host_usage(self.engine, uuid(number))
            assert shown is not None
            assert shown.usage.sources == wanted.sources
            assert shown.usage.pcpus == row["pcpus_used"]


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
