# SPDX-License-Identifier: Apache-2.0
"""`host-agent`, typed: what it prints, where, and its exit code."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import os_capability
from tests.host_agent.process.conftest import Answer, HostAgent

MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations" / "versions"
REVISIONS = [path.name.partition("_")[0] for path in MIGRATIONS.glob("[0-9]*.py")]


def one_line(answer: Answer, code: int, *parts: str) -> None:
    """Assert that a command failed as a person wants it to: one line on stderr and nothing else."""
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("host-agent: ")
    assert answer.err.count("\n") == 1
    for part in parts:
        assert part in answer.err


def test_once_without_any_configuration_shows_this_machine_and_where_its_row_is(agent: HostAgent) -> None:
    shown = agent("once")

    facts = os_capability.collect()
    assert shown.code == 0
    assert shown.err == "".join(f"host-agent: {w.code}: {w.message}\n" for w in facts.warnings)
    assert f"  hypervisor_hostname     {socket.gethostname()}\n" in shown.out
    assert f"  vcpus                   {facts.cpu.threads}\n" in shown.out
    assert f"  mem_total_kb            {(facts.memory.total_bytes or 0) // 1024}  (" in shown.out
    assert shown.out.count("\nnot measured yet: ") == 1
    uuid = (agent.state / "host_uuid").read_text().strip()
    assert shown.out.endswith(f"stored in sqlite:///{agent.database}, table compute_host, uuid {uuid}\n")
    assert agent.state.stat().st_mode & 0o7777 == 0o750
    assert "\x1b" not in shown.out


def test_once_as_json_is_the_row_with_its_documents_decoded(agent: HostAgent, captured: Path) -> None:
    row = json.loads(agent("once", "-f", "json").out)

    assert row["hypervisor_hostname"] == row["host"] == "x86-64-two-sockets"
    assert row["facts"]["schema"] == "os-capability/1"
    assert [node["id"] for node in row["numa_topology"]["nodes"]] == [0, 1]
    assert row["memory_mb"] == row["facts"]["memory"]["total_bytes"] // 1024**2
    assert (row["vcpus_used"], row["usage"]["workloads"]) == (0, [])
    assert row["deleted"] == 0
    assert row["updated_at"].endswith("Z")


def test_once_again_is_the_same_row(agent: HostAgent, captured: Path) -> None:
    first, second = (json.loads(agent("once", "-f", "json").out) for _ in range(2))

    assert second["id"] == first["id"]
    assert second["created_at"] == first["created_at"]


def test_once_does_not_keep_the_next_boot_waiting(agent: HostAgent, captured: Path) -> None:
    first = json.loads(agent("once", "-f", "json").out)
    agent.machine.boots()

    second = agent("once", "-f", "json")

    assert second.code == 0, second.err
    assert json.loads(second.out)["boot_id"] != first["boot_id"]


def test_racing_first_starts_agree_on_one_uuid(agent: HostAgent, captured: Path) -> None:
    for process in [agent.start("once") for _ in range(4)]:
        assert process.wait(timeout=30) == 0, agent.said()

    assert agent("hosts", "list").out.count("\n") == 2
    assert [path.name for path in agent.state.iterdir() if path.name.startswith(".")] == []


def test_a_container_warns_in_one_line_and_is_stored_all_the_same(agent: HostAgent, captured: Path) -> None:
    (captured / "run" / "systemd").mkdir(parents=True)
    (captured / "run" / "systemd" / "container").write_text("podman")

    shown = agent("once", "-f", "json")

    assert shown.code == 0
    assert shown.err.count("\n") == 1
    assert "the facts a container is shown" in shown.err
    assert json.loads(shown.out)["facts"]["system"]["view"] == "container"


def test_hosts_are_listed_and_shown_by_name_and_by_uuid(agent: HostAgent, captured: Path) -> None:
    one_line(agent("hosts", "show", "nobody"), 1, "'nobody'", "hosts list")
    assert agent("hosts", "list").out.splitlines()[1:] == []
    stored = json.loads(agent("once", "-f", "json").out)

    heading, line = agent("hosts", "list").out.splitlines()
    assert heading.split() == [
        *("HOST", "NAME", "STATE", "SEEN", "CPUS", "MEMORY", "NODES", "KERNEL", "UPDATED", "UUID")
    ]
    assert line.split()[0] == "x86-64-two-sockets"
    assert line.split()[-1] == stored["uuid"]
    for name in ("x86-64-two-sockets", stored["uuid"]):
        assert json.loads(agent("hosts", "show", name, "-f", "json").out) == stored
    assert "node 1" in agent("hosts", "show", stored["uuid"]).out


def test_the_schema_is_made_shown_and_checked(agent: HostAgent, captured: Path, database_url: str) -> None:
    agent.environment["OS_CAPABILITY_DATABASE_URL"] = database_url
    if database_url.startswith("sqlite"):  # which nobody made yet
        one_line(agent("db", "current"), 4, "there is no such file")
    else:
        assert agent("db", "current").out == "none\n"
        assert agent("db", "check").code == 1
        one_line(agent("once"), 4, "host-agent db upgrade")

    upgraded = agent("db", "upgrade")

    assert upgraded.code == 0
    steps = [line.split()[1] for line in upgraded.err.splitlines() if "waiting for" not in line]  # on a busy machine
    assert steps == sorted(REVISIONS)
    assert "from nothing to" in upgraded.out
    assert "already" in agent("db", "upgrade").out
    checked = agent("db", "check")
    assert (checked.code, checked.out) == (0, "")
    assert agent("once").code == 0


@pytest.mark.parametrize("place", ["before", "after"])
def test_global_options_stand_before_or_after_the_command(agent: HostAgent, place: str) -> None:
    (agent.folder / "agent.conf").write_text("[agent]\nsource = sysfs\n")
    options = ["--config-file", str(agent.folder / "agent.conf"), "--database-url", "sqlite:////x.sqlite"]

    shown = agent(*(options if place == "before" else []), "config", "show", *(options if place == "after" else []))

    assert f"[agent] source = sysfs  ({agent.folder}/agent.conf)\n" in shown.out
    assert "[database] url = sqlite:////x.sqlite  (--database-url)\n" in shown.out


def test_secrets_are_not_shown(agent: HostAgent) -> None:
    shown = agent("config", "show", OS_CAPABILITY_DATABASE_URL="postgresql+psycopg://me:s3cret@db/x?password=s3cret")

    assert "s3cret" not in shown.out
    assert "[database] url = postgresql+psycopg://me:***@db/x  ($OS_CAPABILITY_DATABASE_URL)\n" in shown.out


def test_bad_input_gets_one_line_and_its_exit_code(agent: HostAgent, captured: Path, tmp_path: Path) -> None:
    one_line(agent(), 2, "COMMAND")
    one_line(agent("once", "--frob"), 2, "--frob", "--help")
    one_line(agent("once", "-f", "xml"), 2, "'xml'", "json")
    one_line(agent("once", OS_CAPABILITY_AGENT__SOURCE="dmi"), 2, "OS_CAPABILITY_AGENT__SOURCE", "'dmi'", "sysfs")
    one_line(agent("once", "--config-file", str(tmp_path / "none")), 2, str(tmp_path / "none"))
    one_line(agent("once", OS_CAPABILITY_AGENT__ROOT=str(tmp_path)), 2, str(tmp_path))
    one_line(agent("once", OS_CAPABILITY_DEFAULT__STATE_PATH="/dev/null/x"), 2, "/dev/null/x", "state_path")
    one_line(agent("once", "--database-url", ""), 2, "--database-url")
    one_line(agent("once", "--database-url", "oracle://x"), 2, "postgresql")
    one_line(agent("once", "--database-url", "postgresql+psycopg://u:s3cret@127.0.0.1:1/x"), 4, "127.0.0.1")


def test_a_machine_without_cpus_is_exit_3_and_leaves_the_row_alone(agent: HostAgent, captured: Path) -> None:
    stored = json.loads(agent("once", "-f", "json").out)
    for folder in ("proc", "sys"):
        (captured / folder).rename(captured / f"no-{folder}")
        (captured / folder).mkdir()

    one_line(agent("once"), 3, "cpu")
    assert json.loads(agent("hosts", "show", stored["uuid"], "-f", "json").out) == stored


def test_a_reader_that_has_seen_enough_is_no_error(agent: HostAgent) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "host_agent", "config", "sample"],
        env=agent.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=10) == 0


def test_ctrl_c_is_quiet(agent: HostAgent, hung_lscpu: Path) -> None:
    process = agent.start("once")
    while not hung_lscpu.exists():
        assert process.poll() is None

    process.send_signal(2)

    assert process.wait(timeout=10) == 130
    assert agent.said() == ""


def test_long_work_says_what_it_waits_for(
    agent: HostAgent, hung_lscpu: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    agent.start("once")
    eventually(agent.said)

    assert agent.said() == "host-agent: reading this machine ...\n"


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["hosts", "--help"], ["hosts", "prune", "--help"], ["run", "--help"], ["status", "--help"]),
        *(["once", "--frob"], ["hosts", "list", "-f", "xml"], ["hosts", "prune", "--older-than", "30"]),
        *(["identity", "adopt"], ["db"], ["config", "shown"], []),
    ],
    ids=" ".join,
)
def test_help_and_wrong_usage_do_not_load_the_database_layer(arguments: list[str]) -> None:
    code = f"import sys, host_agent.cli as cli\ntry: cli.main({arguments})\nexcept SystemExit: print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True
    ).stdout.split()
    assert "host_agent.cli" in loaded

    assert {"sqlalchemy", "alembic", "oslo_config", "apscheduler", "os_capability"} & set(loaded) == set()


def test_the_version_is_the_librarys(agent: HostAgent) -> None:
    assert agent("--version").out == f"host-agent {os_capability.__version__}\n"


@pytest.mark.parametrize("command", [("config", "sample"), ("hosts", "list")])
def test_a_full_disk_is_said_in_one_line(agent: HostAgent, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "host_agent", *command],
            env=agent.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (
        74,
        "host-agent: the answer could not be written: No space left on device\n",
    )


def test_a_closed_standard_output_is_no_error(agent: HostAgent) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m host_agent hosts list >&-"],
        env=agent.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_once_says_what_the_facts_warn_of(agent: HostAgent, captured: Path, tmp_path: Path) -> None:
    answer = agent("once", PATH=str(tmp_path))
    assert answer.code == 0
    assert "host-agent: lscpu-unavailable: " in answer.err


def test_a_forged_revision_is_a_difference(agent: HostAgent, captured: Path) -> None:
    assert agent("once").code == 0
    with closing(sqlite3.connect(agent.database)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    checked = agent("db", "check")
    assert (checked.code, checked.out) == (1, f"revision: the database has 0001, the models {max(REVISIONS)}\n")


def test_an_at_sign_in_a_password_is_never_shown(agent: HostAgent) -> None:
    answer = agent("once", "--database-url", "postgresql+psycopg://u:se@cret@127.0.0.1/x")
    one_line(answer, 2, "%40")
    assert "cret" not in answer.err


def test_config_show_names_the_variable_that_gives_the_state_directory(agent: HostAgent) -> None:
    assert f"[DEFAULT] state_path = {agent.state}  ($STATE_DIRECTORY)\n" in agent("config", "show").out


def test_every_command_has_its_page(agent: HostAgent) -> None:
    families = {"hosts": ["list", "show", "events", "retire", "prune"], "db": ["upgrade", "current", "check"]}
    families |= {"identity": ["show", "reset", "adopt", "forget"], "config": ["sample", "show"]}
    for command in ("once", "run", "status", *families):
        assert f"    {command} " in agent("--help").out
        for words in ([command], *([command, word] for word in families.get(command, ()))):
            page = agent(*words, "--help")
            assert (page.code, page.err) == (0, "")
            assert page.out.startswith(f"usage: host-agent {' '.join(words)} "), page.out
