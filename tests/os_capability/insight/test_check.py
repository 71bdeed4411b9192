# SPDX-License-Identifier: Apache-2.0
"""Every hazard is found where it is, and not where it is not."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from os_capability import CpuSet, collect
from os_capability.insight.check import CODES, CRITICAL, INFO, RULES, WARNING, Hazard, check
from os_capability.model import CpuKind, HostWarning, Smt
from tests.os_capability.conftest import HOSTS, SOURCE_TREE
from tests.os_capability.insight.variants import (
    GIB,
    MIB,
    Variant,
    cpu,
    device,
    facts,
    folders,
    healthy,
    limits,
    memory,
    node,
    node_pool,
    offline,
    pool,
    processors,
    system,
    together,
    without_node,
)

KINDS = (
    CpuKind(name="performance", cpus=CpuSet([0, 1, 4, 5]), threads_per_core=2),
    CpuKind(name="efficiency", cpus=CpuSet([2, 3, 6, 7]), threads_per_core=1),
)
HYBRID = together(
    cpu(kinds=KINDS), processors(kind=lambda cpu: "performance" if cpu in KINDS[0].cpus else "efficiency")
)
ONE_NODE = together(without_node(1), node(0, cpus=CpuSet(range(8)), memory_total_bytes=8 * GIB))
INTEGRATED_MEMORY = cpu(flags=("fpu", "sse4_2"))
VF = device("0000:3b:02.0", sriov="vf", physical_function="0000:3b:00.0", iommu_group=None)

# What makes it, a part of the evidence, what does not make it.
HAZARDS: dict[str, tuple[Variant, str, Variant]] = {
    "offline-cpus": (
        offline(1, 5),
        "CPUs 1,5 of 0-7 cannot run anything",
        together(offline(4, 5, 6, 7), cpu(smt=Smt(control="off", active=False))),
    ),
    "smt-off": (
        together(offline(4, 5, 6, 7), cpu(smt=Smt(control="off", active=False))),
        "CPUs 4-7 of 0-7 are the idle threads",
        cpu(smt=Smt(control="off", active=False)),
    ),
    "smt-partial": (
        offline(5),
        "1 core (CPU 1) with fewer threads online than the 2 of the others",
        processors(core=lambda cpu: cpu % 2 if cpu in KINDS[0].cpus else cpu),
    ),
    "uneven-node-cpus": (offline(5), "node 0 has 3 online CPUs, node 1 has 4 online CPUs", offline(5, 7)),
    "uneven-socket-cores": (
        processors(core=lambda cpu: {2: 2, 6: 2, 3: 2, 7: 2}.get(cpu, cpu % 4)),
        "socket 0 has 2 cores, socket 3 has 1 core",
        together(processors(core=lambda cpu: {3: 2, 7: 2}.get(cpu, cpu % 4)), system(virtualization="kvm")),
    ),
    "isolated-cpus": (cpu(isolated=CpuSet([2, 6])), "CPUs 2,6: 2 of 8 online CPUs", cpu(isolated=CpuSet([9]))),
    "nohz-full-mismatch": (
        cpu(isolated=CpuSet([2]), nohz_full=CpuSet([3])),
        "CPU 3 in nohz_full, not isolated",
        cpu(isolated=CpuSet([2]), nohz_full=CpuSet([2])),
    ),
    "vulnerable-cpu": (
        cpu(vulnerabilities={"mds": "Vulnerable: no microcode", "l1tf": "Not affected"}),
        "mds: Vulnerable: no microcode",
        cpu(vulnerabilities={"mds": "Mitigation: Clear CPU buffers; SMT vulnerable"}),
    ),
    "mitigation-incomplete": (
        cpu(vulnerabilities={"spectre_v2": "Mitigation: Retpolines; BHI: Vulnerable", "mds": "Vulnerable"}),
        "spectre_v2: Mitigation: Retpolines; BHI: Vulnerable",
        cpu(vulnerabilities={"mds": "Vulnerable; SMT vulnerable", "l1tf": "Mitigation: PTE Inversion"}),
    ),
    "cores-unknown": (cpu(cores=None), "which of the 8 CPUs share a core", cpu(cores=None, threads=1)),
    "hybrid-cores": (HYBRID, "performance cores: CPUs 0-1,4-5", facts()),
    "memoryless-node": (
        node(1, memory_total_bytes=0),
        "node 1 (CPUs 2-3,6-7) has no memory; the nearest is on node 0, distance 21",
        node(1, memory_total_bytes=None),
    ),
    "cpus-in-no-node": (without_node(1), "CPUs 2-3,6-7 in no node", ONE_NODE),
    "cpus-in-several-nodes": (
        node(1, cpus=CpuSet(range(8))),
        "CPUs 0-1,4-5 in more than one of the nodes 0, 1",
        facts(),
    ),
    "numa-hidden": (
        together(ONE_NODE, INTEGRATED_MEMORY),
        "2 sockets of Example CPU 2000 @ 2.00GHz, and one NUMA node",
        together(ONE_NODE, INTEGRATED_MEMORY, system(virtualization="kvm")),
    ),
    "unequal-node-memory": (
        together(node(1, memory_total_bytes=3 * GIB), memory(total_bytes=7 * GIB)),
        "node 1 has 3 GiB, 1 GiB less than the 4 GiB of node 0",
        node(1, memory_total_bytes=4 * GIB - 500 * MIB),
    ),
    "special-memory-node": (
        node(1, memory_kind="cxl", memory_kind_evidence="CXL region dax0.0"),
        "4 GiB of CXL memory (CXL region dax0.0)",
        node(1, memory_kind=None),
    ),
    "far-nodes": (
        node(1, distances={0: 40, 1: 10}),
        "distance 40 (10 is local) from node 1 to 0",
        together(node(1, distances={0: 80, 1: 10}, cpus=CpuSet())),
    ),
    "asymmetric-distances": (
        node(1, distances={0: 31, 1: 10}),
        "node 0 to 1 is 21, back 31",
        node(1, distances=None),
    ),
    "memory-nearly-exhausted": (
        memory(available_bytes=100 * MIB),
        "100 MiB available of 8 GiB outside huge pages",
        memory(available_bytes=100 * MIB, hugepages=pool(total=3500, free=3)),
    ),
    "swap-heavily-used": (
        memory(swap_total_bytes=8 * GIB, swap_free_bytes=4 * GIB),
        "4 GiB swapped out, with 8 GiB of memory",
        memory(swap_total_bytes=GIB, swap_free_bytes=0),
    ),
    "memory-available-estimated": (
        memory(available_estimated=True),
        "about 5.9 GiB available",
        memory(available_bytes=None),
    ),
    "hugepages-unbalanced": (
        together(node(0, hugepages=node_pool(total=512)), node(1, hugepages=node_pool(total=100))),
        "pages of 2 MiB: 512 on node 0, 100 on node 1",
        together(node(0, hugepages=node_pool(total=65)), node(1, hugepages=node_pool(total=64))),
    ),
    "hugepages-node-exhausted": (
        together(node(0, hugepages=node_pool(total=64)), node(1, hugepages=node_pool(total=64, free=9))),
        "none free on node 0 (0 of 64), but 9 on node 1",
        together(node(0, hugepages=node_pool(total=64)), node(1, hugepages=node_pool(total=64))),
    ),
    "hugepages-surplus": (
        memory(hugepages=pool(total=64, surplus=12)),
        "12 of the 64 pages of 2 MiB",
        memory(hugepages=pool(total=64)),
    ),
    "hugepages-all-reserved": (
        memory(hugepages=pool(total=64, free=8, reserved=8)),
        "8 pages of 2 MiB free, 8 reserved",
        memory(hugepages=pool(total=64, free=8, reserved=7)),
    ),
    "hugepages-idle": (
        memory(hugepages=pool(size=GIB, total=6, free=6)),
        "6 GiB of 8 GiB in pools that nobody uses: 6 pages of 1 GiB",
        memory(hugepages=pool(size=GIB, total=6, free=5)),
    ),
    "container-view": (
        system(view="container", container="podman", view_evidence="/run/.containerenv"),
        "in a container made by podman: /run/.containerenv",
        facts(),
    ),
    "limited-cpus": (
        limits(cpus=CpuSet([0, 1])),
        "the cpuset of its cgroup is 0-1: without CPUs 2-7",
        together(cpu(isolated=CpuSet([3])), limits(affinity=CpuSet(range(8)) - CpuSet([3]))),
    ),
    "limited-cpu-quota": (limits(cpu_quota=1.5), "1.5 CPUs' worth of time, of 8 online CPUs", limits(cpu_quota=8.0)),
    "limited-memory": (limits(memory_bytes=GIB), "1 GiB, of 8 GiB", limits(memory_bytes=1 << 60)),
    "vf-without-iommu-group": (
        facts(pci=(VF,)),
        "1 PCI function without IOMMU group: 0000:3b:02.0",
        facts(pci=(device(iommu_group=None),)),
    ),
    "pci-without-node": (
        facts(pci=(device(node=None),)),
        "1 network device without NUMA node: 0000:3b:00.0",
        together(facts(pci=(device(node=None),)), system(virtualization="kvm")),
    ),
    "doubtful-facts": (
        facts(warnings=(HostWarning(code="topology-disagreement", message="cores"),)),
        "warnings of the reader: topology-disagreement",
        facts(warnings=(HostWarning(code="lscpu-unavailable", message="not found"),)),
    ),
}


def found(variant: Variant) -> dict[str, Hazard]:
    return {hazard.code: hazard for hazard in check(variant(healthy()))}


@pytest.mark.parametrize("code", HAZARDS)
def test_a_hazard_is_found_with_its_evidence(code: str) -> None:
    made, evidence, _ = HAZARDS[code]
    assert evidence in "\n".join(found(made)[code].evidence)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("KVM: Vulnerable", True),
        ("Mitigation: PTE Inversion; VMX: vulnerable", True),
        ("Mitigation: PTE Inversion; VMX: conditional cache flushes, SMT vulnerable", False),
        ("Not affected", False),
    ],
)
def test_what_is_open_to_guests_alone_is_open(text: str, is_told: bool) -> None:
    assert ("vulnerable-cpu" in found(cpu(vulnerabilities={"l1tf": text}))) is is_told


def test_smt_switched_off_on_a_hybrid_machine_is_meant() -> None:
    # The performance cores are CPUs 0-1 with the threads 4-5; the efficiency cores never had others.
    kinds = (replace(KINDS[0], cpus=CpuSet([0, 1])), KINDS[1])
    off = together(offline(4, 5), cpu(kinds=kinds, smt=Smt(control="off", active=False), cores=6))
    assert found(off).keys() & {"smt-off", "offline-cpus"} == {"smt-off"}


def test_smt_switched_off_in_a_document_without_any_cpu_is_an_answer_too() -> None:
    nothing = cpu(smt=Smt(control="off", active=False), online=CpuSet(), offline=CpuSet([0]), threads=0, cores=0)
    assert "offline-cpus" in found(nothing)


def test_a_small_share_of_much_memory_is_enough() -> None:
    large = memory(total_bytes=2048 * GIB, available_bytes=40 * GIB)
    assert "memory-nearly-exhausted" not in found(large)


@pytest.mark.parametrize("code", HAZARDS)
def test_what_only_looks_like_it_is_none(code: str) -> None:
    _, _, harmless = HAZARDS[code]
    assert code not in found(harmless)


def test_every_code_is_tested() -> None:
    assert sorted(HAZARDS) == sorted(CODES)


@pytest.mark.parametrize(
    "name",
    [
        "aarch64-big-little",
        "s390x-books",
        "x86_64-four-nodes-per-socket",
        "x86_64-hybrid",
        "x86_64-no-meminfo",
        "x86_64-no-numa",
        "x86_64-one-node-guest",
        "x86_64-two-dies",
        "x86_64-two-sockets",
    ],
)
def test_a_machine_that_is_well_has_no_hazards(name: str) -> None:
    host = collect(str(HOSTS / name / "root"), "sysfs")
    assert [hazard.code for hazard in check(host) if hazard.severity != INFO] == []


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("x86_64-cgroup1", ["limited-cpus", "limited-cpu-quota", "limited-memory"]),
        ("x86_64-isolated-cpus", ["isolated-cpus"]),
        ("x86_64-memoryless-node", ["memoryless-node"]),
        ("x86_64-offline-cpus", ["offline-cpus", "smt-partial"]),
        ("x86_64-plain", ["vulnerable-cpu"]),
        ("x86_64-sparse-node-ids", ["unequal-node-memory"]),
        ("x86_64-uneven-hugepages", ["hugepages-unbalanced", "hugepages-node-exhausted", "hugepages-surplus"]),
    ],
)
def test_a_machine_that_is_not_well_has_just_its_hazards(name: str, codes: list[str]) -> None:
    assert [hazard.code for hazard in check(collect(str(HOSTS / name / "root"), "sysfs"))] == codes


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.parent.name)
def test_the_gravest_come_first_and_each_says_all(folder: object) -> None:
    hazards = check(collect(str(folder), "sysfs"))
    severities = [(CRITICAL, WARNING, INFO).index(hazard.severity) for hazard in hazards]
    assert severities == sorted(severities)
    assert all(getattr(hazard, field.name) for hazard in hazards for field in fields(Hazard))


def test_a_missing_dimm_is_seen_among_24() -> None:
    dimm = 32 * GIB
    complete = together(
        node(0, memory_total_bytes=24 * dimm),
        node(1, memory_total_bytes=24 * dimm),
        memory(total_bytes=48 * dimm, available_bytes=40 * dimm),
    )
    assert list(found(complete)) == []
    short = together(complete, node(1, memory_total_bytes=23 * dimm), memory(total_bytes=47 * dimm))
    assert found(short)["unequal-node-memory"].evidence == (
        "node 1 has 736 GiB, 32 GiB less than the 768 GiB of node 0",
    )


def test_nodes_that_are_counted_in_part_are_not_compared() -> None:
    growing = together(node(0, memory_total_bytes=3 * GIB), node(1, memory_total_bytes=GIB))
    assert list(found(growing)) == []


def test_memory_without_cpus_that_is_far_is_told_by_its_kind_alone() -> None:
    gpu = together(
        node(1, cpus=CpuSet(), memory_kind="gpu", distances={0: 80, 1: 10}),
        node(0, cpus=CpuSet(range(8)), distances={0: 10, 1: 80}),
    )
    assert list(found(gpu)) == ["special-memory-node"]


def test_hybrid_cores_of_one_and_two_threads_are_no_half_smt() -> None:
    hybrid = together(HYBRID, processors(core=lambda cpu: cpu % 4 if cpu in KINDS[0].cpus else cpu))
    assert list(found(hybrid)) == ["hybrid-cores"]
    assert "smt-partial" in found(together(hybrid, offline(5)))


def test_one_core_with_a_thread_less_is_seen_though_no_cpu_is_offline() -> None:
    host = collect(str(HOSTS / "x86_64-four-nodes-per-socket" / "root"), "sysfs")
    there = CpuSet(range(15))
    one_less = cpu(online=there, present=there, threads=15, processors=host.cpu.processors[:15])
    assert "smt-partial" in [hazard.code for hazard in check(one_less(host))]


class TestPage:
    """docs/checks.md explains every hazard."""

    PAGE = (SOURCE_TREE / "docs" / "checks.md").read_text()

    def test_every_code_has_its_section_with_its_severity(self) -> None:
        sections = dict(re.findall(r"^### `([a-z-]+)` \((\w+)\)$", self.PAGE, re.MULTILINE))
        assert sections == {rule.code: rule.severity for rule in RULES}

    def test_every_section_says_something(self) -> None:
        for section in self.PAGE.split("\n### ")[1:]:
            assert len(section.partition("\n")[2].strip()) > 60, section
