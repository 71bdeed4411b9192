# SPDX-License-Identifier: Apache-2.0
"""Facts -> the columns of compute_host."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.errors import HostAgentError, InvalidRecord
from host_agent.record import Identity, compute_host, facts_digest
from os_capability import CpuSet, Host, NumaTopology
from os_capability.model import Processor
from tests.host_agent.facts import GIB, cpu_of, machine

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
    assert {row.vcpus_used, row.memory_mb_used, row.free_ram_mb, row.local_gb, row.running_vms, row.used_cpu} == {None}


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
    size = {"pinned_cpus": None, "memory_total_bytes": 4 * GIB, "memory_available_bytes": None}
    pages = [{"size_bytes": 2097152, "total": 8, "used": 3}]
    assert json.loads(row.numa_topology) == {
        "nodes": [
            {"id": 3, "cpuset": "0-3", **size, "hugepages": pages},
            {"id": 8, "cpuset": "4-7", **size, "hugepages": None},
        ]
    }


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
