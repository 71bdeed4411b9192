# SPDX-License-Identifier: Apache-2.0
"""Rows for people and for programs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from host_agent import render

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
}


def test_the_table_has_every_measured_column_once_and_the_others_in_one_line() -> None:
    lines = render.host_table(ROW).splitlines()

    assert lines == [
        "host",
        "  hypervisor_hostname    node-1",
        "  uuid                   u-1",
        "system",
        "  kernel_version         6.1.0",
        "cpu",
        "  vcpus                  64",
        "  cpu_info               Model X, Maker, x86_64, cells 2, cores 16, threads 2, 2 features",
        "memory",
        "  memory_mb              524288  (512 GiB)",
        "  mem_free_kb            1024  (1 MiB)",
        "numa",
        "  node 0                 CPUs 0-31, 256 GiB, 2 MiB pages: 12 of 512 used",
        "  node 8                 no CPU",
        "row",
        "  id                     7",
        "  updated_at             2026-11-21T03:04:05Z",
        "  facts                  a document of 29 characters, in full with -f json",
        "  a_column_of_tomorrow   kept",
        "not measured yet: vcpus_used",
    ]


def test_colour_is_for_the_headings_only() -> None:
    plain, coloured = render.host_table(ROW), render.host_table(ROW, colour=True)
    assert coloured.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert "\x1b[1mcpu\x1b[0m\n" in coloured


def test_json_decodes_documents_and_spells_times_in_utc() -> None:
    row = json.loads(
        render.host_json(ROW | {"updated_at": datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))})
    )

    assert row["facts"] == {"schema": "os-capability/1"}
    assert row["cpu_info"]["topology"]["sockets"] is None
    assert row["updated_at"] == "2026-01-01T00:00:00Z"
    assert row.keys() == ROW.keys()


def test_the_list_has_one_line_for_each_host_and_a_dash_for_what_is_unknown() -> None:
    unknown = ROW | {"uuid": "u-2", "memory_mb": None, "numa_topology": None, "kernel_version": None}
    rows = [row | {"host": "first-name"} for row in (ROW, unknown)]
    lines = render.host_list(rows).splitlines()

    assert [line.split() for line in lines[1:]] == [
        ["first-name", "node-1", "64", "512", "GiB", "2", "6.1.0", "2026-11-21T03:04:05Z", "u-1"],
        ["first-name", "node-1", "64", "-", "-", "-", "2026-11-21T03:04:05Z", "u-2"],
    ]
    assert len({line.index("2026") for line in lines[1:]}) == 1
