# SPDX-License-Identifier: Apache-2.0
"""The NUMA nodes of a host, and what is left on each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from falcon import testing
from jsonschema import validate
from sqlalchemy import update

from host_agent import store
from host_agent.api.own import numa
from host_agent.store.engine import Engine
from host_agent.store.schema import HOSTS
from host_agent.workloads.workload import HeldPages
from os_capability import CpuSet, Host
from tests.host_agent.facts import GIB, cpu_of, machine, record, uuid
from tests.host_agent.store.workloads import report, vm

MIB = 1024**2


def shown(api: testing.TestClient, name: str = "node-1") -> Any:
    answer = api.simulate_get(f"/v1/hosts/{name}/numa")
    assert answer.status_code == 200, answer.text
    assert numa.SHOW.returns is not None
    validate(answer.json, numa.SHOW.returns)
    return answer.json


def test_each_node_tells_what_it_has_and_what_is_held(api_everywhere: testing.TestClient, engine: Engine) -> None:
    report(engine)
    pinned = vm(vcpus=2, cpuset=CpuSet((4, 5)), memory_bytes=GIB, hugepages=(HeldPages(size_bytes=2 * MIB, count=4),))
    store.record_workload(engine, replace(pinned, numa_nodes=(1,)), "node-1")

    body = shown(api_everywhere)

    assert (body["uuid"], body["host"], body["synthetic"]) == (uuid(1), "node-1", False)
    assert body["nodes"][0]["pinned_cpus"] == ""
    assert body["nodes"][1] == {
        "id": 1,
        "cpuset": "4-7",
        "sockets": 1,
        "cores": 2,
        "threads": 4,
        "siblings": ["4-5", "6-7"],
        "dedicated_cpus": None,
        "shared_cpus": None,
        "pinned_cpus": "4-5",
        "free_cpus": "6-7",
        "memory_kind": None,
        "memory_total_bytes": 4 * GIB,
        "memory_available_bytes": 4 * GIB - 16 * MIB - (GIB - 8 * MIB),
        "memory_held_bytes": GIB - 8 * MIB,
        "hugepages": [{"size_bytes": 2 * MIB, "total": 8, "used": 4, "free": 4, "reserved": 0, "allocated": 4}],
        "distances": {"0": 21, "1": 10},
    }


def test_what_is_null_says_what_that_means(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record(facts=without_numbers(machine())))

    body = shown(api)

    assert body["reasons"] == {
        "nodes.cores": "the machine does not tell which CPUs share a core",
        "nodes.dedicated_cpus": "the operator keeps no set of CPUs for pinning: any may be pinned",
        "nodes.distances": "the machine has no table of distances",
        "nodes.hugepages": "the machine does not tell its huge pages by node",
        "nodes.memory_kind": "the machine does not tell what kind of memory it is, or there is none",
        "nodes.shared_cpus": "the operator keeps no set of CPUs for floating",
        "nodes.siblings": "the machine does not tell which CPUs share a core",
        "nodes.sockets": "the machine does not tell which socket some of the CPUs are in",
    }
    assert [node["threads"] for node in body["nodes"]] == [4, 4]


def without_numbers(host: Host) -> Host:
    processors = tuple(replace(processor, core=None, socket=None) for processor in host.cpu.processors)
    nodes = tuple(replace(node, distances=None, hugepages=None) for node in host.numa.nodes)
    return replace(
        host,
        cpu=replace(cpu_of(processors), sockets=None, cores=None),
        numa=replace(host.numa, nodes=nodes),
    )


def test_cores_of_different_kinds_are_told_one_by_one(api: testing.TestClient, fleet: Engine) -> None:
    # Two cores of two threads, and four of one: no number of threads per core is true.
    processors = tuple(
        replace(processor, core=processor.core if processor.id < 4 else processor.id, node=0)
        for processor in machine(nodes=1, cores=4).cpu.processors
    )
    host = machine(nodes=1, cores=4)
    store.upsert(fleet, record(facts=replace(host, cpu=replace(cpu_of(processors), cores=6))))

    (node,) = shown(api)["nodes"]

    assert node["siblings"] == ["0-1", "2-3", "4", "5", "6", "7"]
    assert (node["cores"], node["threads"]) == (6, 8)


def test_a_host_that_has_told_nothing_has_no_nodes(api: testing.TestClient, fleet: Engine) -> None:
    store.upsert(fleet, record())
    with fleet.begin() as connection:
        connection.execute(update(HOSTS).values(facts=None, facts_at=None, numa_topology=None))

    body = shown(api)

    assert (body["nodes"], body["synthetic"], body["facts_at"]) == (None, None, None)
    assert body["reasons"] == dict.fromkeys(("nodes", "synthetic"), "the host has not told its facts yet")


class TestTheHostThatIsMeant:
    def test_it_is_found_by_name_and_by_uuid_in_any_form(self, api: testing.TestClient, fleet: Engine) -> None:
        store.upsert_many(fleet, [record(1), record(2)])

        for name in ("node-2", uuid(2), uuid(2).upper(), uuid(2).replace("-", ""), f"urn:uuid:{uuid(2)}"):
            assert shown(api, name)["uuid"] == uuid(2)

    def test_nobody_of_that_name_is_not_found(self, api_everywhere: testing.TestClient) -> None:
        for name in ("nosuch", uuid(9), "%FF", "'--"):
            answer = api_everywhere.simulate_get(f"/v1/hosts/{name}/numa")
            assert answer.status_code == 404
            assert answer.json["error"]["message"].startswith("No host has the name or uuid ")

    def test_several_of_that_name_are_a_conflict(self, api: testing.TestClient, fleet: Engine) -> None:
        store.upsert_many(fleet, [record(1), record(2, hypervisor_hostname="node-1")])

        answer = api.simulate_get("/v1/hosts/node-1/numa")

        assert (answer.status_code, answer.json["error"]["message"]) == (
            409,
            f"2 hosts have the name node-1: ask for one by its uuid: {uuid(1)}, {uuid(2)}",
        )

    def test_a_retired_one_gives_way_and_is_there_where_no_other_is(
        self, api: testing.TestClient, fleet: Engine
    ) -> None:
        store.upsert_many(fleet, [record(1), record(2, hypervisor_hostname="node-1")])
        store.retire(fleet, uuid(1))
        assert shown(api)["uuid"] == uuid(2)

        store.retire(fleet, uuid(2))
        assert shown(api, uuid(2))["uuid"] == uuid(2)

    def test_an_unknown_parameter_is_refused(self, api: testing.TestClient, fleet: Engine) -> None:
        store.upsert(fleet, record())

        assert api.simulate_get("/v1/hosts/node-1/numa", query_string="verbose=1").status_code == 400
