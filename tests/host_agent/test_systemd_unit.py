# SPDX-License-Identifier: Apache-2.0
"""The unit files, as systemd itself judges them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "systemd"
UNIT = FOLDER / "os-capability-agent.service"
API = FOLDER / "os-capability-api.service"
PROGRAM = "ExecStart=/usr/bin/host-agent run"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Give the unit with a program that exists: `verify` refuses one that is not installed."""
    return installed(UNIT, PROGRAM, tmp_path)


@pytest.fixture
def api_unit(tmp_path: Path) -> Path:
    """Give that of the API in the same way."""
    return installed(API, "ExecStart=/usr/bin/host-agent api", tmp_path)


def installed(unit: Path, program: str, folder: Path) -> Path:
    text = unit.read_text()
    assert text.count(f"\n{program}\n") == 1
    copy = folder / unit.name
    copy.write_text(
        text.replace(f"\n{program}\n", f"\n{program.replace('/usr/bin/host-agent', shutil.which('true') or '')}\n")
    )
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=30, check=False)


@needs_systemd
def test_systemd_finds_nothing_to_say_about_them(unit: Path, api_unit: Path) -> None:
    # An unknown key is only a warning on stderr, with exit code 0.
    for one in (unit, api_unit):
        verified = analyze("verify", str(one))
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
@pytest.mark.parametrize(("name", "most"), [("unit", 15), ("api_unit", 12)])
def test_its_exposure_is_low(request: pytest.FixtureRequest, name: str, most: int) -> None:
    unit = request.getfixturevalue(name)
    judged = analyze("security", "--offline=true", f"--threshold={most}", "--no-pager", str(unit))
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


def test_the_api_works_on_the_agents_directory_and_sees_nothing_of_the_machine() -> None:
    """Two services that are one user have one state directory, and so one embedded database."""
    api = set(_lines(API))
    shared = ("User=", "DynamicUser=", "StateDirectory=", "StateDirectoryMode=", "UMask=")
    assert {line for line in api if line.startswith(shared)} == {line for line in _lines() if line.startswith(shared)}
    assert {"ProtectProc=invisible", "ProcSubset=pid", "ProtectHostname=yes", "NoExecPaths=/"} <= api


def _lines(unit: Path = UNIT) -> list[str]:
    return unit.read_text().splitlines()
