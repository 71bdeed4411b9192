# SPDX-License-Identifier: Apache-2.0
"""The unit file, as systemd itself judges it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "os-capability-agent.service"
PROGRAM = "ExecStart=/usr/bin/host-agent run"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Give the unit with a program that exists: `verify` refuses one that is not installed."""
    text = UNIT.read_text()
    assert text.count(f"\n{PROGRAM}\n") == 1
    copy = tmp_path / UNIT.name
    copy.write_text(
        text.replace(f"\n{PROGRAM}\n", f"\n{PROGRAM.replace('/usr/bin/host-agent', shutil.which('true') or '')}\n")
    )
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=30, check=False)


@needs_systemd
def test_systemd_finds_nothing_to_say_about_it(unit: Path) -> None:
    # An unknown key is only a warning on stderr, with exit code 0.
    verified = analyze("verify", str(unit))
    assert (verified.returncode, verified.stderr) == (0, "")


@needs_systemd
def test_systemd_takes_the_drop_in_for_the_engines(unit: Path) -> None:
    drop_in = unit.parent / f"{unit.name}.d" / "engines.conf"
    drop_in.parent.mkdir()
    lines = (UNIT.parent / drop_in.name).read_text().splitlines()
    engines = [line.removeprefix("#") for line in lines if line.startswith("#SupplementaryGroups=")]
    assert {line.partition("=")[2] for line in engines} == {"docker", "libvirt", "podman"}
    assert [line for line in lines if line and not line.startswith("#")] == ["[Service]"], "it opens nothing by itself"

    drop_in.write_text("\n".join(["[Service]", *engines, ""]))
    verified = analyze("verify", str(unit))
    assert (verified.returncode, verified.stderr) == (0, "")


@needs_systemd
def test_its_exposure_is_low(unit: Path) -> None:
    judged = analyze("security", "--offline=true", "--threshold=15", "--no-pager", str(unit))
    if "--offline" in judged.stderr:
        pytest.skip("systemd older than 250 cannot judge a unit that is not loaded")
    assert judged.returncode == 0, judged.stdout[-200:]


def test_it_leaves_what_the_agent_reads_in_sight() -> None:
    assert "Type=notify" in _lines()
    assert "StateDirectory=os-capability" in _lines()
    hiding = ("ProcSubset=", "ProtectProc=", "ProtectHostname=")
    assert not [line for line in _lines() if line.startswith(hiding)]


def test_it_sets_no_limit_that_would_be_taken_for_the_machines() -> None:
    """The facts tell the limits of the process that reads them: `fit` and `check` go by those."""
    limits = ("MemoryMax=", "MemoryLimit=", "CPUQuota=", "AllowedCPUs=", "AllowedMemoryNodes=", "CPUAffinity=")
    assert not [line for line in _lines() if line.startswith(limits)]


def test_it_never_gives_a_node_up() -> None:
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(_lines())


def _lines() -> list[str]:
    return UNIT.read_text().splitlines()
