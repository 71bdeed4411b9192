# SPDX-License-Identifier: Apache-2.0
"""`os-capability fit` as a real process."""

from __future__ import annotations

import json

import pytest

from tests.os_capability.conftest import HOSTS, Run

UNEVEN = ("--root", str(HOSTS / "x86_64-uneven-hugepages" / "root"), "--source", "sysfs")


def test_yes_comes_first_then_where(os_capability: Run) -> None:
    done = os_capability("fit", "--pcpus", "2", "--vcpus", "1", "--memory", "100M", "--hugepage-size", "2M", *UNEVEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "yes",
        "node 0    dedicated CPUs  0,4",
        "          shared CPUs     1,5",
        "          memory          50 huge pages of 2 MiB",
    ]


def test_no_comes_with_every_constraint_that_fails(os_capability: Run) -> None:
    arguments = ("--pcpus", "12", "--memory", "2GiB", "--hugepage-size", "1G", "--numa-nodes", "1")
    done = os_capability("fit", *arguments, *UNEVEN)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "no",
        "needs 12 dedicated CPUs on at most 1 node: node 1 has 4 free, 8 short",
        "needs 2 huge pages of 1 GiB on at most 1 node: node 1 has 3 free, 2 of them reserved machine-wide, 1 short",
    ]


def test_json_says_the_same(os_capability: Run) -> None:
    done = os_capability("fit", "--pcpus", "2", "--cpu-threads", "isolate", "-f", "json", *UNEVEN)
    answer = json.loads(done.stdout)
    assert (answer["fits"], answer["answer"], answer["shortages"], answer["near_unknown"]) == (True, "yes", [], None)
    (share,) = answer["nodes"]
    assert (share["dedicated_cpus"], share["idle_cpus"]) == ("2-3", "6-7")
    refused = json.loads(os_capability("fit", "--vcpus", "9", "-f", "json", *UNEVEN).stdout)
    assert (refused["fits"], refused["answer"], refused["nodes"]) == (False, "no", [])
    assert refused["shortages"][0] == {
        "constraint": "vcpus",
        "needed": 9,
        "free": 8,
        "withheld": 0,
        "short": 1,
        "nodes": [0, 1],
        "alone": True,
        "unknown_nodes": [],
    }


def test_a_machine_that_does_not_tell_is_not_guessed_at(os_capability: Run) -> None:
    done = os_capability("fit", "--memory", "1T", "--root", str(HOSTS / "x86_64-no-meminfo" / "root"))
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        ["unknown", "needs 1 TiB of memory: unknown: node 0 does not tell all of the free memory"],
    )


def test_a_device_that_is_not_there_is_a_no(os_capability: Run) -> None:
    done = os_capability("fit", "--vcpus", "1", "--near", "ff:00.0", *UNEVEN)
    assert (done.returncode, done.stdout.splitlines()[1]) == (
        1,
        "near 0000:ff:00.0: there is no PCI device 0000:ff:00.0",
    )


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), "nothing is asked for"),
        (("--memory", "0", "--hugepage-size", "2M"), "nothing is asked for"),
        (("--vcpus", "-1"), "--vcpus: -1 is less than 0"),
        (("--vcpus", "x"), "--vcpus"),
        (("--memory", "4GB"), "--memory: '4GB' is no size"),
        (("--memory", "1.5G"), "--memory: '1.5G' is no size"),
        (("--vcpus", "1", "--hugepage-size", "2M"), "--memory"),
        (("--memory", "2M", "--hugepage-size", "0"), "--hugepage-size: 0 is less than 1"),
        (("--vcpus", "1", "--numa-nodes", "0"), "--numa-nodes: 0 is less than 1"),
        (("--vcpus", "1", "--near", "eth0"), "--near: 'eth0' is no PCI address"),
        (("--pcpus", "1", "--cpu-threads", "share"), "--cpu-threads"),
        (("--vcpus", "1", "--cpu-threads", "isolate"), "give --pcpus too"),
    ],
)
def test_wrong_usage_is_one_line_that_names_it(os_capability: Run, arguments: tuple[str, ...], names: str) -> None:
    done = os_capability("fit", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert names in done.stderr
    assert done.stderr.count("\n") == 1
