# SPDX-License-Identifier: Apache-2.0
"""docs/operating.md explains every alert and every trouble that `host-agent status` knows."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from host_agent import status
from tests.beds import absent

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "operating.md").read_text()
ALERTS = DOCS / "alerts.yml"
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def test_every_alert_has_its_chapter_and_every_chapter_its_alert() -> None:
    chapters = re.findall(r"^### (\w+)$", PAGE.partition("\n## Runbook\n")[2], re.MULTILINE)
    assert chapters == list(dict.fromkeys(chapters))
    assert sorted(chapters) == sorted(rule["alert"] for rule in RULES)


def test_alerts_ask_for_metrics_that_there_are() -> None:
    known = set(re.findall(r"`(os_capability_agent_\w+)`", (DOCS / "metrics.md").read_text()))
    asked = {name for rule in RULES for name in re.findall(r"os_capability_\w+", rule["expr"])}
    assert asked
    assert asked <= known


def test_promtool_takes_the_rules() -> None:
    tool = shutil.which("promtool") or absent("promtool is not installed")
    done = subprocess.run([tool, "check", "rules", str(ALERTS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_trouble_of_the_status_is_explained_once() -> None:
    source = ast.parse(Path(status.__file__).read_text())
    codes = {
        keyword.value.value
        for call in ast.walk(source)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Trouble"
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    explained = re.findall(r"^\| `([a-z-]+)` \|", PAGE.partition("## What `host-agent status` says")[2], re.MULTILINE)
    assert codes
    assert sorted(explained) == sorted(map(str, codes))
