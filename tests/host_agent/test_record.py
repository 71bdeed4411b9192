# SPDX-License-Identifier: Apache-2.0
"""Facts -> the columns of compute_host."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.capacity import capacity as capacity_of
from host_agent.errors import HostAgentError, InvalidRecord
from host_agent.facts_digest import facts_digest
from host_agent.record import ComputeHost, Identity, compute_host
from host_agent.settings import CapacitySettings
from host_agent.workloads.discovery import Discovery, DiskSpace, SeenEngine
from host_agent.workloads.engine import ANSWERED, UNREADABLE, EngineReport
from os_capability import CpuSet, Host, NumaTopology
from os_capability.model import Processor
from tests.host_agent.facts import GIB, cpu_of, machine

MIB = 1024**2
IDENTITY = Identity(uuid="6c1c2a34-0000-4000-8000-000000000001", host="rack-1", host_ip="192.0.2.7")


def topology_of(facts: Host) -> dict[str, int | None]:
    topology: dict[str, int | None] = json.loads(compute_host(facts, IDENTITY, "1", 1).cpu_info)["topology"]
    return topology


def with_processors(*processors: Processor, facts: Host | None = None) -> Host:
    return replace(facts or machine(), cpu=cpu_of(processors))


def test_who_the_host_is_comes_from_its_identity_and_its_name_from_the_facts() -> None:
    row = compute_host(machine(), IDENTITY, "0.1.0", 1)
    assert (row.uuid, row.host, row.host_ip) == (IDENTITY.uuid, "rack-1", "192.0.2.7")
    assert (row.hostname, row.hypervisor_hostname) == ("node-1", "node-1")
    assert (row.agent_version, row.boot_id) == ("0.1.0", machine().boot_id)


def test_the_ids_that_recognise_a_machine_are_columns_beside_the_document() -> None:
    row = compute_host(machine(), IDENTITY, "0.1.0", 7)
    assert (row.machine_id, row.product_uuid) == (machine().machine_id, machine().product_uuid)
    assert (row.boot_id, row.sequence) == (machine().boot_id, 7)
    assert None not in (row.machine_id, row.product_uuid)


def test_who_may_not_see_the_product_uuid_writes_no_other_facts_than_who_may() -> None:
    root, service = machine(), replace(machine(), product_uuid=None)
    assert compute_host(root, IDENTITY, "1", 1).facts_digest == compute_host(service, IDENTITY, "1", 2).facts_digest


def test_a_host_without_a_name_has_that_of_its_identity() -> None:
    row = compute_host(replace(machine(), hostname=None), IDENTITY, "1", 1)
    assert (row.hostname, row.hypervisor_hostname) == ("rack-1", "rack-1")


def test_memory_is_in_mib_and_kib_rounded_down() -> None:
    facts = machine()
    row = compute_host(replace(facts, memory=replace(facts.memory, total_bytes=8 * GIB - 1)), IDENTITY, "1", 1)
    assert (row.memory_mb, row.mem_total_kb) == (8191, 8 * 1024**2 - 1)
    assert (row.mem_free_kb, row.mem_available_kb) == (1024**2, 1024**2 + 5)
    assert (row.buffers_kb, row.cached_kb) == (7, 9)


def test_unknown_memory_stays_unknown() -> None:
    facts = machine()
    row = compute_host(
        replace(facts, memory=replace(facts.memory, total_bytes=None, free_bytes=None)), IDENTITY, "1", 1
    )
    assert (row.memory_mb, row.mem_total_kb, row.mem_free_kb) == (None, None, None)


@pytest.mark.parametrize(("kind", "gib"), [("dram", 8), (None, 8), ("gpu", 4), ("cxl", 4), ("hbm", 4), ("unknown", 4)])
def test_only_plain_ram_is_memory_to_place_on(kind: str | None, gib: int) -> None:
    facts = machine(nodes=2)
    first, second = (replace(node, memory_total_bytes=4 * GIB) for node in facts.numa.nodes)
    numa = NumaTopology(synthetic=False, nodes=(first, replace(second, memory_kind=kind)))
    row = compute_host(replace(facts, numa=numa, memory=replace(facts.memory, total_bytes=8 * GIB)), IDENTITY, "1", 1)
    assert (row.memory_mb, row.mem_total_kb) == (gib * 1024, 8 * 1024**2)


def test_vcpus_are_the_online_threads() -> None:
    processors = [replace(processor, online=processor.id != 0) for processor in machine().cpu.processors]
    row = compute_host(with_processors(*processors), IDENTITY, "1", 1)
    assert (row.vcpus, row.total_cpu) == (7, 7.0)
    assert isinstance(row.total_cpu, float)


def test_facts_without_any_cpu_make_no_record() -> None:
    with pytest.raises(InvalidRecord, match="rack-1: the facts name no online CPU") as raised:
        compute_host(with_processors(), IDENTITY, "1", 1)
    assert isinstance(raised.value, HostAgentError)
    assert isinstance(raised.value, ValueError)


def test_nothing_measured_is_none() -> None:
    row = compute_host(machine(), IDENTITY, "1", 1)
    measured = {column.name for column in fields(row) if getattr(row, column.name) is not None}
    assert measured == {column.name for column in fields(row) if column.default is MISSING}


def test_what_is_used_is_the_stores_to_say() -> None:
    columns = {column.name for column in fields(ComputeHost)}
    used = "vcpus_used pcpus_used memory_mb_used free_ram_mb local_gb_used free_disk_gb used_cpu running_vms"
    assert columns.isdisjoint([*used.split(), "current_workload", "workloads_at"])


def test_the_document_is_kept_whole() -> None:
    assert Host.from_dict(json.loads(compute_host(machine(), IDENTITY, "1", 1).facts)) == machine()


def test_cpu_info_is_novas() -> None:
    assert json.loads(compute_host(machine(), IDENTITY, "1", 1).cpu_info) == {
        "arch": "x86_64",
        "model": "Intel Xeon Processor (Skylake)",
        "vendor": "GenuineIntel",
        "features": ["fpu", "vme", "sse2"],
        "topology": {"cells": 2, "sockets": 1, "cores": 2, "threads": 2},
    }


def test_numa_topology_names_nodes_by_the_kernels_ids() -> None:
    facts = machine()
    nodes = (replace(facts.numa.nodes[0], id=3), replace(facts.numa.nodes[1], id=8, hugepages=None))
    row = compute_host(replace(facts, numa=NumaTopology(synthetic=False, nodes=nodes)), IDENTITY, "1", 1)
    first, second = json.loads(row.numa_topology)["nodes"]
    # Nothing is pinned: the store knows what workloads hold. Of what the machine has, the page pools are taken off.
    size = {"pinned_cpus": "", "memory_total_bytes": 4 * GIB}
    assert first.items() >= {"id": 3, "cpuset": "0-3", **size, "memory_available_bytes": 4 * GIB - 16 * MIB}.items()
    assert [pool["used"] for pool in first["hugepages"]] == [3]
    assert [(pool["size_bytes"], pool["total"]) for pool in first["hugepages"]] == [(2 * MIB, 8)]
    assert second.items() >= {"id": 8, "cpuset": "4-7", **size, "memory_available_bytes": 4 * GIB}.items()
    assert second["hugepages"] is None


def offered(**settings: Any) -> ComputeHost:
    disk = DiskSpace(total_bytes=100 * GIB - 1, free_bytes=10 * GIB + 5, shared_storage="filer:/export")
    capacity = capacity_of(machine(), CapacitySettings(**settings), disk)
    return compute_host(machine(), IDENTITY, "1", 1, capacity)


def test_what_the_host_offers_has_novas_columns() -> None:
    row = offered(
        cpu_dedicated_set=CpuSet([2, 3]),
        cpu_shared_set=CpuSet([4, 5, 6]),
        reserved_host_cpus=1,
        reserved_host_disk_mb=1500,
        cpu_allocation_ratio=16.0,
        enable_cpu_pinning=True,
        cpu_labels={"vendor": "Intel", "rack": "7"},
        disk_labels={"kind": "ssd"},
    )
    assert (row.vcpus, row.pcpus, row.total_cpu) == (5, 2, 8.0)
    assert (row.reserved_host_cpus, row.reserved_host_memory_mb, row.reserved_host_disk_mb) == (1, 512, 1500)
    assert (row.cpu_allocation_ratio, row.ram_allocation_ratio, row.disk_allocation_ratio) == (16.0, 1.0, 1.0)
    assert (row.local_gb, row.disk_available_least, row.shared_storage) == (99, 10, "filer:/export")
    assert row.enable_cpu_pinning is True
    assert json.loads(row.labels or "") == {"cpu.vendor": "Intel", "cpu.rack": "7", "disk.kind": "ssd"}
    assert [node["dedicated_cpus"] for node in json.loads(row.numa_topology)["nodes"]] == ["2-3", ""]


def test_without_sets_every_cpu_is_for_workloads_and_none_dedicated() -> None:
    row = offered()
    assert (row.vcpus, row.pcpus, row.labels) == (8, 0, "{}")
    assert (row.cpu_allocation_ratio, row.enable_cpu_pinning) == (4.0, False)


def test_a_set_that_is_all_offline_leaves_no_cpu_and_still_a_row() -> None:
    facts = with_processors(*(replace(processor, online=processor.id > 1) for processor in machine().cpu.processors))
    capacity = capacity_of(facts, CapacitySettings(cpu_dedicated_set=CpuSet([0, 1])), None)
    row = compute_host(facts, IDENTITY, "1", 1, capacity)
    assert (row.vcpus, row.pcpus, row.total_cpu, row.local_gb, row.disk_available_least) == (0, 0, 6.0, None, None)


@pytest.mark.parametrize(("growth", "least"), [(0, 10), (5 * GIB, 5), (10 * GIB + 5, 0), (10 * GIB + 6, -1)])
def test_disk_that_is_promised_and_not_written_yet_is_not_available(growth: int, least: int) -> None:
    disk = DiskSpace(total_bytes=100 * GIB, free_bytes=10 * GIB + 5)
    capacity = capacity_of(machine(), CapacitySettings(), disk)
    found = Discovery(disk_overcommitted_bytes=growth)
    assert compute_host(machine(), IDENTITY, "1", 1, capacity, found).disk_available_least == least


def found(*engines: SeenEngine, **discovery: Any) -> ComputeHost:
    return compute_host(machine(), IDENTITY, "1", 1, None, Discovery(engines=engines, **discovery))


def test_a_bare_host_has_no_containers_and_no_runtimes_for_certain() -> None:
    row = found()
    assert (row.no_of_containers, row.running_containers, row.paused_containers, row.stopped_containers) == (0,) * 4
    assert (row.runtimes, row.engines, row.labels) == ("[]", "[]", "{}")
    assert (row.hypervisor_type, row.hypervisor_version, row.disk_quota_supported) == (None, None, None)


def test_engines_tell_what_the_host_can_run_virtual_machines_first() -> None:
    docker = EngineReport(
        engine="docker",
        status=ANSWERED,
        runtimes=("runc", "kata"),
        labels={"rack": "7", "cpu.vendor": "theirs"},
        disk_quota_supported=False,
        hypervisor_type="docker",
        hypervisor_version=20010024,
    )
    podman = EngineReport(engine="podman", status=ANSWERED, runtimes=("crun",), disk_quota_supported=True)
    libvirt = EngineReport(engine="libvirt", status=ANSWERED, hypervisor_type="QEMU", hypervisor_version=7002000)
    capacity = capacity_of(machine(), CapacitySettings(cpu_labels={"vendor": "ours"}), None)
    discovery = Discovery(engines=tuple(SeenEngine(report=report) for report in (docker, libvirt, podman)))
    row = compute_host(machine(), IDENTITY, "1", 1, capacity, discovery)
    assert (row.hypervisor_type, row.hypervisor_version) == ("QEMU", 7002000)
    assert (row.runtimes, row.disk_quota_supported) == ('["crun","kata","runc"]', True)
    assert json.loads(row.labels or "") == {"rack": "7", "cpu.vendor": "ours"}
    assert found(SeenEngine(report=docker)).hypervisor_version == 20010024
    assert found(SeenEngine(report=docker)).disk_quota_supported is False


def test_each_engine_says_how_old_and_how_complete_its_numbers_are() -> None:
    answered = SeenEngine(report=EngineReport(engine="docker", status=ANSWERED), age_seconds=95.4, trouble="it hangs")
    refused = SeenEngine(report=EngineReport(engine="podman", status=UNREADABLE, reason="permission denied"))
    row = found(answered, refused, complete=frozenset({"docker"}), knows_running=False)
    keys = ("engine", "status", "reason", "age_seconds", "complete")
    assert [tuple(engine[key] for key in keys) for engine in json.loads(row.engines or "")] == [
        ("docker", "unreadable", "it hangs", 95, True),
        ("podman", "unreadable", "permission denied", None, False),
    ]
    assert (row.no_of_containers, row.running_containers, row.runtimes) == (None, None, None)


def test_several_nodes_in_one_socket_have_no_sockets_per_cell() -> None:
    processors = [replace(processor, socket=0) for processor in machine().cpu.processors]
    assert topology_of(with_processors(*processors)) == {"cells": 2, "sockets": None, "cores": 4, "threads": 2}


def test_several_sockets_in_one_node_are_counted_in_it() -> None:
    facts = machine(nodes=1, cores=4, threads=1)
    processors = [replace(processor, socket=processor.id // 2) for processor in facts.cpu.processors]
    expected = {"cells": 1, "sockets": 2, "cores": 2, "threads": 1}
    assert topology_of(with_processors(*processors, facts=facts)) == expected


def test_a_node_without_cpus_has_no_sockets_per_cell() -> None:
    facts = machine()
    nodes = (*facts.numa.nodes, replace(facts.numa.nodes[1], id=2, cpus=CpuSet()))
    facts = replace(facts, numa=NumaTopology(synthetic=False, nodes=nodes))
    assert topology_of(facts) == {"cells": 3, "sockets": None, "cores": 2, "threads": 2}


def test_hybrid_cores_have_no_threads_per_core() -> None:
    kept = [processor for processor in machine().cpu.processors if processor.id not in (3, 7)]
    assert topology_of(with_processors(*kept)) == {"cells": 2, "sockets": 1, "cores": 2, "threads": None}


def test_unequal_sockets_have_no_cores_per_socket() -> None:
    kept = [processor for processor in machine().cpu.processors if processor.id < 6]
    assert topology_of(with_processors(*kept)) == {"cells": 2, "sockets": 1, "cores": None, "threads": 2}


def test_unknown_sockets_and_cores_have_no_numbers() -> None:
    processors = [replace(processor, socket=None, core=None) for processor in machine().cpu.processors]
    assert topology_of(with_processors(*processors)) == {"cells": 2, "sockets": None, "cores": None, "threads": None}


def test_sockets_of_equal_number_in_two_books_are_two() -> None:
    processors = [replace(p, socket=0, book=p.node) for p in machine().cpu.processors]
    assert topology_of(with_processors(*processors)) == {"cells": 2, "sockets": 1, "cores": 2, "threads": 2}


# Spelled out here on purpose: what the digest leaves out is a promise, and must not follow a slip in the code.
MOVES = {
    "collected_at", "uptime_seconds", "load_average", "users", "free", "free_bytes", "available_bytes",
    "buffers_bytes", "cached_bytes", "slab_reclaimable_bytes", "shmem_bytes", "swap_free_bytes",
    "memory_free_bytes", "memory_total_bytes", "product_uuid", "reserved", "surplus",
}  # fmt: skip
DOCUMENT = machine().to_dict()


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    children = [(*path, key) for key, _ in items]
    if not children:
        yield path
    for child in children:
        yield from leaves(value[child[-1]], child)


def changed(path: tuple[Any, ...], new: object) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return document


LEAVES = sorted(leaves(DOCUMENT), key=str)
VOLATILE = [path for path in LEAVES if MOVES.intersection(path)]
SETTLED = [path for path in LEAVES if not MOVES.intersection(path)]
NUMBERS = st.none() | st.integers(min_value=0, max_value=2**63 - 1)


@given(st.dictionaries(st.sampled_from(VOLATILE), NUMBERS, min_size=1))
def test_what_moves_by_itself_does_not_move_the_digest(moved: dict[tuple[Any, ...], object]) -> None:
    for path, new in moved.items():
        assert facts_digest(changed(path, new)) == facts_digest(DOCUMENT)


@given(st.sampled_from(SETTLED), st.text() | st.integers() | st.lists(st.integers()))
def test_whatever_else_changes_moves_the_digest(path: tuple[Any, ...], new: object) -> None:
    old: Any = DOCUMENT
    for key in path:
        old = old[key]
    same = type(old) is type(new) and old == new
    assert (facts_digest(changed(path, new)) == facts_digest(DOCUMENT)) == same


def test_the_machine_has_both_kinds_of_facts() -> None:
    assert {path[-1] for path in VOLATILE if isinstance(path[-1], str)} >= MOVES - {"load_average"}
    assert ("memory", "available_estimated") in SETTLED
    assert ("memory", "total_bytes") in SETTLED
    assert ("cpu", "vulnerabilities", "spectre_v2") in SETTLED


def test_that_something_moved_since_the_last_reading_does_not_count_other_warnings_do() -> None:
    def digest(*codes: str) -> str:
        return facts_digest(
            {**DOCUMENT, "warnings": [{"code": code, "message": "CPU 3 went offline"} for code in codes]}
        )

    assert digest("topology-changed") == digest()
    assert digest("topology-changed", "container-view") == digest("container-view") != digest()


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert facts_digest(dict(reversed(DOCUMENT.items()))) == facts_digest(DOCUMENT)
    assert len(facts_digest(DOCUMENT)) == 64
