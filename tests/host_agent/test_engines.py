# SPDX-License-Identifier: Apache-2.0
"""Which engines are asked, and what their being away means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host_agent.engines import load_survey
from host_agent.settings import Settings, load
from host_agent.workloads.counts import counts
from host_agent.workloads.engine import UNREADABLE
from tests.host_agent.workloads.sockets import recorded


def settings(root: Path, **options: Any) -> Settings:
    environ = {"OS_CAPABILITY_CONFIG_FILE": "/dev/null", "OS_CAPABILITY_AGENT__ROOT": str(root)}
    environ |= {f"OS_CAPABILITY_{name.upper()}": value for name, value in options.items()}
    return load(environ=environ).settings


def test_an_engine_that_is_nowhere_named_and_nowhere_found_is_none(tmp_path: Path) -> None:
    discovery = load_survey(settings(tmp_path)).look()
    assert [seen.report.engine for seen in discovery.engines if seen.report.engine == "docker"] == []


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_engine_that_is_not_where_the_settings_say_is_a_trouble_and_no_zero(tmp_path: Path, engine: str) -> None:
    place = {f"workloads__{engine}_socket": "/run/elsewhere.sock"}
    discovery = load_survey(settings(tmp_path, workloads__engines=engine, **place)).look()
    (seen,) = discovery.engines
    assert (seen.report.engine, seen.report.status) == (engine, UNREADABLE)
    assert seen.trouble is not None
    assert f"[workloads] {engine}_socket = /run/elsewhere.sock: nothing is there" in seen.trouble
    assert counts(discovery).total is None


def test_an_engine_that_is_where_the_settings_say_tells(tmp_path: Path) -> None:
    with recorded(tmp_path) as engine:
        place = {"workloads__docker_socket": f"/{engine.path.name}", "workloads__engines": "docker"}
        discovery = load_survey(settings(tmp_path, **place)).look()
    assert [(seen.report.engine, seen.trouble) for seen in discovery.engines] == [("docker", None)]
    assert counts(discovery).total == len(engine.list)


def test_where_nobody_is_asked_nothing_is_known(tmp_path: Path) -> None:
    discovery = load_survey(settings(tmp_path, workloads__engines="none")).look()
    assert (discovery.engines, discovery.knows_running) == ((), False)
    told = counts(discovery)
    assert (told.total, told.running, told.paused, told.stopped) == (None,) * 4


def test_the_disks_are_measured_where_the_settings_say_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "var" / "lib").mkdir(parents=True)
    known = load_survey(settings(tmp_path, workloads__engines="none")).look().disk
    assert known is not None
    assert known.total_bytes > 0
    elsewhere = settings(tmp_path, workloads__engines="none", compute__instances_path="/nowhere")
    assert load_survey(elsewhere).look().disk is None
