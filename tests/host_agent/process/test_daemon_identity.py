# SPDX-License-Identifier: Apache-2.0
"""Who a host is, through everything that happens to machines: renames, lost files, clones, restored backups."""

from __future__ import annotations

import json
import shutil
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from host_agent.store import migrate, retire
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.fleet import Eventually, Fleet, ended_in, reports_to

MakeAgent = Callable[[str], HostAgent]

# Seconds; long enough for a machine that is busy with other tests not to look dead.
DOWN_AFTER = 6


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/fleet.sqlite"
    fleet = Fleet(url)
    migrate.create(fleet.engine)
    return url


@pytest.fixture
def fleet(url: str) -> Fleet:
    return Fleet(url)


@pytest.fixture
def original(make_agent: MakeAgent, url: str) -> HostAgent:
    agent = make_agent("original")
    reports_to(agent, url, down_after=DOWN_AFTER, full_interval=1)
    return agent


def cloned(original: HostAgent, make_agent: MakeAgent, name: str, url: str) -> HostAgent:
    """Give an agent on another machine with a copy of the disk, which keeps the machine's uuid as well."""
    agent = make_agent(name)
    shutil.rmtree(agent.state, ignore_errors=True)
    shutil.copytree(original.state, agent.state)
    shutil.copy(original.machine.root / "etc/machine-id", agent.machine.root / "etc/machine-id")
    reports_to(agent, url, down_after=DOWN_AFTER)
    return agent


def state_of(agent: HostAgent) -> dict[str, object]:
    path = agent.state / "status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def test_a_renamed_machine_keeps_its_row_and_its_host_column(
    original: HostAgent, fleet: Fleet, eventually: Eventually
) -> None:
    process = original.start("run")
    eventually(fleet.hosts)
    before = fleet.hosts()

    original.machine.is_called("renamed")
    eventually(lambda: fleet.hosts("hypervisor_hostname") == ["renamed"])
    eventually(lambda: "hostname-changed" in fleet.codes())

    assert (fleet.hosts(), fleet.hosts("host")) == (before, ["original"])
    assert ended_in(process) < 2
    # The name is on disk: it survives the daemon as well.
    assert original("once").code == 0
    assert fleet.hosts("host") == ["original"]
    assert fleet.told("hostname-changed") == ["hostname original -> renamed"]


def test_a_rename_before_the_files_are_lost_changes_no_name(
    original: HostAgent, fleet: Fleet, eventually: Eventually
) -> None:
    ended_after_a_report(original, fleet, eventually)
    (original.state / "host_name").unlink()
    original.machine.is_called("renamed")

    ended_after_a_report(original, fleet, eventually)

    assert (fleet.hosts("host"), fleet.hosts("hypervisor_hostname")) == (["original"], ["renamed"])


def test_a_lost_identity_is_found_again_in_the_database(
    original: HostAgent, fleet: Fleet, eventually: Eventually
) -> None:
    ended_after_a_report(original, fleet, eventually)
    before = fleet.hosts()
    shutil.rmtree(original.state)

    process = original.start("run")
    eventually(lambda: "identity-adopted" in fleet.codes())

    eventually(lambda: (original.state / "host_uuid").read_text().strip() == before[0])
    assert fleet.hosts() == before
    assert fleet.codes().count("host-registered") == 1
    assert ended_in(process) < 2


def test_a_lost_identity_that_resembles_a_stored_host_is_refused_until_an_operator_decides(
    original: HostAgent, fleet: Fleet, eventually: Eventually
) -> None:
    ended_after_a_report(original, fleet, eventually)
    (before,) = fleet.hosts()
    shutil.rmtree(original.state)
    original.machine.has_board(str(uuid.uuid4()))  # as after the board was changed

    process = original.start("run")
    eventually(lambda: "another product uuid" in original.said())
    assert f"host-agent identity adopt {before}" in original.said()
    assert fleet.hosts() == [before]
    assert ended_in(process) < 2

    assert original("identity", "adopt", str(before)).code == 0
    ended_after_a_report(original, fleet, eventually)
    assert fleet.hosts() == [before]
    assert fleet.codes().count("identity-adopted") == 1
    assert "different-machine" in fleet.codes(), "changed hardware is an event"


def test_a_clone_is_refused_both_say_so_and_a_reset_mends_it(
    original: HostAgent, make_agent: MakeAgent, fleet: Fleet, url: str, eventually: Eventually
) -> None:
    first = original.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    clone = cloned(original, make_agent, "clone", url)
    (clone.state / "status.json").unlink(missing_ok=True)

    second = clone.start("run")
    eventually(lambda: "is alive elsewhere, as 'original'" in clone.said())
    eventually(lambda: "another machine that is alive, clone" in original.said())
    eventually(lambda: state_of(original).get("duplicate") and state_of(clone).get("duplicate"))

    assert fleet.hosts("hypervisor_hostname") == ["original"], "the second writer wrote nothing"
    assert fleet.codes().count("identity-duplicate") == 1
    for agent in (original, clone):
        assert agent("status").code == 1
    assert ended_in(second) < 2

    assert clone("identity", "reset").code == 0
    clone.start("run")
    eventually(lambda: sorted(map(str, fleet.hosts("hypervisor_hostname"))) == ["clone", "original"])
    eventually(lambda: not state_of(original)["duplicate"])
    eventually(lambda: "no other machine claims" in original.said())
    assert len(set(fleet.hosts())) == 2
    assert [event["host"] for event in fleet.events() if event["code"] == "identity-reset"] == ["clone"]
    assert original.said().count("another machine that is alive, clone") == 1
    assert ended_in(first) < 2


def test_a_disk_that_moved_to_another_machine_goes_on_as_the_same_host_and_says_so(
    original: HostAgent, make_agent: MakeAgent, fleet: Fleet, url: str, eventually: Eventually
) -> None:
    """A backup is restored on new hardware; the old machine is gone without a word."""
    process = original.start("run")
    eventually(lambda: (original.state / "facts.json").exists() and fleet.hosts())
    before = fleet.hosts()
    process.send_signal(signal.SIGKILL)
    process.wait()
    restored = cloned(original, make_agent, "restored", url)

    restored.start("run")
    eventually(lambda: fleet.hosts("hypervisor_hostname") == ["restored"])
    eventually(lambda: "different-machine" in fleet.codes())

    assert fleet.hosts() == before
    assert fleet.hosts("host") == ["original"]
    assert "host-agent identity reset" not in restored.said(), "nobody is alive elsewhere"


def test_a_reboot_in_order_waits_for_nobody(original: HostAgent, fleet: Fleet, eventually: Eventually) -> None:
    ended_after_a_report(original, fleet, eventually)
    original.machine.boots()

    process = original.start("run")
    eventually(lambda: "host-rebooted" in fleet.codes())

    assert "waiting" not in original.said()
    assert {"host-down", "identity-duplicate"} & set(fleet.codes()) == set()
    assert ended_in(process) < 2


def test_a_reboot_after_a_crash_waits_until_the_boot_before_counts_as_down(
    original: HostAgent, fleet: Fleet, eventually: Eventually
) -> None:
    process = original.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    process.send_signal(signal.SIGKILL)
    process.wait()
    original.machine.boots()

    process = original.start("run")
    eventually(lambda: "host-rebooted" in fleet.codes())

    assert original.said().count(f"waiting for up to {DOWN_AFTER} s until boot ") == 1
    assert "reports are stored again" in original.said()
    assert fleet.codes().count("host-up") == 1
    assert "identity-duplicate" not in fleet.codes()
    assert ended_in(process) < 2


def test_a_restart_after_a_crash_waits_for_nobody(original: HostAgent, fleet: Fleet, eventually: Eventually) -> None:
    process = original.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    process.send_signal(signal.SIGKILL)
    process.wait()
    beaten = fleet.beats()

    process = original.start("run")
    eventually(lambda: fleet.beats() > beaten)

    assert "waiting" not in original.said()
    assert ended_in(process) < 2


def test_a_provisioned_uuid_is_the_hosts(original: HostAgent, fleet: Fleet, eventually: Eventually) -> None:
    given = str(uuid.uuid4())
    (original.folder / "provisioned_uuid").write_text(f"{given}\n")

    ended_after_a_report(original, fleet, eventually)

    assert fleet.hosts() == [given]
    assert not (original.state / "host_uuid").exists()


def test_a_retired_host_is_told_once_stays_quiet_and_comes_back(
    original: HostAgent, fleet: Fleet, eventually: Eventually
) -> None:
    process = original.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))
    (known,) = map(str, fleet.hosts())

    retire(fleet.engine, known)
    eventually(lambda: state_of(original).get("retired"))
    kernels = fleet.kernels()
    original.machine.has_kernel("6.99")
    eventually(lambda: int(str(state_of(original)["report"]["failures"])) >= 3)  # type: ignore[index]
    assert fleet.kernels() == kernels
    assert fleet.services() == []
    assert original.said().count("is retired: ") == 1
    assert process.poll() is None

    retire(fleet.engine, known, undo=True)
    eventually(lambda: fleet.kernels() == ["6.99"])
    eventually(lambda: "reports are stored again" in original.said())
    eventually(lambda: {"host-retired", "host-restored", "kernel-changed"} <= set(fleet.codes()))
    assert not state_of(original)["retired"]
    assert ended_in(process) < 2


def ended_after_a_report(agent: HostAgent, fleet: Fleet, eventually: Eventually) -> None:
    reports = len(agent.said().split("registered as host"))
    process = agent.start("run")
    eventually(lambda: len(agent.said().split("registered as host")) > reports)
    eventually(lambda: (agent.state / "facts.json").exists())
    beaten = fleet.beats()
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]) and fleet.beats() > beaten)
    assert ended_in(process) < 2
