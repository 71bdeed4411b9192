# SPDX-License-Identifier: Apache-2.0
"""Where a demand fits: what SQL says of a fleet is what plain rules say of each of its hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, update

from host_agent import store
from host_agent.demand import REASONS, HostDemand
from host_agent.errors import GroupNotFound
from host_agent.numa import HostNuma, NumaCell, PagePool
from host_agent.resource_usage import MEMORY, VCPU, ResourceUsage, resources_of
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.schema import SERVICES
from os_capability import CpuSet
from tests.host_agent.facts import GIB, machine, record, uuid
from tests.host_agent.store.fleet import DOWN_AFTER, age, claim
from tests.host_agent.store.workloads import discovery, vm

MIB = 1024**2
PAGE = 2 * MIB
OFFERED: dict[str, Any] = {
    "pcpus": 0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 0,
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.5,
    "engines": "[]",
}


def cell(number: int, cpus: int = 4, memory_gib: int | None = 4, pages: int | None = 64, **changes: Any) -> NumaCell:
    pools = (PagePool(size_bytes=PAGE, total=pages, taken=None if pages is None else 0),)
    known = NumaCell(
        id=number,
        cpuset=CpuSet(range(number * 16, number * 16 + cpus)),
        memory_total_bytes=None if memory_gib is None else memory_gib * GIB,
        hugepages=pools,
    )
    return replace(known, **changes)


def enlist(engine: Engine, number: int, cells: Iterable[NumaCell], *workloads: Any, **columns: Any) -> None:
    """Register a host and store a report with these nodes and workloads."""
    numa = HostNuma(cells=tuple(cells))
    lease = store.register(engine, claim(number)).lease
    facts = columns.pop("facts", machine())
    told = {"numa_topology": numa.to_json(), "vcpus": sum(len(one.cpuset) for one in numa.cells)}
    store.upsert(engine, record(number, facts=facts, **OFFERED | told | columns), lease, discovery(*workloads))


def fit(engine: Engine, limit: int = 10, **wanted: Any) -> store.FleetFit:
    return store.fitting_hosts(engine, HostDemand(**wanted), down_after_seconds=DOWN_AFTER, limit=limit)


def names(found: store.FleetFit) -> list[object]:
    return [row["host"] for row in found.hosts]


def test_the_host_with_the_most_memory_left_comes_first(engine: Engine) -> None:
    for number, held in ((1, 1), (2, 3), (3, 2)):
        enlist(engine, number, [cell(0), cell(1)], vm(number, memory_bytes=held * GIB, vcpus=1, numa_nodes=(0,)))
    found = fit(engine, vcpus=1, memory_bytes=GIB)
    assert (names(found), found.fits, found.rejected) == (["node-1", "node-3", "node-2"], 3, {})
    assert [row["availability_zone"] for row in found.hosts] == ["nova"] * 3
    free = {name: ResourceUsage.of_host(one).free for name, one in resources_of(found.hosts[0]).items()}
    assert (free[VCPU], free[MEMORY]) == (31.0, 8192 * 1.5 - 1024)
    assert found.hosts[0]["uuid"] == uuid(1)
    best = fit(engine, limit=1, vcpus=1)
    assert (names(best), best.fits) == (["node-1"], 3)
    # Of 5.8 GiB, which is all but the huge pages times 1.5, node-2 holds 3 on its first node.
    assert names(fit(engine, memory_bytes=6 * GIB, numa_nodes=2)) == ["node-1", "node-3"]
    # No ratio makes a single workload larger than the node is.
    assert fit(engine, memory_bytes=4 * GIB, numa_nodes=1).rejected == {"numa_nodes": 3}
    assert fit(engine, memory_bytes=9 * GIB).rejected == {"memory": 3}


def test_each_host_that_cannot_is_counted_under_the_first_reason(engine: Engine) -> None:
    for number in range(1, 12):
        enlist(engine, number, [cell(0), cell(1)])
    enlist(engine, 5, [cell(0)], cpu_allocation_ratio=None)
    enlist(engine, 7, [cell(0), cell(1)], facts=machine(flag="avx2"))
    enlist(engine, 8, [cell(0, 2)], cpu_allocation_ratio=1.0)
    enlist(engine, 9, [cell(0, 2), cell(1)], shared_storage=None, pcpus=0, vcpus=99)
    enlist(engine, 10, [cell(0, memory_gib=1), cell(1, memory_gib=0, pages=0)])
    enlist(engine, 11, [cell(0, pages=1), cell(1, pages=1)])
    age(engine, "last_seen_up", DOWN_AFTER + 5, number=1)
    with engine.begin() as connection:
        connection.execute(update(SERVICES).where(SERVICES.c.host == "node-2").values(forced_down=True))
        connection.execute(update(SERVICES).where(SERVICES.c.host == "node-3").values(disabled=True))
    store.upsert(engine, record(12, **OFFERED))  # it has no service
    store.upsert(engine, record(13))
    store.retire(engine, uuid(13))
    zone = store.create_aggregate(engine, "rack", "zone-a").id
    for number in range(1, 12):
        if number != 6:
            store.add_host(engine, zone, f"node-{number}")
    found = fit(
        engine,
        vcpus=4,
        pcpus=3,
        memory_bytes=32 * MIB,
        hugepage_size_bytes=PAGE,
        numa_nodes=2,
        traits=frozenset({"HW_CPU_X86_SSE2", "HW_ARCH_X86_64"}),
        availability_zone="zone-a",
    )
    assert found.rejected == {
        "down": 3,
        "disabled": 1,
        "unknown": 1,
        "availability_zone": 1,
        "traits": 1,
        "vcpus": 1,
        "pcpus": 1,
        "hugepages": 1,
        "numa_nodes": 1,
    }
    assert list(found.rejected) == [reason for reason in REASONS if reason != "memory"]
    assert (names(found), found.fits) == (["node-4"], 1)
    assert found.hosts[0]["availability_zone"] == "zone-a"


def test_the_default_zone_is_that_of_hosts_in_none_and_an_unknown_one_is_told(engine: Engine) -> None:
    for number in (1, 2):
        enlist(engine, number, [cell(0)])
    store.add_host(engine, store.create_aggregate(engine, "rack", "zone-a").id, "node-2")
    assert names(fit(engine, vcpus=1, availability_zone="nova")) == ["node-1"]
    assert names(fit(engine, vcpus=1, availability_zone="zone-a")) == ["node-2"]
    with pytest.raises(GroupNotFound, match="no availability zone is called 'zone-b'"):
        fit(engine, vcpus=1, availability_zone="zone-b")


def test_dedicated_cpus_are_given_once_and_those_for_pinning_alone_first(engine: Engine) -> None:
    sets: dict[str, Any] = {"dedicated_cpus": CpuSet([0, 1]), "shared_cpus": CpuSet([2, 3])}
    enlist(engine, 1, [cell(0, **sets)], vm(1, vcpus=1, cpuset=CpuSet([0]), memory_bytes=GIB), pcpus=2)
    assert fit(engine, pcpus=1, vcpus=2).fits == 1
    assert fit(engine, pcpus=2).rejected == {"pcpus": 1}
    assert fit(engine, pcpus=1, vcpus=3).rejected == {"vcpus": 1}
    enlist(engine, 2, [cell(0)], vm(2, vcpus=1, cpuset=CpuSet([0]), memory_bytes=GIB))
    # Without such a set, what is pinned is taken from what floats.
    assert names(fit(engine, pcpus=2, vcpus=1)) == ["node-2"]
    assert fit(engine, pcpus=2, vcpus=2).rejected == {"pcpus": 2}


def test_it_is_two_queries_however_many_hosts_there_are(engine: Engine) -> None:
    for number in (1, 2, 3):
        enlist(engine, number, [cell(0), cell(1)])
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    assert fit(engine, pcpus=2, memory_bytes=GIB, numa_nodes=2).fits == 3
    asked = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(asked) == 2
    assert not any("facts" in statement or "numa_topology" in statement for statement in asked)


counts = st.integers(0, 4)
cells = st.builds(
    lambda cpus, gib, pages, kind, sets: dict(cpus=cpus, memory_gib=gib, pages=pages, memory_kind=kind, **sets),
    cpus=counts,
    gib=st.none() | counts,
    pages=st.none() | st.integers(0, 64),
    kind=st.sampled_from([None, None, None, "dram", "cxl"]),
    sets=st.sampled_from(["", "dedicated", "shared", "both"]).map(lambda which: {"which": which}),
)
hosts = st.fixed_dictionaries(
    {
        "cells": st.lists(cells, min_size=1, max_size=3),
        "ram_allocation_ratio": st.sampled_from([1.0, 1.5, None]),
        "cpu_allocation_ratio": st.sampled_from([1.0, 4.0]),
        "reserved_host_memory_mb": st.sampled_from([0, 512]),
        "held": st.lists(st.tuples(counts, counts, st.integers(0, 2), st.booleans()), max_size=2),
    }
)
demands: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "vcpus": st.integers(0, 6),
        "pcpus": st.integers(0, 5),
        "memory_bytes": st.sampled_from([0, MIB + 1, 3 * PAGE, GIB, 3 * GIB]),
        "hugepage_size_bytes": st.sampled_from([None, None, PAGE, GIB]),
        "numa_nodes": st.none() | st.integers(1, 3),
    }
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give an engine on an SQLite file whose hosts a property may overwrite."""
    engine = store.open_engine(f"sqlite:///{tmp_path_factory.mktemp('fit')}/state.sqlite")
    migrate.create(engine)
    yield engine
    engine.dispose()


def placed(number: int, drawn: dict[str, Any]) -> list[NumaCell]:
    found = []
    for index, one in enumerate(drawn["cells"]):
        node = dict(one)
        which, cpus = node.pop("which"), range(index * 16, index * 16 + node["cpus"])
        half = CpuSet(cpu for cpu in cpus if cpu % 2)
        sets: dict[str, Any] = {"dedicated_cpus": half if which in ("dedicated", "both") else None}
        sets["shared_cpus"] = CpuSet(cpus) - half if which == "both" else half if which == "shared" else None
        found.append(cell(index, **node, **sets))
    return found


def stored(engine: Engine, number: int, drawn: dict[str, Any]) -> None:
    nodes = placed(number, drawn)
    workloads = [
        vm(
            number * 10 + index,
            vcpus=float(len(cpus)) if pinned else float(vcpus),
            cpuset=cpus if pinned else None,
            memory_bytes=gib * GIB // 2,
            disk_bytes=0,
            numa_nodes=(node % len(nodes),),
        )
        for index, (vcpus, gib, node, pinned) in enumerate(drawn["held"])
        for cpus in [CpuSet(list(nodes[node % len(nodes)].cpuset)[:vcpus])]
    ]
    dedicated = sum(len(one.dedicated_cpus or ()) for one in nodes)
    columns = {name: value for name, value in drawn.items() if name not in ("cells", "held")}
    enlist(engine, number, nodes, *workloads, pcpus=dedicated, memory_mb=sum(map(_mib, nodes)), **columns)


def _mib(one: NumaCell) -> int:
    return (one.memory_total_bytes or 0) // MIB


@settings(max_examples=60, deadline=None)
@given(drawn=st.lists(hosts, min_size=3, max_size=3), wanted=st.lists(demands, min_size=6, max_size=6))
def test_sql_and_plain_rules_say_the_same_of_every_host(
    shelf: Engine, drawn: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    for number, one in enumerate(drawn, 1):
        stored(shelf, number, one)
    rows = store.list_hosts(shelf)
    for asked in wanted:
        try:
            demand = HostDemand(**asked)
        except ValueError:
            continue
        verdicts = {row["host"]: plainly(row, demand) for row in rows}
        found = store.fitting_hosts(shelf, demand, down_after_seconds=10**6)
        assert dict(found.rejected) == Counter(reason for reason in verdicts.values() if reason), (verdicts, asked)
        assert set(names(found)) == {host for host, reason in verdicts.items() if reason is None}
        # Whoever places by the library's rules finds a place there too: an even share is one way of many.
        for row in rows:
            if verdicts[row["host"]] is None:
                assert_fits(HostNuma.from_json(str(row["numa_topology"])), demand, row)


def assert_fits(numa: HostNuma, demand: HostDemand, row: dict[str, Any]) -> None:
    if demand.hugepage_size_bytes is None and row["ram_allocation_ratio"] != 1.0:
        return  # the library gives nothing away twice
    nodes = len(numa.cells) if demand.numa_nodes is None else demand.numa_nodes
    # Shares that were rounded up are a little more than the demand.
    fits = numa.fits(
        vcpus=demand.vcpus,
        pcpus=demand.pcpus,
        memory_bytes=demand.memory_bytes,
        hugepage_size_bytes=demand.hugepage_size_bytes,
        numa_nodes=nodes,
    )
    assert fits is not None, (numa, demand)


def plainly(row: dict[str, Any], demand: HostDemand) -> str | None:
    """Give the first reason why a host cannot take a demand, by the rules of `host_agent.demand`."""
    numa, resources = HostNuma.from_json(row["numa_topology"]), resources_of(row)
    free_vcpus, free_memory_mb = (ResourceUsage.of_host(resources[name]).free for name in (VCPU, MEMORY))
    ratio = row["ram_allocation_ratio"]
    ordinary = [_ordinary(one, ratio) for one in numa.cells]
    if free_vcpus is None or free_memory_mb is None or None in ordinary:
        return "unknown"
    cpus = [_cpus(one) for one in numa.cells]
    floating, pinning, either = (sum(column) for column in zip(*cpus, strict=True))
    if demand.vcpus and (free_vcpus < demand.vcpus or floating < demand.vcpus):
        return "vcpus"
    if demand.pcpus:
        crowded = not row["pcpus"] and free_vcpus < demand.vcpus + demand.pcpus
        if crowded or not _gives((floating, pinning, either), demand):
            return "pcpus"
    if demand.memory_bytes:
        is_ordinary = demand.hugepage_size_bytes is None
        room = sum(one for one in ordinary if one is not None)
        if free_memory_mb < demand.memory_mb or (is_ordinary and room < demand.memory_bytes):
            return "memory"
    pages = sum(_pages(one, demand) or 0 for one in numa.cells)
    if demand.hugepage_size_bytes is not None and pages < demand.pages_bytes:
        return "hugepages"
    if demand.numa_nodes is not None:
        takes = [_takes(one, demand.of_node, ratio) for one in numa.cells]
        return "numa_nodes" if sum(takes) < demand.numa_nodes else None
    return None


def _ordinary(one: NumaCell, ratio: float | None) -> int | None:
    """Give what one more workload could have of a node's ordinary memory."""
    if one.memory_kind not in (None, "dram"):
        return 0
    pools = [None if pool.total is None else pool.total * pool.size_bytes for pool in one.hugepages or ()]
    if one.memory_total_bytes is None or None in pools or ratio is None:
        return None
    size = max(0, one.memory_total_bytes - sum(pool for pool in pools if pool))
    return max(0, min(size, int(size * ratio) - one.held_bytes))


def _cpus(one: NumaCell) -> tuple[int, int, int]:
    floating = one.floating_cpus - (one.pinned_cpus or CpuSet())
    return len(floating), len(one.free_cpus), len(floating & one.free_cpus)


def _gives(cpus: tuple[int, int, int], demand: HostDemand) -> bool:
    floating, pinning, either = cpus
    from_shared = max(0, demand.pcpus - (pinning - either))
    return demand.pcpus <= pinning and from_shared + demand.vcpus <= floating


def _pages(one: NumaCell, demand: HostDemand) -> int | None:
    pool = one.pool(demand.hugepage_size_bytes or 0)
    if pool is None or one.memory_kind not in (None, "dram"):
        return 0
    return None if pool.free is None else pool.free * pool.size_bytes


def _takes(one: NumaCell, share: HostDemand, ratio: float) -> bool:
    if (share.vcpus or share.pcpus) and not _gives(_cpus(one), share):
        return False
    if share.hugepage_size_bytes is not None:
        return (_pages(one, share) or -1) >= share.pages_bytes
    return not share.memory_bytes or (_ordinary(one, ratio) or 0) >= share.memory_bytes
