# SPDX-License-Identifier: Apache-2.0
"""A booted systemd with our wheel in it. Root on Debian is needed: `.ci/install-test-beds` installs the programs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.beds import absent
from tests.host_agent.servers import any_server, make_server, server_templates
from tests.systemd import images
from tests.systemd.container import Container
from tests.systemd.service import Service

# Fixtures of another module: pytest finds them here.
__all__ = ["any_server", "make_server", "server_templates"]

_OPERATING = Path(__file__).resolve().parents[2] / "docs" / "operating.md"
_PROGRAM = "/opt/os-capability/bin/host-agent"
_OFFLINE = "--quiet --no-index --find-links=/wheels"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that the containers see as /packages."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="session")
def boot(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], AbstractContextManager[Container]]:
    """Give what boots a fresh container, in which /wheels has every wheel that ours needs."""
    trouble = _trouble()
    if trouble is not None:
        absent(trouble)
    shared = {"/wheels": images.wheelhouse(), "/packages": packages}
    return lambda: Container(images.rootfs(), tmp_path_factory.mktemp("container"), shared)


def _trouble() -> str | None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a container with systemd needs root on Linux"
    missing = [program for program in images.NEEDED_PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}; .ci/install-test-beds installs it" if missing else None


@pytest.fixture(scope="session")
def wheel(packages: Path) -> Path:
    return images.build_wheel(packages)


@pytest.fixture(scope="session")
def machine(boot: Callable[[], AbstractContextManager[Container]], wheel: Path) -> Iterator[Container]:
    """Give a container where our wheel is installed and started by the very commands that docs/operating.md has."""
    commands = _OPERATING.read_text().partition("\nWith pip,")[2].split("```")[1]
    script = "\n".join(line.removeprefix("# ") for line in commands.splitlines() if line.startswith("# "))
    from_index, from_here = (
        "pip install os-capability",
        f"pip install {_OFFLINE} /packages/{wheel.name}[api,keystone,postgresql,mysql]",
    )
    assert script.count(from_index) == 1
    with boot() as container:
        container.run("sh", "-exc", script.replace(from_index, from_here))
        Service(container, _PROGRAM).clear()
        yield container


@pytest.fixture
def service(machine: Container) -> Iterator[Service]:
    """Give the installed service, configured with short intervals and not started."""
    service = Service(machine, _PROGRAM)
    service.configure()
    yield service
    service.clear()
