# SPDX-License-Identifier: Apache-2.0
"""`host-agent hosts usage`, `show` and `recount`: what is used, and where each number comes from."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from host_agent import store
from host_agent.store.engine import Engine
from host_agent.usage import Migration
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, EngineReport
from host_agent.workloads.workload import CONTAINER, RUNNING, VM, Workload
from tests.host_agent.facts import GIB, record, uuid
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.test_cli import one_line
from tests.host_agent.process.test_cli_hosts import Fleet
from tests.host_agent.store.fleet import claim

OFFERED: dict[str, Any] = {
    "vcpus": 48,
    "pcpus": 0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 2048,
    "reserved_host_disk_mb": 0,
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.5,
    "disk_allocation_ratio": 1.0,
    "memory_mb": 131072,
    "local_gb": 1000,
}
ORPHAN = Workload(
    uuid=uuid(99), name="left-over", engine="docker", kind=CONTAINER, state=RUNNING, vcpus=2.0, memory_bytes=GIB
)


def report(fleet: Fleet, number: int, *found: Workload, sequence: int = 1) -> None:
    """Have the host's agent report what it offers and what its docker runs."""
    seen = SeenEngine(report=EngineReport(engine="docker", status=ANSWERED, workloads=found))
    lease = store.register(fleet.engine, claim(number)).lease
    told = [{"engine": "docker", "status": "answered", "reason": None, "age_seconds": 0, "complete": True}]
    row = record(number, sequence=sequence, engines=json.dumps(told), **OFFERED)
    store.upsert(fleet.engine, row, lease, Discovery(engines=(seen,), workloads=found, complete=frozenset({"docker"})))


def runs(fleet: Fleet, number: int, host: str | None) -> None:
    workload = Workload(
        uuid=uuid(number),
        name=f"vm-{number}",
        engine="libvirt",
        kind=VM,
        state=RUNNING,
        vcpus=4.0,
        memory_bytes=10 * GIB,
        disk_bytes=80 * GIB,
    )
    store.record_workload(fleet.engine, workload, host)


@pytest.fixture
def fleet(agent: HostAgent, opened: Callable[[str], Engine]) -> Fleet:
    """Give three hosts: 1 with four workloads, one coming from 2, and one that nobody recorded; 3 in zone-a."""
    agent.state.mkdir()
    fleet = Fleet(agent, opened(f"sqlite:///{agent.database}"))
    for number in (1, 2, 3):
        report(fleet, number, *([ORPHAN] if number == 1 else []))
    for number in (11, 12, 13, 14):
        runs(fleet, number, "node-1")
    runs(fleet, 15, "node-2")
    store.record_migration(
        fleet.engine,
        Migration(uuid=uuid(50), workload_uuid=uuid(15), source_host="node-2", dest_host="node-1", status="running"),
    )
    aggregate = store.create_aggregate(fleet.engine, "fast", "zone-a").id
    store.add_host(fleet.engine, aggregate, "node-3")
    return fleet


def lines(text: str, heading: str) -> list[list[str]]:
    """Give the cells of the lines under a heading, up to the next empty one."""
    found = text.splitlines()
    start = next(number for number, line in enumerate(found) if line.startswith(heading)) + 1
    end = next((number for number in range(start, len(found)) if not found[number]), len(found))
    return [re.split(" {2,}", line) for line in found[start:end]]


def test_one_host_shows_where_each_number_comes_from(fleet: Fleet) -> None:
    answer = fleet.agent("hosts", "usage", "node-1")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"node-1, up, uuid {uuid(1)}, availability zone nova\n\nRESOURCE")
    made_of = "4 recorded, 1 incoming migration, 1 orphan"
    assert lines(answer.out, "RESOURCE") == [
        ["VCPU", "48", "0", "4", "192", "22", "170", "46 %", "11 %", made_of],
        [
            *("MEMORY", "128 GiB", "2 GiB", "1.5", "189 GiB", "53 GiB", "138 GiB", "41 %", "27 %"),
            f"reserved 2 GiB + {made_of}",
        ],
        [
            *("DISK", "1000 GiB", "0 bytes", "1", "1000 GiB", "400 GiB", "600 GiB", "40 %", "40 %"),
            "4 recorded, 1 incoming migration + 1 without a known limit",
        ],
    ]
    assert f"\n6 workloads: {made_of}\n" in answer.out
    assert [line[-2] for line in lines(answer.out, "WORKLOAD ")] == [
        *["recorded"] * 4,
        "incoming from node-2, recorded for node-2",
        "orphan",
    ]
    assert [line[:2] for line in lines(answer.out, "ENGINE")] == [["docker", "answered"]]
    # By its uuid too.
    assert fleet.agent("hosts", "usage", uuid(1)).out.splitlines()[0] == answer.out.splitlines()[0]
    assert "availability zone zone-a, aggregates fast" in fleet.agent("hosts", "usage", "node-3").out
    one_line(fleet.agent("hosts", "usage", "nobody"), 1, "'nobody'")


def test_the_row_of_a_host_is_followed_by_the_same_explanation(fleet: Fleet) -> None:
    shown, used = fleet.agent("hosts", "show", "node-1"), fleet.agent("hosts", "usage", "node-1")
    assert (shown.code, shown.err) == (0, "")
    assert "  vcpus_used              22\n" in shown.out
    assert "  engines                 docker answered\n" in shown.out
    for heading in ("RESOURCE", "NODE", "WORKLOAD "):
        assert lines(shown.out, heading) == lines(used.out, heading)
    row = json.loads(fleet.agent("hosts", "show", "node-1", "-f", "json").out)
    document = json.loads(fleet.agent("hosts", "usage", "node-1", "-f", "json").out)
    assert row["usage"] == {name: document[name] for name in row["usage"]}
    assert row["vcpus_used"] == document["resources"]["VCPU"]["used"] == 22
    assert [engine["engine"] for engine in row["engines"]] == ["docker"]


def test_without_arguments_there_is_a_line_for_each_host_and_a_sum(fleet: Fleet) -> None:
    answer = fleet.agent("hosts", "usage")
    assert (answer.code, answer.err) == (0, "")
    assert [line[:3] for line in lines(answer.out, "HOST")] == [
        ["node-1", "up", "22 of 48, 46 %"],
        ["node-2", "up", "4 of 48, 8 %"],
        ["node-3", "up", "0 of 48, 0 %"],
    ]
    assert "\nall hosts: 3 hosts, 3 up, 3 enabled\n" in answer.out
    assert lines(answer.out, "RESOURCE")[0] == ["VCPU", "144", "0", "576", "26", "550", "18 %", "5 %", "-"]
    document = json.loads(fleet.agent("hosts", "usage", "-f", "json").out)
    assert (document["name"], document["hosts"], document["only_available"]) == (None, 3, True)
    assert document["resources"]["MEMORY_MB"]["used"] == sum(
        member["resources"]["MEMORY_MB"]["used"] for member in document["members"]
    )


@pytest.mark.parametrize(
    ("which", "title"),
    [(("--zone", "zone-a"), "availability zone zone-a"), (("--aggregate", "fast"), "aggregate fast")],
)
def test_a_group_is_its_hosts_and_their_sum(fleet: Fleet, which: tuple[str, str], title: str) -> None:
    answer = fleet.agent("hosts", "usage", *which)
    assert [line[0] for line in lines(answer.out, "HOST")] == ["node-3"]
    assert f"\n{title}: 1 host, 1 up, 1 enabled\n" in answer.out
    assert lines(answer.out, "RESOURCE")[1][1:6] == ["128 GiB", "2 GiB", "189 GiB", "2 GiB", "189 GiB"]
    document = json.loads(fleet.agent("hosts", "usage", *which, "-f", "json").out)
    assert [member["host"] for member in document["members"]] == ["node-3"]
    assert document["name"] == which[1]


def test_hosts_in_no_zone_are_in_the_default_one(fleet: Fleet) -> None:
    document = json.loads(fleet.agent("hosts", "usage", "--zone", "nova", "-f", "json").out)
    assert [member["host"] for member in document["members"]] == ["node-1", "node-2"]
    assert document["resources"]["VCPU"]["used"] == 26


def test_a_group_that_is_not_there_is_said_with_those_that_are(fleet: Fleet) -> None:
    one_line(fleet.agent("hosts", "usage", "--zone", "zone-b"), 1, "'zone-b'", "there are: nova, zone-a")
    one_line(fleet.agent("hosts", "usage", "--aggregate", "slow"), 1, "'slow'", "there are: fast")
    one_line(fleet.agent("hosts", "usage", "node-1", "--zone", "zone-a"), 2, "--zone")
    store.create_aggregate(fleet.engine, "empty", "zone-c")
    assert fleet.agent("hosts", "usage", "--zone", "zone-c").out == (
        "availability zone zone-c: 0 hosts, 0 up, 0 enabled\n"
    )
    nothing = json.loads(fleet.agent("hosts", "usage", "--aggregate", "empty", "-f", "json").out)
    assert nothing["resources"]["VCPU"]["used"] is None


def test_hosts_that_are_down_or_disabled_count_where_they_are_asked_for(fleet: Fleet) -> None:
    fleet.silence(2, days=1)
    fleet.sql("UPDATE services SET disabled = 1 WHERE host = 'node-3'")
    answer = fleet.agent("hosts", "usage")
    assert [line[0] for line in lines(answer.out, "HOST")] == ["node-1"]
    assert answer.err == "host-agent: hosts that are down or disabled left out: 2; --all counts them\n"
    assert "all hosts: 1 host, 1 up, 1 enabled" in answer.out
    everybody = fleet.agent("hosts", "usage", "--all")
    assert [line[:2] for line in lines(everybody.out, "HOST")] == [
        ["node-1", "up"],
        ["node-2", "down"],
        ["node-3", "disabled"],
    ]
    assert "all hosts: 3 hosts, 2 up, 2 enabled" in everybody.out
    assert everybody.err == ""
    assert fleet.agent("hosts", "retire", "node-2").code == 0
    assert "all hosts: 2 hosts" in fleet.agent("hosts", "usage", "--all").out


def test_recount_mends_what_somebody_wrote_past_the_program(fleet: Fleet) -> None:
    assert fleet.agent("hosts", "recount").out == "hosts counted: 3; corrected: 0\n"
    fleet.sql("UPDATE compute_host SET vcpus_used = 1000 WHERE host = 'node-1'")
    fleet.sql("DELETE FROM workloads WHERE host = 'node-2'")
    assert fleet.agent("hosts", "recount").out == "hosts counted: 3; corrected: 2\n"
    document = json.loads(fleet.agent("hosts", "usage", "node-1", "-f", "json").out)
    # The one that comes is recorded nowhere any more, so that nobody knows how large it is.
    assert (document["resources"]["VCPU"]["used"], document["unlimited"]["vcpus"]) == (18, 1)
    assert fleet.agent("hosts", "recount").out == "hosts counted: 3; corrected: 0\n"


def test_a_terminal_gets_bars_and_a_pipe_does_not(fleet: Fleet) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "host_agent", "hosts", "usage", "node-1"],
        env=fleet.agent.environment | {"TERM": "xterm"},
        stdout=theirs,
        check=True,
    )
    os.close(theirs)
    seen = os.read(ours, 65536)
    os.close(ours)
    assert b"\x1b[32m#--------- 11 %" in seen
    plain = fleet.agent("hosts", "usage", "node-1").out
    assert "\x1b" not in plain
    assert "#" not in plain


def test_events_of_no_host_are_shown_too(fleet: Fleet) -> None:
    shown = fleet.agent("hosts", "events").out
    (made,) = (line for line in shown.splitlines() if "aggregate-created" in line)
    assert re.search(r"\)  -  +aggregate-created  +aggregate 'fast' was made$", made)
    events = json.loads(fleet.agent("hosts", "events", "-f", "json").out)
    (event,) = (event for event in events if event["code"] == "aggregate-created")
    assert (event["host_uuid"], event["host"], event["detail"]["metadata"]) == (
        *(None, None),
        {"availability_zone": "zone-a"},
    )
    assert "aggregate-created" not in fleet.agent("hosts", "events", "node-3").out
    assert "aggregate-host-added" in fleet.agent("hosts", "events", "node-3").out
