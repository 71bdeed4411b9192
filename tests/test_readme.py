# SPDX-License-Identifier: Apache-2.0
"""What the README and the pages show is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
PAGES = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]
BLOCKS = [
    (page, language, text)
    for page in PAGES
    for language, text in re.findall(r"```(\w+)\n(.*?)```", page.read_text(), re.DOTALL)
]
SHOWN = [
    text for _, language, text in BLOCKS if language == "console" and "os-capability" in text and "tests/hosts" in text
]
PYTHON = [
    pytest.param(text, id=f"{page.stem}-{at}") for at, (page, kind, text) in enumerate(BLOCKS) if kind == "python"
]
LINKS = [(page, target) for page in PAGES for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]
TARGETS = sorted({target for page in PAGES for target in re.findall(r"[`$] ?make ([a-z-]+)", page.read_text())})


@pytest.mark.parametrize("block", SHOWN)
def test_a_command_with_its_output_prints_that(block: str) -> None:
    command, _, output = block.partition("\n")
    arguments = command.removeprefix("$ .venv/bin/os-capability ").split()
    done = subprocess.run([sys.executable, "-m", "os_capability", *arguments], cwd=TOP, capture_output=True, text=True)
    # Where there is no lscpu, a warning follows.
    assert done.stdout.startswith(output)


@pytest.mark.parametrize("code", PYTHON)
def test_an_example_of_the_library_runs(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_there_are_such_examples() -> None:
    assert SHOWN
    assert len(PYTHON) > 5


@pytest.mark.parametrize(("page", "target"), LINKS, ids=lambda value: getattr(value, "stem", value))
def test_a_link_leads_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists()


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (TOP / "Makefile").read_text(), re.MULTILINE)
