# SPDX-License-Identifier: Apache-2.0
"""Engines that the tests start and end: `.ci/install-test-beds` installs their programs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.dockerd import Dockerd
from tests.engines.podman_service import PodmanService


@pytest.fixture(scope="module")
def engine_folder() -> Iterator[Path]:
    """Give a folder with a short name: that of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="os-capability-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def dockerd(engine_folder: Path) -> Iterator[Dockerd]:
    """Give a Docker that runs, without containers."""
    Dockerd.require()
    dockerd = Dockerd(engine_folder, "--label=rack=7", "--label=tier=a=b")
    try:
        dockerd.start()
        dockerd.import_image()
        yield dockerd
    finally:
        dockerd.remove()


@pytest.fixture(scope="module")
def podman(engine_folder: Path) -> Iterator[PodmanService]:
    """Give a Podman whose service runs, without containers."""
    PodmanService.require()
    podman = PodmanService(engine_folder)
    try:
        podman.install()
        podman.start()
        yield podman
    finally:
        podman.remove()
