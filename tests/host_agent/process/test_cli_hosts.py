# SPDX-License-Identifier: Apache-2.0
"""`host-agent hosts`: states, events, and how hosts leave the fleet."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from host_agent import store
from host_agent.event import Event
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.facts import machine, record, uuid
from tests.host_agent.process.conftest import Answer, HostAgent
from tests.host_agent.process.test_cli import one_line

BOOT = "11111111-2222-4333-8444-555555555555"


class Fleet:
    """Hosts in the agent's embedded database, written as their agents would."""

    def __init__(self, agent: HostAgent, engine: Engine) -> None:
        self.agent = agent
        self.engine = engine
        migrate.create(engine)

    def join(self, number: int) -> None:
        claim = store.Claim(
            uuid=uuid(number),
            is_new=False,
            host=f"node-{number}",
            hostname=f"node-{number}",
            machine_id=None,
            product_uuid=None,
            boot_id=BOOT,
            binary="nova-compute",
            topic="compute",
            down_after_seconds=60,
            sequence=1,
        )
        lease = store.register(self.engine, claim).lease
        store.upsert(self.engine, record(number), lease)

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.agent.database)) as database, database:
            database.execute(statement)

    def silence(self, number: int, days: int) -> None:
        """Make it so long ago that a host was heard of."""
        then = f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{days} days')"
        self.sql(f"UPDATE services SET last_seen_up = {then} WHERE host = 'node-{number}'")
        self.sql(f"UPDATE compute_host SET updated_at = {then} WHERE host = 'node-{number}'")

    def happen(self, number: int, *codes: str) -> None:
        """Let something happen each minute, the last a minute ago."""
        at = datetime.now(timezone.utc)
        minute = 60 * 1_000_000
        events = [
            Event(code=code, message=f"{code} of it", detail={"n": n}, at=at, boot_id=BOOT, sequence=n * minute)
            for n, code in enumerate(codes)
        ]
        store.add_events(
            self.engine,
            uuid(number),
            f"node-{number}",
            events,
            boot_id=BOOT,
            sequence=len(codes) * minute,
            max_age_days=90,
            max_per_host=1000,
        )

    def names(self, *options: str) -> list[str]:
        rows = json.loads(self.agent("hosts", "list", "-f", "json", *options).out)
        return [row["host"] for row in rows]


@pytest.fixture
def fleet(agent: HostAgent, opened: Callable[[str], Engine]) -> Fleet:
    agent.state.mkdir()
    return Fleet(agent, opened(f"sqlite:///{agent.database}"))


def states(answer: Answer) -> dict[str, list[str]]:
    """Give state and time of sight by host."""
    return {row[0]: row[2:4] for line in answer.out.splitlines()[1:] if (row := re.split("  +", line))}


def test_each_host_has_its_state_and_the_time_it_was_seen(fleet: Fleet) -> None:
    for number in range(1, 7):
        fleet.join(number)
    fleet.silence(2, days=3)
    fleet.sql("UPDATE compute_host SET updated_at = '2026-01-01 00:00:00.000000' WHERE host = 'node-3'")
    fleet.sql("UPDATE services SET disabled = 1, disabled_reason = 'a new disk' WHERE host = 'node-4'")
    fleet.sql("UPDATE services SET forced_down = 1 WHERE host = 'node-5'")
    assert fleet.agent("hosts", "retire", "node-6").code == 0

    listed = fleet.agent("hosts", "list")

    found = states(listed)
    assert {name: state for name, (state, _) in found.items()} == {
        "node-1": "up",
        "node-2": "down",
        "node-3": "stale",
        "node-4": "disabled",
        "node-5": "down",
    }
    assert found["node-2"][1] == "3 d ago"
    assert re.fullmatch(r"\d+ s ago", found["node-1"][1])
    assert listed.err == "host-agent: retired hosts left out: 1; --all shows them\n"
    everything = fleet.agent("hosts", "list", "--all")
    assert states(everything)["node-6"] == ["retired", "-"]
    assert everything.err == ""
    shown = fleet.agent("hosts", "show", "node-4").out
    assert "  state                   disabled\n  disabled_reason         a new disk\n" in shown


def test_programs_get_the_state_too(fleet: Fleet) -> None:
    fleet.join(1)
    (row,) = json.loads(fleet.agent("hosts", "list", "-f", "json").out)
    assert row["state"] == "up"
    assert row["last_seen_up"].endswith("Z")
    assert "now" not in row
    assert json.loads(fleet.agent("hosts", "show", "node-1", "-f", "json").out)["state"] == "up"


def test_a_retired_host_is_left_out_until_it_is_back(fleet: Fleet) -> None:
    for number in (1, 2):
        fleet.join(number)

    retired = fleet.agent("hosts", "retire", uuid(1))
    assert (retired.code, retired.err) == (0, "")
    assert retired.out == (
        f"host node-1 ({uuid(1)}) is retired: its reports are refused; `hosts retire --undo {uuid(1)}` takes it back\n"
    )
    assert "retired already" in fleet.agent("hosts", "retire", "node-1").out
    assert fleet.names() == ["node-2"]
    assert fleet.names("--all") == ["node-1", "node-2"]

    assert fleet.agent("hosts", "retire", "--undo", "node-1").out == f"host node-1 ({uuid(1)}) is back\n"
    assert "was not retired" in fleet.agent("hosts", "retire", "--undo", "node-1").out
    assert fleet.names() == ["node-1", "node-2"]
    events = fleet.agent("hosts", "events", "node-1").out
    assert [word for word in events.split() if word.startswith("host-re")] == [
        *("host-registered", "host-retired", "host-restored")
    ]
    one_line(fleet.agent("hosts", "retire", "nobody"), 1, "'nobody'")


def test_events_are_a_log_with_the_newest_last(fleet: Fleet) -> None:
    for number in (1, 2):
        fleet.join(number)
    fleet.happen(1, "memory-lost", "kernel-changed")
    fleet.happen(2, "cpus-offline")

    lines = fleet.agent("hosts", "events", "node-1").out.splitlines()

    assert [line.split("node-1")[1].split()[0] for line in lines] == [
        "memory-lost",
        "kernel-changed",
        "host-registered",
    ]
    assert re.fullmatch(
        r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ \(\d+ \w+ ago\)  node-1  memory-lost      memory-lost of it", lines[0]
    )
    everybodys = fleet.agent("hosts", "events").out
    assert everybodys.count("host-registered") == 2
    assert "cpus-offline" in everybodys


def test_events_can_be_asked_for_by_time_and_number(fleet: Fleet) -> None:
    fleet.join(1)
    fleet.happen(1, "memory-lost", "kernel-changed")
    fleet.sql("UPDATE events SET at = '2026-01-01 00:00:00.000000' WHERE code = 'memory-lost'")

    def codes(*options: str) -> list[str]:
        answer = fleet.agent("hosts", "events", "-f", "json", *options)
        assert answer.code == 0, answer.err
        return [event["code"] for event in json.loads(answer.out)]

    assert codes() == ["memory-lost", "kernel-changed", "host-registered"]
    assert codes("--since", "2h") == ["kernel-changed", "host-registered"]
    assert codes("--since", "2026-01-01T00:00:01Z") == ["kernel-changed", "host-registered"]
    assert codes("--since", "2026-01-01T01:00:00+01:00") == codes()
    assert codes("--since", "2025-12-31") == codes()
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
    assert codes("--since", tomorrow) == []

    newest = fleet.agent("hosts", "events", "--limit", "1", "-f", "json")
    (event,) = json.loads(newest.out)
    assert event["code"] == "host-registered"
    assert newest.err == "host-agent: older events left out; --limit 10 shows more\n"
    assert isinstance(event["detail"], dict)
    assert event["at"].endswith("Z")


def test_a_host_without_events_has_none_and_a_name_nobody_has_is_said(fleet: Fleet) -> None:
    none = fleet.agent("hosts", "events")
    assert (none.code, none.out, none.err) == (0, "", "")
    one_line(fleet.agent("hosts", "events", "nobody"), 1, "'nobody'")
    # One that was pruned may have left events, or not.
    assert fleet.agent("hosts", "events", uuid(99), "-f", "json").out == "[]\n"
    for since in ("yesterday", "3x", "", "99999999999d", "999999w"):
        one_line(fleet.agent("hosts", "events", "--since", since), 2, "is no time", "2h")
    one_line(fleet.agent("hosts", "events", "--limit", "0"), 2, "whole number from 1")


class TestPrune:
    """Two hosts of three are long gone."""

    @pytest.fixture(autouse=True)
    def hosts(self, fleet: Fleet) -> None:
        for number in (1, 2, 3):
            fleet.join(number)
        fleet.silence(1, days=40)
        fleet.silence(2, days=31)

    def test_a_dry_run_shows_and_removes_nothing(self, fleet: Fleet) -> None:
        answer = fleet.agent("hosts", "prune", "--older-than", "30d", "--dry-run")
        assert (answer.code, answer.err) == (0, "")
        lines = answer.out.splitlines()
        assert lines[0].split() == ["HOST", "NAME", "STATE", "SEEN", "UUID"]
        assert [re.split("  +", line)[0] for line in lines[1:3]] == ["node-1", "node-2"]
        assert "40 d ago" in lines[1]
        assert lines[3:] == ["2 hosts would be removed; nothing was"]
        assert len(fleet.names()) == 3

    def test_with_yes_they_go_and_are_named(self, fleet: Fleet) -> None:
        answer = fleet.agent("hosts", "prune", "--older-than", "30d", "--yes")
        assert (answer.code, answer.err) == (0, "")
        assert "node-1" in answer.out
        assert answer.out.endswith("\n2 hosts removed\n")
        assert fleet.names() == ["node-3"]
        again = fleet.agent("hosts", "prune", "--older-than", "30d", "--yes")
        assert (again.code, again.out) == (0, "no host was silent for so long\n")

    def test_where_nobody_can_be_asked_nothing_goes(self, fleet: Fleet) -> None:
        with open(os.devnull) as nobody:  # noqa: PTH123 - not a file
            done = subprocess.run(
                [sys.executable, "-m", "host_agent", "hosts", "prune", "--older-than", "30d"],
                env=fleet.agent.environment,
                stdin=nobody,
                capture_output=True,
                text=True,
            )
        one_line(Answer(done.returncode, done.stdout, done.stderr), 2, "--yes", "--dry-run")
        assert len(fleet.names()) == 3

    @pytest.mark.parametrize(("said", "code", "left"), [("y\n", 0, 1), ("n\n", 1, 3), ("\n", 1, 3), ("\x04", 1, 3)])
    def test_a_person_is_shown_which_and_asked(self, fleet: Fleet, said: str, code: int, left: int) -> None:
        answer, exit_code = on_a_terminal(fleet.agent, said, "hosts", "prune", "--older-than", "30d")
        assert exit_code == code, answer
        assert answer.index("node-2") < answer.index("remove them? [y/N]")
        assert ("2 hosts removed" if code == 0 else "nothing was removed") in answer
        assert len(fleet.names()) == left

    def test_an_age_at_which_hosts_are_alive_is_refused(self, fleet: Fleet) -> None:
        one_line(fleet.agent("hosts", "prune", "--older-than", "59s", "--yes"), 2, "alive", "down_after, which is 60 s")
        one_line(fleet.agent("hosts", "prune", "--yes"), 2, "--older-than")
        one_line(fleet.agent("hosts", "prune", "--older-than", "30", "--yes"), 2, "'30' is no age", "3d")
        assert len(fleet.names()) == 3

    def test_many_are_removed_page_by_page(self, fleet: Fleet) -> None:
        records = [record(number) for number in range(100, 550)]
        store.upsert_many(fleet.engine, records)
        fleet.sql("UPDATE compute_host SET updated_at = '2020-01-01 00:00:00.000000' WHERE service_id IS NULL")
        answer = fleet.agent("hosts", "prune", "--older-than", "8w", "--yes")
        assert answer.out.endswith("\n450 hosts removed\n")
        assert len(fleet.names()) == 3


def on_a_terminal(agent: HostAgent, said: str, *arguments: str) -> tuple[str, int]:
    """Run a command on a terminal of its own and answer its question; give all that stood there and the exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "host_agent", *arguments],
        env=agent.environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while b"[y/N]" not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, said.encode())
        try:
            while part := os.read(ours, 4096):
                seen += part
        except OSError:  # Linux says EIO where the other end was closed
            pass
        code = process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return seen.decode(), code


def test_a_state_has_its_colour_on_a_terminal_only(fleet: Fleet) -> None:
    fleet.join(1)
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "host_agent", "hosts", "list"],
        env=fleet.agent.environment | {"TERM": "xterm"},
        stdout=theirs,
        check=True,
    )
    os.close(theirs)
    assert b"\x1b[32mup" in os.read(ours, 65536)
    os.close(ours)
    assert "\x1b" not in fleet.agent("hosts", "list").out


@pytest.mark.parametrize(
    "command",
    [
        ("hosts", "list"),
        ("hosts", "show", "node-1"),
        ("hosts", "events"),
        ("hosts", "retire", "node-1"),
        ("hosts", "prune", "--older-than", "30d", "--yes"),
        ("db", "current"),
        ("db", "check"),
    ],
    ids=" ".join,
)
def test_a_mistyped_file_does_not_become_an_empty_database(agent: HostAgent, command: tuple[str, ...]) -> None:
    mistyped = agent.folder / "mistyped.sqlite"
    one_line(agent(*command, "--database-url", f"sqlite:///{mistyped}"), 4, str(mistyped), "there is no such file")
    assert not mistyped.exists()


def test_a_database_without_our_tables_is_said(agent: HostAgent) -> None:
    empty = agent.folder / "empty.sqlite"
    empty.touch()
    one_line(agent("hosts", "list", "--database-url", f"sqlite:///{empty}"), 4, "host-agent db upgrade")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_in_the_services_directory_is_the_services(agent: HostAgent, captured: Path) -> None:
    agent.state.mkdir()
    os.chown(agent.state, 4711, 4712)
    assert agent("once").code == 0
    owners = {path.name: path.stat().st_uid for path in agent.state.iterdir()}
    assert {"os-capability.sqlite", "host_uuid", "host_name"} <= owners.keys()
    assert set(owners.values()) == {4711}


def test_a_host_that_was_heard_of_again_in_the_meantime_stays(fleet: Fleet) -> None:
    fleet.join(1)
    fleet.silence(1, days=40)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "host_agent", "hosts", "prune", "--older-than", "30d"],
        env=fleet.agent.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    assert process.stderr is not None
    said = b""
    until = time.monotonic() + 20
    while b"[y/N]" not in said:
        assert time.monotonic() < until
        said += os.read(process.stderr.fileno(), 4096)
    store.upsert(fleet.engine, record(1, facts=machine(free_bytes=1), sequence=2))
    os.write(ours, b"y\n")
    out, _ = process.communicate(timeout=20)
    os.close(ours)

    assert process.returncode == 0
    assert out.decode().endswith("0 hosts removed; 1 were heard of again in the meantime\n")
    assert fleet.names() == ["node-1"]
