# SPDX-License-Identifier: Apache-2.0
"""The API as a service beside the agent: one user, one embedded database, and less of a machine than any other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.systemd.container import Container, until
from tests.systemd.service import STATE, Service

API = "os-capability-api.service"
# The container has no curl.
_ASK = """\
import sys, urllib.error, urllib.request
token = (*sys.argv[2:], "")[0]
request = urllib.request.Request("http://127.0.0.1:8775" + sys.argv[1], headers={"X-Auth-Token": token})
try:
    print(urllib.request.urlopen(request, timeout=10).read().decode())
except urllib.error.HTTPError as error:
    print(error.code)
"""


def ask(container: Container, *arguments: str) -> str:
    return container.run("python3", "-c", _ASK, *arguments).stdout.strip()


def property_of(container: Container, name: str) -> str:
    return container.run("systemctl", "show", f"--property={name}", "--value", API).stdout.strip()


@pytest.fixture
def beside(service: Service) -> Iterator[Service]:
    """Give the agent, whose row is stored, and leave no API behind."""
    service.start()
    service.row()
    yield service
    service.container.run("systemctl", "stop", API)
    service.container.run("rm", "-f", "/etc/default/os-capability-api")
    service.container.run("systemctl", "reset-failed")


def test_it_answers_from_the_agents_embedded_database_as_soon_as_it_is_started(beside: Service) -> None:
    container = beside.container
    container.run("systemctl", "start", API)
    (row,) = beside.rows()
    (hypervisor,) = json.loads(ask(container, "/v2.1/os-hypervisors"))["hypervisors"]
    assert hypervisor["hypervisor_hostname"] == row["hypervisor_hostname"]
    # And writes into it, while the agent does.
    owner = container.run("stat", "--format=%U", f"{STATE}/os-capability.sqlite").stdout.strip()
    assert owner == "os-capability"
    container.run("systemctl", "stop", API)
    assert (property_of(container, "Result"), property_of(container, "ExecMainStatus")) == ("success", "0")
    assert beside.property("ActiveState") == "active"


def test_a_token_made_by_root_lets_in_what_nobody_else_may(beside: Service) -> None:
    container = beside.container
    container.write("/etc/default/os-capability-api", "OS_CAPABILITY_API__AUTH=token\n", 0o600)
    token = beside.ask("token", "create", "test", "--role", "reader").strip()
    container.run("systemctl", "start", API)
    assert ask(container, "/v2.1/os-hypervisors") == "401"
    assert "hypervisor_hostname" in ask(container, "/v2.1/os-hypervisors", token)


def test_it_needs_no_agent_and_waits_for_nothing(service: Service) -> None:
    container = service.container
    container.run("systemctl", "start", API)
    assert json.loads(ask(container, "/v2.1/os-hypervisors")) == {"hypervisors": []}
    container.run("systemctl", "stop", API)


def test_a_killed_one_is_back(beside: Service) -> None:
    container = beside.container
    container.run("systemctl", "start", API)
    container.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", API)
    until(lambda: property_of(container, "NRestarts") == "1", "it is started again")
    until(lambda: property_of(container, "ActiveState") == "active", "it is ready again")
    assert "hypervisors" in ask(container, "/v2.1/os-hypervisors")


def test_systemd_judges_it_safe(machine: Container) -> None:
    judged = machine.run("systemd-analyze", "security", "--threshold=12", "--no-pager", API, check=False)
    assert judged.returncode == 0, judged.stdout[-2000:]
