# SPDX-License-Identifier: Apache-2.0
"""A Placement for all tests, a proxy before it that writes everything down, and OpenStack's own command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.beds import absent
from tests.placement.agent import AgentOfHost
from tests.placement.proxy import Proxy
from tests.placement.servers import PROGRAMS, Keystone, Placement

OpenStack = Callable[..., Any]
Start = Callable[..., AgentOfHost]


@pytest.fixture(scope="session")
def programs() -> Path:
    if not (PROGRAMS / "placement-manage").exists():
        absent(f"no Placement in {PROGRAMS}: `make test-placement` installs it")
    return PROGRAMS


@pytest.fixture(scope="session")
def placement(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placement]:
    server = Placement(tmp_path_factory.mktemp("placement"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def proxy(placement: Placement) -> Iterator[Proxy]:
    between = Proxy(placement.port)
    yield between
    between.close()


@pytest.fixture
def keystone(proxy: Proxy) -> Iterator[Keystone]:
    server = Keystone({"placement": proxy.url})
    yield server
    server.close()


@pytest.fixture
def start(proxy: Proxy) -> Start:
    """Give a function that makes an agent which reports through the proxy."""
    return lambda **options: AgentOfHost(proxy.url, **options)


@pytest.fixture
def openstack(programs: Path, placement: Placement) -> OpenStack:
    """Give a function that asks Placement by the command ``openstack``."""
    environment = {
        **os.environ,
        "OS_AUTH_TYPE": "admin_token",
        "OS_TOKEN": "admin",
        "OS_ENDPOINT": placement.url,
        "OS_PLACEMENT_API_VERSION": "1.39",
    }

    def ask(*arguments: str) -> Any:
        argv = [str(programs / "openstack"), *arguments, "-f", "json"]
        return json.loads(subprocess.run(argv, env=environment, capture_output=True, check=True).stdout)

    return ask
