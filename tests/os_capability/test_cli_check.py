# SPDX-License-Identifier: Apache-2.0
"""`os-capability check` as a real process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from os_capability import collect
from os_capability.insight.check import CRITICAL, INFO, WARNING, Hazard, check
from os_capability.render.hazards import render_hazards
from tests.os_capability.conftest import HOSTS, Run
from tests.os_capability.test_cli import on_a_terminal


def root(name: str) -> tuple[str, ...]:
    return "--root", str(HOSTS / name / "root"), "--source", "sysfs"


def test_a_machine_that_is_well_exits_0(os_capability: Run) -> None:
    done = os_capability("check", *root("x86_64-two-sockets"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "no hazards\n", "")


def test_hazards_exit_1_and_say_code_evidence_and_advice(os_capability: Run) -> None:
    done = os_capability("check", *root("x86_64-offline-cpus"))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("2 hazards\n\nwarning   offline-cpus\n")
    assert "- CPUs 0,5 of 0-7 cannot run anything" in done.stdout
    assert "> Bring them back: echo 1 > /sys/devices/system/cpu/cpuN/online" in done.stdout


def test_notes_are_no_hazards(os_capability: Run) -> None:
    done = os_capability("check", *root("x86_64-hybrid"))
    assert done.returncode == 0
    assert done.stdout.startswith("no hazards, 1 note\n\nnote      hybrid-cores\n")


def test_json_has_hazards_and_notes(os_capability: Run) -> None:
    done = os_capability("check", "-f", "json", *root("x86_64-memoryless-node"))
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["notes"]) == (1, [])
    (hazard,) = answer["hazards"]
    assert sorted(hazard) == ["advice", "code", "evidence", "severity", "summary"]
    assert (hazard["code"], hazard["severity"]) == ("memoryless-node", "critical")
    assert hazard["evidence"] == ["node 1 (CPUs 2-3) has no memory; the nearest is on node 0, distance 21"]


def test_an_accepted_hazard_is_left_out(os_capability: Run) -> None:
    done = os_capability("check", "--accept", "isolated-cpus", *root("x86_64-isolated-cpus"))
    assert (done.returncode, done.stdout) == (0, "no hazards\n")


def test_an_unknown_code_to_accept_names_those_there_are(os_capability: Run) -> None:
    done = os_capability("check", "--accept", "isolated-cpu", *root("x86_64-isolated-cpus"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("os-capability: no hazard has the code 'isolated-cpu'; there are: ")
    assert " isolated-cpus," in done.stderr


def test_a_machine_that_cannot_be_read_exits_3(os_capability: Run, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    done = os_capability("check", "--root", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)


@pytest.mark.parametrize("folder", sorted(HOSTS.glob("*/root")), ids=lambda folder: folder.parent.name)
def test_no_line_is_wider_than_80_columns(folder: Path) -> None:
    lines = render_hazards(check(collect(str(folder), "sysfs"))).splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    ("severities", "heading"),
    [
        ([], "no hazards"),
        ([INFO], "no hazards, 1 note"),
        ([WARNING], "1 hazard"),
        ([CRITICAL], "1 hazard, critical"),
        ([CRITICAL, WARNING, INFO, INFO], "2 hazards, 1 of them critical, 2 notes"),
    ],
)
def test_the_first_line_counts_hazards_and_notes(severities: list[str], heading: str) -> None:
    hazards = [
        Hazard(code="some-code", severity=severity, summary="", evidence=(), advice="") for severity in severities
    ]
    assert render_hazards(hazards).splitlines()[0] == heading


def test_the_machine_cannot_steer_the_terminal(os_capability: Run, machine: Path) -> None:
    (machine / "sys/devices/system/cpu/vulnerabilities/mds").write_text("Vulnerable \x1b[2J\n")
    (machine / "proc/sys/kernel/hostname").write_text("\x1b[2J\n")
    answer = os_capability("check", "--root", str(machine)).stdout
    assert answer.startswith("1 hazard")
    assert "\x1b" not in answer


def test_colour_is_for_terminals() -> None:
    drawn = on_a_terminal(["check", *root("x86_64-hybrid")], {"TERM": "xterm"})
    assert "\x1b[36mnote" in drawn
