# SPDX-License-Identifier: Apache-2.0
"""What changed between two hosts: in words, both ways, and nothing that moves by itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings

from os_capability import CpuSet, Host, collect
from os_capability.insight.check import check
from os_capability.insight.diff import CHANGED, GAINED, LOST, diff
from os_capability.model import Cache, CpuKind, HostWarning, Smt
from tests.os_capability.conftest import SOURCE_TREE
from tests.os_capability.insight.any_host import any_host
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
    numa,
    offline,
    pool,
    processors,
    system,
    together,
    without_node,
)

PAGE = (SOURCE_TREE / "docs" / "changes.md").read_text()
ROWS = re.findall(r"^\| (`[^|]*)\|([^|]*)\|", PAGE, re.MULTILINE)
CODES = [code for names, back in ROWS for code in re.findall(r"`([a-z-]+)`", names + back)]
REVERSE = {code: code for code in CODES} | {
    one: other
    for names, back in ROWS
    if back.strip()
    for there, here in [(names.strip("` "), back.strip("` "))]
    for one, other in ((there, here), (here, there))
}
BACK = {GAINED: LOST, LOST: GAINED, CHANGED: CHANGED}

NIC = device()
FUNCTIONS = tuple(
    device(f"0000:3b:02.{n}", sriov="vf", physical_function=NIC.address, product_id="154c") for n in range(8)
)
CARDS = tuple(device(f"0000:5e:00.{n}") for n in range(3))
BRIDGES = tuple(device(f"0000:00:{n:02x}.0", kind=None, product_id=f"{n:04x}") for n in range(40))
HYBRID = (CpuKind(name="efficiency", cpus=CpuSet([2, 3]), threads_per_core=1),)
UNBOUND = limits(cgroup_version=2, cpus=None, cpu_quota=None, memory_bytes=None)

# What it was, what it became, what is said.
SAID: list[tuple[Variant, Variant, list[str]]] = [
    (facts(hostname="a"), facts(hostname="b"), ["hostname a -> b"]),
    (facts(boot_id="1"), facts(boot_id="2"), ["the host rebooted"]),
    (
        facts(machine_id="1", boot_id="3"),
        facts(machine_id="2", boot_id="4"),
        ["another machine, or installed anew (machine id 1 -> 2)"],
    ),
    (
        facts(machine_id="1", product_uuid="a", boot_id="3"),
        facts(machine_id="1", product_uuid="b", boot_id="4"),
        ["another machine, or with another board (product uuid a -> b)"],
    ),
    (
        facts(machine_id="1", product_uuid="a"),
        facts(machine_id="2", product_uuid="b"),
        ["another machine (machine id 1 -> 2, product uuid a -> b)"],
    ),
    (facts(product_uuid="a"), facts(product_uuid=None), []),
    (system(kernel="6.1"), system(kernel="6.6"), ["kernel 6.1 -> 6.6"]),
    (system(os="Debian 12"), system(os="Debian 13"), ["distribution Debian 12 -> Debian 13"]),
    (
        facts(),
        system(view="container", container="podman"),
        ["now seen from a container (podman): the facts are those it is shown"],
    ),
    (system(view="container"), facts(), ["now seen from the host, no longer from a container"]),
    (
        system(view="container", container="podman"),
        system(view="container", container="lxc"),
        ["container podman -> lxc"],
    ),
    (
        facts(),
        system(os_type="freebsd", architecture="arm64"),
        ["operating system linux -> freebsd", "architecture x86_64 -> arm64"],
    ),
    (system(virtualization="kvm"), system(virtualization="xen"), ["virtualization kvm -> xen"]),
    (
        cpu(vendor="A", model="B", family="6", sockets=2),
        cpu(vendor="C", model="D", family="7", sockets=1),
        ["CPU vendor A -> C", "CPU model B -> D", "CPU family 6 -> 7", "sockets 2 -> 1"],
    ),
    (cpu(microcode="0x1"), cpu(microcode="0x2"), ["microcode 0x1 -> 0x2"]),
    (facts(), cpu(smt=Smt(control="off", active=False)), ["SMT on -> off"]),
    (facts(), cpu(smt=Smt(control="on", active=False)), ["SMT in use -> not in use"]),
    (
        together(node(1, memory_total_bytes=64 * GIB), memory(total_bytes=68 * GIB)),
        together(node(1, memory_total_bytes=48 * GIB - 3 * MIB), memory(total_bytes=52 * GIB - 3 * MIB)),
        ["the machine lost 16 GiB (68 GiB -> 52 GiB)", "node 1 lost 16 GiB (64 GiB -> 48 GiB)"],
    ),
    (memory(swap_total_bytes=0), memory(swap_total_bytes=GIB), ["swap none -> 1 GiB"]),
    (
        node(0, hugepages=node_pool(total=512, surplus=0)),
        node(0, hugepages=node_pool(total=1030, surplus=6)),
        ["2 MiB huge pages on node 0: 512 -> 1024"],
    ),
    (
        together(node(0, hugepages=None), node(1, hugepages=None), memory(hugepages=pool(size=GIB, total=4))),
        together(node(0, hugepages=None), node(1, hugepages=None), memory(hugepages=())),
        ["1 GiB huge pages: 4 -> 0"],
    ),
    (facts(), offline(5), ["CPU 5 went offline"]),
    (offline(4, 5, 6, 7), offline(4), ["CPUs 5-7 came online"]),
    (
        facts(),
        together(offline(6, 7), cpu(present=CpuSet(range(6)), offline=CpuSet())),
        ["CPUs 6-7 were removed"],
    ),
    (cpu(isolated=CpuSet()), cpu(isolated=CpuSet([2, 3])), ["isolated CPUs none -> 2-3"]),
    (
        cpu(nohz_full=CpuSet([2, 3])),
        cpu(nohz_full=CpuSet(), possible=CpuSet(range(16))),
        ["nohz_full CPUs 2-3 -> none", "possible CPUs 0-7 -> 0-15"],
    ),
    (
        facts(),
        together(without_node(1), offline(2, 3, 6, 7), memory(total_bytes=4 * GIB)),
        ["the machine lost 4 GiB (8 GiB -> 4 GiB)", "node 1 is gone, with CPUs 2-3,6-7 and 4 GiB"],
    ),
    (facts(), processors(node=lambda cpu: 0), ["CPUs 2-3,6-7 moved from node 1 to node 0"]),
    (facts(), processors(socket=lambda cpu: 3), ["CPUs 0-1,4-5 moved from socket 0 to socket 3"]),
    (facts(), processors(die=lambda cpu: cpu % 2), ["CPUs 1,3,5,7 moved from die 0 to die 1"]),
    (
        processors(cluster=lambda cpu: 0, book=lambda cpu: 0, drawer=lambda cpu: 0),
        processors(cluster=lambda cpu: 1, book=lambda cpu: 2, drawer=lambda cpu: 3),
        [
            "CPUs 0-7 moved from drawer 0 to drawer 3",
            "CPUs 0-7 moved from book 0 to book 2",
            "CPUs 0-7 moved from cluster 0 to cluster 1",
        ],
    ),
    (facts(), processors(core=lambda cpu: 3 - cpu % 4), []),
    (facts(), processors(core=lambda cpu: cpu // 2), ["CPUs 0-7: other CPUs share the core now"]),
    (facts(), cpu(kinds=HYBRID), ["kinds of cores: all alike -> efficiency 2-3"]),
    (facts(), numa(synthetic=True), ["the kernel no longer tells of NUMA nodes"]),
    (node(1, memory_kind="unknown"), node(1, memory_kind="cxl"), ["memory of node 1: unknown -> cxl"]),
    (
        facts(),
        together(node(0, distances={0: 10, 1: 32}), node(1, distances={0: 32, 1: 10})),
        ["distances: node 0 to 1 21 -> 32"],
    ),
    (
        cpu(caches=(Cache(level=3, type="Unified", size_bytes=32 * MIB, shared_cpus=CpuSet([0])),)),
        cpu(caches=(Cache(level=3, type="Unified", size_bytes=16 * MIB, shared_cpus=CpuSet([0])),)),
        ["L3 caches: 1 x 32 MiB -> 1 x 16 MiB"],
    ),
    (cpu(flags=("a", "b")), cpu(flags=("b", "c", "d")), ["CPU flags gained: c, d", "CPU flags lost: a"]),
    (
        cpu(vulnerabilities={"mds": "Vulnerable"}),
        cpu(vulnerabilities={"mds": "Mitigation: x", "new": "Vulnerable"}),
        ["vulnerability mds: Vulnerable -> Mitigation: x"],
    ),
    (
        cpu(vulnerabilities={"a": "Mitigation: x", "b": "Vulnerable"}),
        cpu(vulnerabilities={"a": "Mitigation: y", "b": "Vulnerable: z"}),
        ["vulnerability a: Mitigation: x -> Mitigation: y", "vulnerability b: Vulnerable -> Vulnerable: z"],
    ),
    (facts(pci=(NIC,)), facts(pci=()), ["PCI 0000:3b:00.0 (network 8086:1572) is gone"]),
    (
        facts(pci=()),
        facts(pci=(NIC, *FUNCTIONS)),
        ["PCI 0000:3b:00.0 (network 8086:1572) is new, with 8 virtual functions"],
    ),
    (
        facts(pci=(NIC, *FUNCTIONS)),
        facts(pci=(NIC,)),
        ["PCI 0000:3b:00.0 (network 8086:1572) lost 8 virtual functions"],
    ),
    (
        facts(pci=(NIC,)),
        facts(pci=(device(driver="vfio-pci", node=None, iommu_group=None),)),
        ["PCI 0000:3b:00.0 (network 8086:1572): driver i40e -> vfio-pci, NUMA node 0 -> none, IOMMU group yes -> no"],
    ),
    (
        facts(pci=(NIC,)),
        facts(pci=(device(vendor_id="15b3", product_id="1017"),)),
        ["PCI 0000:3b:00.0: network 8086:1572 -> network 15b3:1017"],
    ),
    (
        facts(pci=(NIC, device(sriov="pf", sriov_total_vfs=8, address="0000:3b:00.1"))),
        facts(pci=(NIC, device(sriov="pf", sriov_total_vfs=64, class_id="020700", address="0000:3b:00.1"))),
        [
            "PCI 0000:3b:00.1 (network 8086:1572): class 020000 -> 020700, virtual functions at most 8 -> 64",
        ],
    ),
    (
        facts(pci=(*CARDS, *BRIDGES)),
        facts(pci=()),
        [
            "3 PCI devices (network 8086:1572) 0000:5e:00.0, 0000:5e:00.1, 0000:5e:00.2 are gone",
            "40 PCI devices 0000:00:00.0, 0000:00:01.0, 0000:00:02.0, 0000:00:03.0 and 36 more are gone",
        ],
    ),
    (
        facts(pci=(*CARDS, *BRIDGES)),
        facts(pci=tuple(replace(each, iommu_group=None) for each in (*CARDS, *BRIDGES))),
        ["43 PCI devices 0000:5e:00.0, 0000:5e:00.1, 0000:5e:00.2, 0000:00:00.0 and 39 more: IOMMU group yes -> no"],
    ),
    (
        UNBOUND,
        together(UNBOUND, limits(cpus=CpuSet([1]), cpu_quota=0.5, memory_bytes=GIB)),
        [
            "CPUs this process may use: all -> 1",
            "CPU quota of this process none -> 0.5 CPUs",
            "memory limit of this process none -> 1 GiB",
        ],
    ),
    (
        limits(cgroup_version=1, affinity=CpuSet(range(8))),
        limits(cgroup_version=2, affinity=CpuSet([0])),
        ["affinity of this process: CPUs 0-7 -> 0", "cgroup version 1 -> 2"],
    ),
    (
        facts(),
        facts(warnings=(HostWarning(code="topology-disagreement", message="cores"),)),
        ["the reader now warns of topology-disagreement: cores"],
    ),
]

SILENT: list[tuple[str, Variant, Variant]] = [
    (
        "free memory and load",
        facts(),
        together(
            memory(free_bytes=1, available_bytes=2, buffers_bytes=3, cached_bytes=4, swap_free_bytes=0),
            system(uptime_seconds=5.0, load_average=(9.0, 9.0, 9.0), users=7),
            node(0, memory_free_bytes=1),
        ),
    ),
    (
        "free, reserved and surplus huge pages",
        node(0, hugepages=node_pool(total=64, free=64)),
        node(0, hugepages=node_pool(total=70, free=3, surplus=6)),
    ),
    (
        "a few MiB after a boot",
        facts(),
        together(
            memory(total_bytes=8 * GIB - 20 * MIB),
            node(0, memory_total_bytes=4 * GIB - 21 * MIB),
            node(1, memory_total_bytes=4 * GIB + MIB),
        ),
    ),
    (
        "a kernel that counts its nodes' memory as it is used",
        together(node(0, memory_total_bytes=GIB), node(1, memory_total_bytes=GIB)),
        together(node(0, memory_total_bytes=3 * GIB), node(1, memory_total_bytes=2 * GIB)),
    ),
    ("what is not known", cpu(microcode="0x1"), facts(hostname=None, pci=None, boot_id=None)),
    ("the number of an IOMMU group", facts(pci=(NIC,)), facts(pci=(device(iommu_group=8),))),
    (
        "a cpuset of all CPUs",
        UNBOUND,
        together(UNBOUND, limits(cpus=CpuSet(range(8)))),
    ),
    (
        "what moved since the last refresh",
        facts(),
        facts(warnings=(HostWarning(code="topology-changed", message="x"),)),
    ),
    ("another moment", facts(), lambda host: facts(collected_at=host.collected_at + timedelta(days=1))(host)),
]


def messages(old: Variant, new: Variant) -> list[str]:
    return [change.message for change in diff(old(healthy()), new(healthy()))]


@pytest.mark.parametrize(
    ("old", "new", "said"), SAID, ids=lambda value: value[0] if isinstance(value, list) and value else ""
)
def test_a_change_is_said_in_words(old: Variant, new: Variant, said: list[str]) -> None:
    assert messages(old, new) == said


@pytest.mark.parametrize(("old", "new"), [pair[1:] for pair in SILENT], ids=[pair[0] for pair in SILENT])
def test_what_moves_by_itself_is_no_change(old: Variant, new: Variant) -> None:
    assert messages(old, new) == messages(new, old) == []


@pytest.mark.parametrize("taken", [(12,), (3, 12)])
def test_an_offline_cpu_is_one_line_on_a_large_machine(taken: tuple[int, ...]) -> None:
    large = collect(str(next(f for f in folders() if f.parent.name == "x86_64-four-nodes-per-socket")), "sysfs")
    (change,) = diff(large, offline(*taken)(large))
    assert (change.code, change.detail) == ("cpus-offline", {"cpus": str(CpuSet(taken))})


def test_a_renumbered_machine_is_one_line_for_each_level() -> None:
    host = collect(str(next(f for f in folders() if f.parent.name == "x86_64-four-nodes-per-socket")), "sysfs")
    assert [change.message for change in diff(host, processors(cluster=lambda cpu: cpu)(host))] == []
    numbered = processors(cluster=lambda cpu: cpu)(host)
    assert [change.message for change in diff(numbered, processors(cluster=lambda cpu: cpu + 1)(host))] == [
        "CPUs 0-15 moved to other clusters"
    ]


def assert_reversible(old: Host, new: Host) -> None:
    there, back = diff(old, new), diff(new, old)
    assert sorted((REVERSE[change.code], BACK[change.effect]) for change in there) == sorted(
        (change.code, change.effect) for change in back
    )
    assert json.loads(json.dumps([dict(change.detail) for change in there])) == [
        dict(change.detail) for change in there
    ]


def test_every_pair_of_machines_can_be_compared_both_ways() -> None:
    hosts = [collect(str(folder), "sysfs") for folder in folders()]
    for old, new in product(hosts, hosts):
        assert_reversible(old, new)
    assert [diff(host, Host.from_dict(host.to_dict())) for host in hosts] == [()] * len(hosts)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_host(), any_host())
def test_any_two_hosts_can_be_compared_and_checked(old: Host, new: Host) -> None:
    assert diff(old, old) == ()
    assert_reversible(old, new)
    check(old)


def test_every_documented_code_is_reached_and_no_other() -> None:
    reached = {
        change.code
        for old, new, _ in SAID
        for change in (*diff(old(healthy()), new(healthy())), *diff(new(healthy()), old(healthy())))
    }
    assert sorted(CODES) == sorted(reached)
