# SPDX-License-Identifier: Apache-2.0
"""`os-capability traits` as a real process."""

from __future__ import annotations

import json

import os_traits

from os_capability import collect
from os_capability.insight.traits import traits
from tests.os_capability.conftest import HOSTS, Run

PLAIN = str(HOSTS / "x86_64-plain" / "root")


def test_traits_are_listed_one_a_line(os_capability: Run) -> None:
    done = os_capability("traits", "--root", PLAIN, "--source", "sysfs")
    assert (done.returncode, done.stderr) == (0, "")
    assert tuple(done.stdout.splitlines()) == traits(collect(PLAIN, "sysfs"))
    assert "HW_CPU_X86_AVX2" in done.stdout.splitlines()


def test_json_is_a_list(os_capability: Run) -> None:
    done = os_capability("traits", "-f", "json", "--root", PLAIN, "--source", "sysfs")
    assert json.loads(done.stdout) == list(traits(collect(PLAIN, "sysfs")))


def test_this_machine_has_traits_that_os_traits_knows(os_capability: Run) -> None:
    done = os_capability("traits")
    assert done.returncode == 0
    assert set(done.stdout.split()) <= set(os_traits.get_traits())


def test_a_root_that_is_none_is_wrong_usage(os_capability: Run) -> None:
    done = os_capability("traits", "--root", "/does/not/exist")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
