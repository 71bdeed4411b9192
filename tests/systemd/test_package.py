# SPDX-License-Identifier: Apache-2.0
"""The Debian package: it installs and starts, an upgrade keeps what is there, a purge leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from os_capability import __version__
from tests.systemd.container import Container, until
from tests.systemd.images import build_deb, newer_deb
from tests.systemd.service import CONFIG_FILE, STATE, UNIT, Service
from tests.systemd.test_api import API, ask

_INSTALL = ("dpkg", "--force-confold", "--install")


@pytest.fixture(scope="module")
def deb(packages: Path) -> Path:
    return build_deb(packages)


@pytest.fixture
def installed(boot: Callable[[], AbstractContextManager[Container]], deb: Path) -> Iterator[Service]:
    """Give a fresh container with the package, just installed."""
    with boot() as container:
        container.run("sh", "-c", f"{_EVERY_FILE} > /run/before")
        container.run(*_INSTALL, f"/packages/{deb.name}")
        yield Service(container, "/usr/bin/host-agent")


# All but what any package leaves: dpkg's and systemd's own books, and the user.
_EVERY_FILE = (
    "find / -xdev -not -path '/var/lib/dpkg/*' -not -path '/var/log/*' -not -path '/var/lib/systemd/*'"
    " -not -path '/etc/.pwd.lock' -not -path '/etc/*-' | sort"
)


def test_it_starts_as_soon_as_it_is_installed(installed: Service) -> None:
    row = installed.row()
    assert row["agent_version"] == __version__
    assert installed.property("UnitFileState") == "enabled"
    stat = installed.container.run("stat", "--format=%a %U:%G", CONFIG_FILE).stdout.strip()
    assert stat == "640 root:os-capability"
    assert installed.container.run("os-capability", "--version").stdout == f"os-capability {__version__}\n"
    installed.container.run("python3", "-c", "import psycopg, pymysql", PYTHONPATH="/usr/lib/os-capability")
    # Nobody may write below /usr: what is not compiled now would be compiled anew at every start.
    compiled = installed.container.run("find", "/usr/lib/os-capability/host_agent", "-name", "cli.*.pyc").stdout
    assert compiled.count("\n") == 1


def test_the_api_comes_with_it_and_waits_to_be_started(installed: Service) -> None:
    installed.row()
    container = installed.container
    for question, answer in (("is-enabled", "disabled"), ("is-active", "inactive")):
        assert container.run("systemctl", question, API, check=False).stdout.strip() == answer
    container.run("systemctl", "enable", "--now", API)
    assert "hypervisor_hostname" in ask(container, "/v2.1/os-hypervisors")
    # Keystone's middleware is there, too.
    container.run("python3", "-c", "import keystonemiddleware, oslo_policy", PYTHONPATH="/usr/lib/os-capability")


def test_an_upgrade_keeps_the_identity_and_the_settings_and_runs_on(
    installed: Service, deb: Path, packages: Path
) -> None:
    installed.configure()
    before = installed.row()
    settings = installed.container.run("cat", CONFIG_FILE).stdout
    newer = newer_deb(deb, packages, "99.0")
    installed.container.run(*_INSTALL, f"/packages/{newer.name}")
    until(lambda: installed.row()["agent_version"] == "99.0", "the new version stores the row")
    assert installed.row()["uuid"] == before["uuid"]
    assert installed.container.run("cat", CONFIG_FILE).stdout == settings
    assert installed.property("ActiveState") == "active"


def test_removing_keeps_the_state_and_purging_leaves_nothing(installed: Service) -> None:
    before = installed.row()
    container = installed.container
    container.run("dpkg", "--remove", "os-capability")
    assert container.run("systemctl", "is-active", UNIT, check=False).stdout.strip() == "inactive"
    assert container.run("cat", f"{STATE}/host_uuid").stdout.strip() == before["uuid"]
    container.run("dpkg", "--purge", "os-capability")
    container.run("sh", "-c", f"{_EVERY_FILE} > /run/after")
    assert container.run("diff", "/run/before", "/run/after", check=False).stdout == ""
    assert "0 unit files listed" in container.run("systemctl", "list-unit-files", UNIT, check=False).stdout
