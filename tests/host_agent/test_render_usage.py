# SPDX-License-Identifier: Apache-2.0
"""What is used and where it comes from, for people and for programs."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from host_agent.numa import HostNuma
from host_agent.render.amounts import amount, of_total, percentage
from host_agent.render.group_usage import group_text
from host_agent.render.usage import host_line, usage_text
from host_agent.render.usage_document import group_json, usage_document, usage_json
from host_agent.resource_usage import (
    DISK,
    MEMORY,
    PCPU,
    RESOURCES,
    VCPU,
    GroupUsage,
    HostColumns,
    ResourceUsage,
    resources_of,
)
from host_agent.usage import FoundWorkloads, Migration, RecordedWorkload, Usage, usage
from host_agent.workloads.workload import CONTAINER, RUNNING, STOPPED, VM, HeldPages, Workload
from os_capability import CpuSet
from tests.host_agent.facts import GIB, machine, uuid

NOW = datetime(2026, 11, 21, 3, 4, 5, tzinfo=timezone.utc)
# The real case: 48 CPUs, 2 GiB reserved, four of 4 CPUs, 10 GiB and 80 GiB.
ROW: dict[str, Any] = {
    "uuid": uuid(1),
    "host": "node-1",
    "hypervisor_hostname": "node-1",
    "state": "up",
    "vcpus": 48,
    "vcpus_used": 16,
    "reserved_host_cpus": 0,
    "cpu_allocation_ratio": 4.0,
    "pcpus": 0,
    "pcpus_used": 0,
    "memory_mb": 128 * 1024,
    "memory_mb_used": 43008,
    "reserved_host_memory_mb": 2048,
    "ram_allocation_ratio": 1.5,
    "local_gb": 1000,
    "local_gb_used": 320,
    "reserved_host_disk_mb": 0,
    "disk_allocation_ratio": 1.0,
    "running_vms": 4,
    "running_containers": 0,
    "engines": None,
    "workloads_at": NOW - timedelta(seconds=12),
    "retired_at": None,
    "now": NOW,
}
ENGINES = [
    {"engine": "docker", "status": "answered", "reason": None, "age_seconds": 0, "complete": True},
    {"engine": "libvirt", "status": "unreadable", "reason": "say\x1b[2J please", "age_seconds": 168, "complete": False},
    {"engine": "podman", "status": "unreadable", "reason": "never", "age_seconds": None, "complete": False},
]


def vm(number: int, **changes: Any) -> Workload:
    known: dict[str, Any] = {
        "uuid": uuid(number),
        "name": f"vm-{number}",
        "engine": "libvirt",
        "kind": VM,
        "state": RUNNING,
        "vcpus": 4.0,
        "memory_bytes": 10 * GIB,
        "disk_bytes": 80 * GIB,
    }
    return Workload(**{**known, **changes})


def recorded(*numbers: int, host: str = "node-1") -> list[RecordedWorkload]:
    return [RecordedWorkload(workload=vm(number), host=host) for number in numbers]


def used(**changes: Any) -> Usage:
    """Give the usage of node-1 with four workloads recorded."""
    given: dict[str, Any] = {"recorded": recorded(1, 2, 3, 4), "migrations": ()}
    return usage("node-1", **{**given, **changes})


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def table(text: str, heading: str) -> list[list[str]]:
    """Give the lines of the table under a heading, without it."""
    (part,) = (part for part in text.split("\n\n") if any(line.startswith(heading) for line in part.splitlines()))
    lines = part.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(heading))
    return [cells(line) for line in lines[start + 1 :]]


def test_the_real_case_shows_its_working() -> None:
    assert table(usage_text(ROW, used()), "RESOURCE") == [
        ["VCPU", "48", "0", "4", "192", "16", "176", "33 %", "8 %", "4 recorded"],
        [
            *("MEMORY", "128 GiB", "2 GiB", "1.5", "189 GiB", "42 GiB", "149 GiB", "33 %", "21 %"),
            "reserved 2 GiB + 4 recorded",
        ],
        ["DISK", "1000 GiB", "0 bytes", "1", "1000 GiB", "320 GiB", "680 GiB", "32 %", "32 %", "4 recorded"],
    ]


def test_every_source_is_named_and_what_nobody_knows() -> None:
    moves = [
        Migration(uuid=uuid(90), workload_uuid=uuid(5), source_host="node-2", dest_host="node-1", status="running"),
        Migration(uuid=uuid(91), workload_uuid=uuid(6), source_host="node-1", dest_host="node-3", status="accepted"),
    ]
    found = FoundWorkloads(
        workloads=(
            vm(1),
            vm(7, engine="docker", kind=CONTAINER, vcpus=None, name="evil\x1b[2J"),
            vm(8, state=STOPPED),
        ),
        complete=frozenset({"libvirt"}),
    )
    records = [*recorded(1, 2), *recorded(5, host="node-2"), *recorded(8, host="node-9")]
    text = usage_text(ROW, usage("node-1", records, moves, found))
    origins = {line[0]: line[-1] for line in table(text, "RESOURCE")}
    assert origins == {
        "VCPU": "2 recorded, 1 incoming migration + 2 without a known limit",
        "MEMORY": "reserved 2 GiB + 2 recorded, 1 incoming migration, 1 orphan + 1 without a known limit",
        "DISK": "2 recorded, 1 incoming migration, 2 orphans + 1 without a known limit",
    }
    assert "6 workloads: 2 recorded, 1 incoming migration, 1 outgoing migration, 2 orphans; 1 missing\n" in text
    assert {line[0]: line[-2] for line in table(text, "WORKLOAD ")} == {
        "vm-1": "recorded",
        "vm-2": "recorded, missing",
        "vm-5": "incoming from node-2, recorded for node-2",
        uuid(6): "outgoing to node-3",
        "evil?[2J": "orphan",
        "vm-8": "orphan, recorded for node-9",
    }
    assert "\x1b" not in text


def test_a_host_where_nothing_runs_or_nothing_is_known_says_so() -> None:
    assert usage_text(ROW, usage("node-1", [], [])).endswith("\n\nno workloads")
    unknown = {name: None for name in ROW if name not in ("uuid", "host", "state", "now")}
    text = usage_text({**ROW, **unknown}, usage("node-1", [], []))
    assert text.endswith("\n\nno workloads are known: no agent could look yet")
    lines = table(text, "RESOURCE")
    assert lines == [[name, *["?"] * 6, "-", "-", "-"] for name in ("VCPU", "MEMORY", "DISK")]


def test_a_retired_host_says_why_its_figures_have_no_workloads() -> None:
    text = usage_text({**ROW, "retired_at": NOW}, usage("node-1", [], []))
    assert table(text, "RESOURCE")[0][5] == "16"
    assert text.splitlines()[-1].startswith("retired: what is used stands as it was")


def test_nodes_show_what_is_pinned_and_left() -> None:
    pinned = vm(
        1, cpuset=CpuSet.parse_list("0-3"), hugepages=(HeldPages(size_bytes=2 << 20, count=6),), memory_bytes=GIB
    )
    numa = HostNuma.measured(machine(nodes=2, cores=4).numa, dedicated_cpus=CpuSet.parse_list("0-5"))
    row = {**ROW, "vcpus": 48, "pcpus": 6, "vcpus_used": 4, "pcpus_used": 4}
    held = usage("node-1", [RecordedWorkload(workload=pinned, host="node-1")], [], numa=numa)
    text = usage_text(row, held)
    assert table(text, "NODE") == [
        ["0", "0-7", "0-3", "4-5", "4 GiB", "2.996 GiB", "2 MiB: 2 of 8 free"],
        ["1", "8-15", "-", "-", "4 GiB", "3.984 GiB", "2 MiB: 5 of 8 free"],
    ]
    lines = {line[0]: line[1:] for line in table(text, "RESOURCE")}
    assert lines["PCPU"] == ["6", "0", "1", "6", "4", "2", "67 %", "67 %", "1 recorded"]
    assert lines["VCPU"] == ["42", "0", "4", "168", "0", "168", "0 %", "0 %", "-"]


def test_engines_show_how_they_answered_and_how_long_ago() -> None:
    text = usage_text({**ROW, "engines": json.dumps(ENGINES)}, used())
    assert table(text, "ENGINE") == [
        ["docker", "answered", "12 s ago", "complete"],
        ["libvirt", "unreadable", "3 min ago", "may lack some", "say?[2J please"],
        ["podman", "unreadable", "never", "may lack some", "never"],
    ]


@pytest.mark.parametrize(
    ("memory_mb_used", "drawn"),
    [
        (2048, "\x1b[32m---------- 0 %\x1b[0m"),
        (2048 + 193536 // 2, "\x1b[32m#####----- 50 %\x1b[0m"),
        (2048 + 193536 * 9 // 10, "\x1b[33m#########- 90 %\x1b[0m"),
        (2048 + 193536 * 2, "\x1b[31m########## 200 %\x1b[0m"),
    ],
)
def test_on_a_terminal_a_bar_has_the_colour_of_how_full_it_is(memory_mb_used: int, drawn: str) -> None:
    text = usage_text({**ROW, "memory_mb_used": memory_mb_used}, used(), colour=True)
    (line,) = (line for line in text.splitlines() if line.startswith("MEMORY"))
    assert drawn in re.sub(r" +\x1b", "\x1b", line)


def test_programs_get_everything_under_stable_keys() -> None:
    move = Migration(uuid=uuid(90), workload_uuid=uuid(1), source_host="node-1", dest_host="node-2", status="running")
    held = used(migrations=[move], numa=HostNuma.measured(machine().numa))
    document = json.loads(usage_json({**ROW, "engines": json.dumps(ENGINES)}, held, "zone-a", ["fast"]))
    assert list(document) == [
        *("uuid", "host", "hypervisor_hostname", "state", "availability_zone", "aggregates", "resources", "sources"),
        *("missing", "unlimited", "nodes", "workloads", "engines", "workloads_at"),
    ]
    assert (document["availability_zone"], document["aggregates"]) == ("zone-a", ["fast"])
    assert list(document["resources"]) == list(RESOURCES)
    assert document["resources"][MEMORY] == {
        "total": 131072,
        "reserved": 2048,
        "capacity": 193536.0,
        "used": 43008,
        "free": 193536.0 - 40960,
        "used_percent": 32.8125,
        "capacity_used_percent": pytest.approx(40960 * 100 / 193536),
        "ratio": 1.5,
    }
    assert document["sources"] == {"recorded": 4, "incoming": 0, "outgoing": 0, "orphan": 0}
    assert document["engines"] == ENGINES
    assert document["workloads_at"] == "2026-11-21T03:03:53Z"
    first = document["workloads"][0]
    assert (first["uuid"], first["source"], first["is_missing"]) == (uuid(1), "recorded", False)
    assert [one["uuid"] for one in first["migrations"]] == [uuid(90)]
    assert [node["id"] for node in document["nodes"]] == [0, 1]
    assert document["nodes"][0]["hugepages"] == [{"size_bytes": 2 << 20, "total": 8, "used": 3, "free": 5}]
    assert usage_document({**ROW, "workloads_at": None}, used())["nodes"] is None


def group(**figures: ResourceUsage) -> GroupUsage:
    one = {name: ResourceUsage.of_host(host) for name, host in resources_of(ROW).items()}
    return GroupUsage(name="zone-a", hosts=1, up=1, enabled=1, resources=one | figures)


def test_a_group_is_a_line_for_each_host_and_their_sum() -> None:
    unknown = {**ROW, "host": "node-2", "state": "stale", "memory_mb_used": None, "running_vms": None}
    text = group_text("availability zone zone-a", [ROW, unknown], group())
    assert table(text, "HOST") == [
        ["node-1", "up", "16 of 48, 33 %", "42 GiB of 128 GiB, 33 %", "320 GiB of 1000 GiB, 32 %", "4", "0"],
        ["node-2", "stale", "16 of 48, 33 %", "? of 128 GiB, -", "320 GiB of 1000 GiB, 32 %", "?", "0"],
    ]
    assert "\n\navailability zone zone-a: 1 host, 1 up, 1 enabled\nRESOURCE" in text
    assert table(text, "RESOURCE") == [
        ["VCPU", "48", "0", "192", "16", "176", "33 %", "8 %", "-"],
        ["MEMORY", "128 GiB", "2 GiB", "189 GiB", "42 GiB", "149 GiB", "33 %", "21 %", "-"],
        ["DISK", "1000 GiB", "0 bytes", "1000 GiB", "320 GiB", "680 GiB", "32 %", "32 %", "-"],
    ]
    document = json.loads(group_json([ROW], group(), only_available=True))
    assert list(document) == ["name", "only_available", "hosts", "up", "enabled", "resources", "members"]
    assert document["resources"][MEMORY]["unknown"] == 0
    assert [(member["host"], member["resources"][VCPU]["used"]) for member in document["members"]] == [("node-1", 16)]


def test_hosts_that_nobody_knows_about_are_counted_beside_the_sum() -> None:
    memory = ResourceUsage.of_host(HostColumns(total=1024, reserved=0, ratio=1.0, used=None))
    text = group_text("all hosts", [ROW], group(**{MEMORY: memory}))
    assert table(text, "RESOURCE")[1] == ["MEMORY", "1 GiB", "0 bytes", "1 GiB", "?", "?", "-", "-", "1 host"]
    assert "PCPU" not in text
    assert "PCPU" in group_text("all hosts", [{**ROW, "pcpus": 4, "pcpus_used": 0}], group())


def test_a_group_without_hosts_is_a_line() -> None:
    assert (
        group_text("aggregate new\x1b", [], GroupUsage.of_no_host("new")) == "aggregate new?: 0 hosts, 0 up, 0 enabled"
    )


def test_which_host_it_is_stands_above() -> None:
    assert host_line(ROW, "nova", []) == f"node-1, up, uuid {uuid(1)}, availability zone nova"
    assert host_line(ROW, "a\x07", ["x", "y"]).endswith(", availability zone a?, aggregates x, y")


def test_amounts_keep_their_units_and_their_signs() -> None:
    assert [amount(VCPU, value) for value in (None, 0, 0.5, 1920000)] == ["?", "0", "0.5", "1920000"]
    assert [amount(MEMORY, value) for value in (1, 1536, -2048)] == ["1 MiB", "1.5 GiB", "-2 GiB"]
    assert amount(DISK, 2048) == "2 TiB"
    assert [percentage(value) for value in (None, 0.4, 99.5)] == ["-", "0 %", "100 %"]
    nothing = ResourceUsage.of_host(HostColumns(total=0, reserved=0, ratio=1.0, used=0))
    unknown = ResourceUsage.of_host(HostColumns(total=None, reserved=0, ratio=1.0, used=None))
    assert [of_total(PCPU, one) for one in (nothing, unknown)] == ["-", "?"]


def test_more_reserved_than_there_is_leaves_nothing() -> None:
    """All CPUs are kept for pinning, and some for the host: none of those that workloads share."""
    hosts = resources_of({**ROW, "vcpus": 8, "pcpus": 8, "vcpus_used": 10, "pcpus_used": 8, "reserved_host_cpus": 2})
    shared, own = (ResourceUsage.of_host(hosts[name]) for name in (VCPU, PCPU))
    assert (shared.total, shared.capacity, shared.used, shared.free) == (0, 0, 2, 0)
    assert (own.total, own.capacity, own.used, own.free, own.used_percent) == (8, 8, 8, 0, 100)
