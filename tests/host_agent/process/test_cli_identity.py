# SPDX-License-Identifier: Apache-2.0
"""`host-agent identity`, and `once` under an identity that was lost, cloned, given or taken away."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from host_agent.state_lock import state_lock
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.test_cli import one_line

OTHER = "6b2c8a3e-0d56-4a3c-9b2e-2f1f5d0c9a11"


@pytest.fixture
def host_uuid_file(agent: HostAgent) -> Path:
    """Give the place for a provisioned uuid, which is this test's own."""
    path = agent.folder / "etc-host_uuid"
    agent.environment["OS_CAPABILITY_DEFAULT__HOST_UUID_FILE"] = str(path)
    return path


@pytest.fixture
def shared(agent: HostAgent) -> Path:
    """Give the file of a database outside of the state directory."""
    path = agent.folder / "fleet.sqlite"
    agent.environment["OS_CAPABILITY_DATABASE_URL"] = f"sqlite:///{path}"
    return path


def uuid_of(agent: HostAgent) -> str:
    return (agent.state / "host_uuid").read_text().strip()


def once(agent: HostAgent) -> str:
    """Report once and give the uuid of the row."""
    answer = agent("once", "-f", "json")
    assert answer.code == 0, answer.err
    return str(json.loads(answer.out)["uuid"])


def forget_the_state(agent: HostAgent) -> None:
    for path in agent.state.iterdir():
        path.unlink()


def codes(agent: HostAgent) -> list[str]:
    return [event["code"] for event in json.loads(agent("hosts", "events", "-f", "json").out)]


def test_show_makes_nothing_and_tells_everything(agent: HostAgent, captured: Path) -> None:
    one_line(agent("identity", "show"), 1, "no identity yet", str(agent.state))
    assert not agent.state.exists()
    uuid = once(agent)

    shown = agent("identity", "show")

    assert (shown.code, shown.err) == (0, "")
    assert f"uuid          {uuid}, from {agent.state}/host_uuid\n" in shown.out
    assert "host          x86-64-two-sockets, " in shown.out
    assert "machine       x86-64-two-sockets\n" in shown.out


def test_a_provisioned_uuid_is_the_hosts(agent: HostAgent, captured: Path, host_uuid_file: Path) -> None:
    host_uuid_file.write_text(f"{OTHER}\n")
    assert once(agent) == OTHER
    assert f"uuid          {OTHER}, from {host_uuid_file}\n" in agent("identity", "show").out
    one_line(agent("identity", "reset"), 2, str(host_uuid_file), "provisioned")


def test_reset_makes_a_host_of_its_own(agent: HostAgent, captured: Path, shared: Path) -> None:
    before = once(agent)

    answer = agent("identity", "reset")

    assert answer.code == 0
    after = uuid_of(agent)
    assert after != before
    assert after in answer.out
    assert "start the agent" in answer.out


def test_adopt_takes_a_uuid_that_is_given(agent: HostAgent, captured: Path) -> None:
    once(agent)
    answer = agent("identity", "adopt", OTHER.upper())
    assert answer.code == 0
    assert uuid_of(agent) == OTHER
    one_line(agent("identity", "adopt", "node-7"), 2, "'node-7'", "not a uuid")
    assert uuid_of(agent) == OTHER


def test_forget_leaves_an_image_without_identity(agent: HostAgent, captured: Path) -> None:
    before = once(agent)
    answer = agent("identity", "forget")
    assert answer.code == 0
    assert f"removed {agent.state}/host_uuid\n" in answer.out
    assert f"removed {agent.state}/os-capability.sqlite\n" in answer.out
    assert "nothing to forget" in agent("identity", "forget").out
    assert once(agent) != before


@pytest.mark.parametrize("command", [("reset",), ("adopt", OTHER), ("forget",)], ids=" ".join)
def test_nothing_is_changed_under_a_daemon_that_runs(
    agent: HostAgent, captured: Path, command: tuple[str, ...]
) -> None:
    before = once(agent)
    with state_lock(agent.state):
        one_line(agent("identity", *command), 2, "runs here already", "stop it first")
        assert once(agent) == before, "once is not in its way"
    assert uuid_of(agent) == before


def test_once_takes_the_lost_uuid_of_its_row_back(agent: HostAgent, captured: Path, shared: Path) -> None:
    before = once(agent)
    forget_the_state(agent)
    assert once(agent) == before
    assert uuid_of(agent) == before
    assert "identity-adopted" in codes(agent)


def test_once_does_not_guess_who_it_is(agent: HostAgent, captured: Path, shared: Path) -> None:
    before = once(agent)
    forget_the_state(agent)
    (captured / "etc/machine-id").write_text("f" * 32 + "\n")
    one_line(agent("once"), 4, f"host-agent identity adopt {before}", "identity reset")

    assert agent("identity", "adopt", before).code == 0
    assert once(agent) == before


def test_once_is_refused_where_another_boot_is_alive(agent: HostAgent, captured: Path, shared: Path) -> None:
    before = once(agent)
    with closing(sqlite3.connect(shared)) as database, database:
        database.execute("UPDATE services SET boot_id = '99999999-2222-4333-8444-555555555555'")
    one_line(agent("once"), 4, before, "alive elsewhere", "host-agent identity reset")
    with closing(sqlite3.connect(shared)) as database, database:
        database.execute("UPDATE services SET boot_id = NULL")  # it stopped in order
    assert once(agent) == before


def test_once_is_refused_where_the_host_is_retired(agent: HostAgent, captured: Path) -> None:
    before = once(agent)
    assert agent("hosts", "retire", before).code == 0
    one_line(agent("once"), 4, "retired", f"host-agent hosts retire --undo {before}")
    assert agent("hosts", "retire", "--undo", before).code == 0
    assert once(agent) == before


def test_once_tells_of_a_uuid_that_was_given(agent: HostAgent, captured: Path, shared: Path) -> None:
    before = once(agent)
    assert agent("identity", "reset").code == 0
    with closing(sqlite3.connect(shared)) as database, database:
        database.execute("DELETE FROM services")  # the name is free
    after = once(agent)
    events = json.loads(agent("hosts", "events", after, "-f", "json").out)
    reset = [event for event in events if event["code"] == "identity-reset"]
    assert len(reset) == 1
    assert before in json.dumps(reset)
