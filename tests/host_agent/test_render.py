# SPDX-License-Identifier: Apache-2.0
"""Rows for people and for programs."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone

from host_agent.render.events import events_json, events_text
from host_agent.render.hosts import host_json, host_list, host_table
from host_agent.render.text import duration, plain, relative

ROW: dict[str, object] = {
    "id": 7,
    "uuid": "u-1",
    "hypervisor_hostname": "node-1",
    "vcpus": 64,
    "vcpus_used": None,
    "memory_mb": 524288,
    "mem_free_kb": 1024,
    "cpu_info": json.dumps(
        {
            "arch": "x86_64",
            "model": "Model X",
            "vendor": "Maker",
            "features": ["a", "b"],
            "topology": {"cells": 2, "sockets": None, "cores": 16, "threads": 2},
        }
    ),
    "numa_topology": json.dumps(
        {
            "nodes": [
                {
                    "id": 0,
                    "cpuset": "0-31",
                    "memory_total_bytes": 2**38,
                    "hugepages": [
                        {"size_bytes": 2**21, "total": 512, "used": 12},
                        {"size_bytes": 2**30, "total": 0, "used": 0},
                    ],
                },
                {"id": 8, "cpuset": "", "memory_total_bytes": None, "hugepages": None},
            ]
        }
    ),
    "kernel_version": "6.1.0",
    "facts": '{"schema": "os-capability/1"}',
    "updated_at": datetime(2026, 11, 21, 3, 4, 5, 999999),
    "a_column_of_tomorrow": "kept",
    "state": "up",
    "retired_at": None,
    "last_seen_up": datetime(2026, 11, 21, 3, 4, 5),
    "now": datetime(2026, 11, 21, 3, 4, 9),
}


def test_the_table_has_every_measured_column_once_and_the_others_in_one_line() -> None:
    lines = host_table(ROW).splitlines()

    assert lines == [
        "host",
        "  hypervisor_hostname     node-1",
        "  uuid                    u-1",
        "  state                   up",
        "  last_seen_up            2026-11-21T03:04:05Z",
        "system",
        "  kernel_version          6.1.0",
        "cpu",
        "  vcpus                   64",
        "  cpu_info                Model X, Maker, x86_64, cells 2, cores 16, threads 2, 2 features",
        "memory",
        "  memory_mb               524288  (512 GiB)",
        "  mem_free_kb             1024  (1 MiB)",
        "numa",
        "  node 0                  CPUs 0-31, 256 GiB, 2 MiB pages: 12 of 512 used",
        "  node 8                  no CPU",
        "row",
        "  id                      7",
        "  updated_at              2026-11-21T03:04:05Z",
        "  facts                   a document of 29 characters, in full with -f json",
        "  a_column_of_tomorrow    kept",
        "not measured yet: vcpus_used",
    ]


def test_colour_is_for_the_headings_only() -> None:
    plain, coloured = host_table(ROW), host_table(ROW, colour=True)
    assert coloured.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert "\x1b[1mcpu\x1b[0m\n" in coloured


def test_json_decodes_documents_and_spells_times_in_utc() -> None:
    row = json.loads(host_json(ROW | {"updated_at": datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}))

    assert row["facts"] == {"schema": "os-capability/1"}
    assert row["cpu_info"]["topology"]["sockets"] is None
    assert row["updated_at"] == "2026-01-01T00:00:00Z"
    assert row.keys() == ROW.keys() - {"now"}


def test_the_list_has_one_line_for_each_host_and_a_dash_for_what_is_unknown() -> None:
    unknown = {"memory_mb": None, "numa_topology": None, "kernel_version": None, "last_seen_up": None}
    rows = [row | {"host": "first-name"} for row in (ROW, ROW | unknown | {"uuid": "u-2", "state": "down"})]
    lines = host_list(rows).splitlines()

    up, down = (re.split("  +", line) for line in lines[1:])
    assert up == ["first-name", "node-1", "up", "4 s ago", "64", "512 GiB", "2", "6.1.0", "2026-11-21T03:04:05Z", "u-1"]
    assert down == ["first-name", "node-1", "down", "-", "64", "-", "-", "-", "2026-11-21T03:04:05Z", "u-2"]
    assert len({line.index("2026") for line in lines[1:]}) == 1


def test_a_state_has_its_colour_and_the_columns_stand_all_the_same() -> None:
    rows = [ROW | {"host": "n", "state": state} for state in ("up", "down", "stale", "disabled", "retired")]
    plain_text, coloured = host_list(rows), host_list(rows, colour=True)
    assert re.sub(r" *\x1b\[\d+m *| *\x1b\[0m *", " ", coloured).split() == plain_text.split()
    for code, state in ((32, "up"), (31, "down"), (33, "stale"), (33, "disabled"), (2, "retired")):
        assert f"\x1b[{code}m{state}" in coloured


def test_what_another_machine_calls_itself_does_not_steer_the_terminal() -> None:
    row = ROW | {"host": "n", "hypervisor_hostname": "\x1b]0;title\x07node"}
    for text in (host_list([row]), host_table(row), events_text([EVENT | {"message": "\x1b[2J"}], NOW)):
        assert "\x1b" not in text
        assert "\x07" not in text


EVENT: dict[str, object] = {
    "uuid": "e-1",
    "host_uuid": "u-1",
    "host": "node-1",
    "at": datetime(2026, 11, 21, 3, 4, 5, 600000),
    "code": "memory-lost",
    "message": "the machine lost 4 GiB",
    "detail": '{"old": 8589934592, "new": 4294967296}',
}
NOW = datetime(2026, 11, 21, 5, 5, tzinfo=timezone.utc)


def test_events_are_a_log_with_times_a_person_and_a_program_can_read() -> None:
    later = EVENT | {"host": "longer-name", "at": datetime(2026, 11, 21, 5, 4, 58), "code": "host-up", "message": "up"}
    assert events_text([EVENT, later], NOW).splitlines() == [
        "2026-11-21T03:04:05Z (2 h ago)  node-1       memory-lost  the machine lost 4 GiB",
        "2026-11-21T05:04:58Z (2 s ago)  longer-name  host-up      up",
    ]
    (document,) = json.loads(events_json([EVENT]))
    assert document == EVENT | {
        "at": "2026-11-21T03:04:05Z",
        "detail": {"old": 8589934592, "new": 4294967296},
    }
    assert events_text([], NOW) == ""


def test_lengths_of_time_are_told_in_the_units_that_matter() -> None:
    assert [duration(seconds) for seconds in (0, 59.9, 61, 3600, 90061, -5)] == [
        *("0 s", "59 s", "1 min", "1 h", "1 d 1 h", "0 s")
    ]
    assert (relative(None), relative(120)) == ("never", "2 min ago")


def test_plain_leaves_letters_of_any_language() -> None:
    assert plain("größe 大小\t") == "größe 大小?"
