# SPDX-License-Identifier: Apache-2.0
"""The sandbox, from inside: the agent reads what it must, writes where it may, and has no privilege."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from os_capability.linux import paths
from tests.systemd.container import Container, until
from tests.systemd.service import STATE, UNIT, Service

_TEXTFILE = "/run/os-capability/os-capability.prom"
_PROBE = Path(__file__).with_name("probe.py")
# Another program in the very same sandbox, once.
_AS_PROBE = """\
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/opt/os-capability/bin/python /opt/probe.py
StandardOutput=file:/opt/probe.json
"""


def _read_paths() -> list[str]:
    """Give every path of `paths`, but for that of a file which only a capture has."""
    named = {name: value for name, value in vars(paths).items() if name.isupper() and name != "CAPTURED"}
    texts = {value for value in named.values() if isinstance(value, str)}
    return sorted(texts.union(*(value for value in named.values() if isinstance(value, tuple))))


@pytest.fixture
def marked(machine: Container) -> Container:
    """Give the machine with what it has by chance, or not at all: the marks of containers and a login."""
    machine.run(
        "mkdir", "--parents", *(f"/{path}" for path in (paths.LXD_MARK, paths.INCUS_MARK, paths.LOGIN_SESSIONS))
    )
    for path in (paths.DOCKER_MARK, paths.PODMAN_MARK, f"{paths.LOGIN_SESSIONS}/1"):
        machine.write(f"/{path}", "CLASS=user\n")
    return machine


def _probe(service: Service) -> dict[str, Any]:
    """Look from inside the sandbox, and for comparison from outside."""
    container = service.container
    container.write("/opt/probe.py", _PROBE.read_text())
    container.write("/opt/paths.json", json.dumps(_read_paths()))
    container.run("rm", "-f", "/opt/probe.json")
    service.drop_in(_AS_PROBE)
    service.start()
    seen: dict[str, Any] = json.loads(container.run("cat", "/opt/probe.json").stdout)
    return seen


def test_every_path_it_reads_is_readable_but_for_those_of_root(service: Service, marked: Container) -> None:
    inside = _probe(service)["paths"]
    outside = json.loads(marked.run("/opt/os-capability/bin/python", "/opt/probe.py").stdout)["paths"]
    assert {path for path, is_readable in outside.items() if is_readable} >= {
        *(paths.MEMINFO, paths.CPUINFO, paths.INIT_CGROUP, paths.NODE_ONLINE, paths.MACHINE_ID),
        *(paths.LXD_MARK, paths.INCUS_MARK, paths.LOGIN_SESSIONS, paths.DOCKER_MARK, paths.PODMAN_MARK),
    }
    assert {path for path in outside if outside[path] and not inside[path]} <= paths.ROOT_ONLY


def test_nothing_is_writable_but_its_own_directories(service: Service) -> None:
    seen = _probe(service)
    assert set(seen["writable"]) == {"/run/os-capability", "/tmp", "/var/lib/private/os-capability", "/var/tmp"}


def test_it_has_no_privilege(service: Service) -> None:
    status = _probe(service)["status"]
    assert {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "CapInh": 0,
        "CapPrm": 0,
        "CapEff": 0,
        "CapBnd": 0,
        "CapAmb": 0,
    }
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert "0" not in status["Uid"].split()


def test_its_state_is_its_own_and_its_metrics_are_for_all(service: Service) -> None:
    service.configure(f"[metrics]\ntextfile = {_TEXTFILE}\n")
    service.start()
    until(lambda: service.container.run("test", "-s", _TEXTFILE, check=False).returncode == 0, "the metrics are there")
    for path, expected in ((f"{STATE}/", "750"), ("/run/os-capability", "755"), (_TEXTFILE, "644")):
        stat = service.container.run("stat", "--format=%a %U", path).stdout.strip()
        assert stat == f"{expected} os-capability", path


def test_it_says_the_same_of_the_machine_as_outside(service: Service) -> None:
    """What a hidden file would leave out shows as a difference, whatever its path."""
    service.start()
    row = service.row()
    stored = service.ask("hosts", "show", row["uuid"], "-f", "json")
    service.container.write("/opt/stored.json", json.dumps(json.loads(stored)["facts"]))
    program = service.program.replace("host-agent", "os-capability")
    changes = service.container.run(program, "diff", "/opt/stored.json", "/").stdout.splitlines()
    assert changes == ["nothing changed"]


def test_systemd_judges_it_safe(machine: Container) -> None:
    """The unit with its drop-ins, as this systemd has loaded it."""
    judged = machine.run("systemd-analyze", "security", "--threshold=15", "--no-pager", UNIT, check=False)
    assert judged.returncode == 0, judged.stdout[-2000:]
