# SPDX-License-Identifier: Apache-2.0
"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
README = (TOP / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHOWN = [text for language, text in BLOCKS if language == "console" and " --root " in text]
PYTHON = [text for language, text in BLOCKS if language == "python"]


@pytest.mark.parametrize("block", SHOWN)
def test_a_command_with_its_output_prints_that(block: str) -> None:
    command, _, output = block.partition("\n")
    arguments = command.removeprefix("$ .venv/bin/os-capability ").split()
    done = subprocess.run([sys.executable, "-m", "os_capability", *arguments], cwd=TOP, capture_output=True, text=True)
    # Where there is no lscpu, a warning follows.
    assert done.stdout.startswith(output)


@pytest.mark.parametrize("code", PYTHON)
def test_the_example_of_the_library_runs(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_there_are_such_examples() -> None:
    assert SHOWN
    assert PYTHON


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_a_link_leads_somewhere(target: str) -> None:
    assert (TOP / target).exists()


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"[`$] ?make (\w+)", README + (TOP / "CONTRIBUTING.md").read_text())))
)
def test_a_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (TOP / "Makefile").read_text(), re.MULTILINE)
