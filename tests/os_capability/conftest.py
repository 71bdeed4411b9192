# SPDX-License-Identifier: Apache-2.0
"""Machines to read and the command to read them with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HOSTS = Path(__file__).resolve().parents[1] / "hosts"
SOURCE_TREE = HOSTS.parents[1]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def os_capability() -> Run:
    """Run the command as a person would, `before` being what runs it (``unshare`` ...)."""

    def run(*arguments: str, before: tuple[str, ...] = (), **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, sys.executable, "-m", "os_capability", *arguments],
            env={**os.environ, **environment},
            cwd=SOURCE_TREE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Give a copy of the plain machine, to be changed."""
    return Path(shutil.copytree(HOSTS / "x86_64-plain" / "root", tmp_path / "machine"))
