# SPDX-License-Identifier: Apache-2.0
"""Real machines, captured by others, held against an oracle: no part of this project, used where they lie beside it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from os_capability import OsCapabilityError, collect
from os_capability.errors import MissingProgram
from os_capability.render.layout import layout
from os_capability.render.topology_svg import render_svg
from os_capability.render.topology_text import render_text, text_width
from tests.os_capability.drawings import faults, shown_cpus

BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
CORPUS = Path(os.environ.get("OS_CAPABILITY_TEST_CORPUS") or BESIDE_THE_CHECKOUT)
MACHINES = sorted(path.stem for path in (CORPUS / "dev").glob("*.json"))

pytestmark = pytest.mark.skipif(not MACHINES, reason=f"no captured machines in {CORPUS} (OS_CAPABILITY_TEST_CORPUS)")

# What the reader has no use for, and most of the files: leaving it packed makes this three times as fast.
UNREAD = re.compile(r"/(cpufreq|cpuidle|power|microcode|thermal_throttle)/|^sys/devices/pci|^proc/device-tree/cpus")

# Where lscpu 2.38 answers, and answers wrongly; newer ones may know better.
WRONG_BY_LSCPU = {
    "hwloc-8em64t-2s2ca2c-buggynuma": "the columns have room for one node, and these CPUs are in several",
    "hwloc-fakememinitiators-1np2c+1npp+gi": "it finds cores by thread_siblings, and here is only core_cpus",
    "ul-arm-A510-A710-A715-X3": "its core numbers start again with each kind of core",
}

# What became of each machine, by source; the page below states it.
SCORES: dict[str, Counter[str]] = {"auto": Counter(), "sysfs": Counter(), "lscpu": Counter()}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"

Differences = Callable[[Mapping[str, Any], Mapping[str, Any]], list[tuple[str, object, object]]]


@pytest.fixture(scope="session")
def differences() -> Differences:
    """Load the corpus's own definition of right."""
    spec = importlib.util.spec_from_file_location("corpus_compare", CORPUS / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    found: Differences = compare.differences
    return found


@pytest.fixture(scope="module", params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Unpack one machine for as long as it is tested, and give its root and its oracle."""
    name = request.param
    with tempfile.TemporaryDirectory(prefix="os-capability-corpus-", dir=_memory_folder()) as root:
        with tarfile.open(CORPUS / "dev" / f"{name}.tar.xz") as archive:
            if hasattr(tarfile, "fully_trusted_filter"):  # since 3.10.12; checking each path twice is slow
                archive.extraction_filter = tarfile.fully_trusted_filter
            archive.extractall(root, (member for member in archive if not UNREAD.search(member.name)))
        yield Path(root), json.loads((CORPUS / "dev" / f"{name}.json").read_text())


def _memory_folder() -> str | None:
    """Give a file system in memory, or None: 150,000 small files take a disk half a minute and memory two seconds."""
    folder = "/dev/shm"
    roomy = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 256 << 20
    return folder if roomy else None


@pytest.mark.parametrize("source", ["auto", "sysfs"])
def test_a_real_machine_is_read_right(
    machine: tuple[Path, dict[str, Any]], source: str, differences: Differences
) -> None:
    root, oracle = machine
    wrong = differences(collect(str(root), source).to_dict(), oracle)
    SCORES[source]["wrong" if wrong else "right"] += 1
    assert wrong == []


def test_lscpu_alone_reads_a_real_machine_right_or_refuses(
    machine: tuple[Path, dict[str, Any]], request: pytest.FixtureRequest, differences: Differences
) -> None:
    root, oracle = machine
    try:
        found = collect(str(root), "lscpu").to_dict()
    except MissingProgram as error:
        pytest.skip(str(error))
    except OsCapabilityError:
        SCORES["lscpu"]["refused"] += 1
        return  # it insists on cpu/possible, it crashes, it prints rows without a CPU: we say so, which is right
    wrong = differences(found, oracle)
    SCORES["lscpu"]["wrong" if wrong else "right"] += 1
    reason = WRONG_BY_LSCPU.get(request.node.callspec.params["machine"])
    if wrong and reason:
        pytest.xfail(reason)
    assert wrong == []


def test_a_real_machine_is_drawn_with_every_cpu_exactly_once(machine: tuple[Path, dict[str, Any]]) -> None:
    host = collect(str(machine[0]), "sysfs")
    assert sorted(shown_cpus(layout(host).machine)) == list(host.cpu.online | host.cpu.offline)
    for width in (40, 80, 100):
        assert max(map(text_width, render_text(host, width=width).splitlines())) <= width
    assert faults(render_svg(host)) == []


@pytest.mark.parametrize("source", SCORES)
def test_the_page_states_the_score_of_each_source(source: str) -> None:
    score = SCORES[source]
    if score.total() != len(MACHINES):
        pytest.skip("only a part of the machines was read")
    row = re.search(rf"^\| `{source}`(?: \(util-linux (\S+)\))? \| (\d+) \| (\d+) \| (\d+) \|$", PAGE.read_text(), re.M)
    assert row is not None
    version, *stated = row.groups()
    if version is not None and version not in lscpu_version():
        pytest.skip(f"the page speaks of util-linux {version}")
    assert [int(number) for number in stated] == [score["right"], score["refused"], score["wrong"]]


def lscpu_version() -> str:
    return subprocess.run(["lscpu", "--version"], capture_output=True, text=True, check=True).stdout
