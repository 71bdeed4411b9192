# SPDX-License-Identifier: Apache-2.0
"""`os-capability diff` as a real process: documents, folders, archives and this machine."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from os_capability import Host, collect
from tests.os_capability.conftest import HOSTS, Run
from tests.os_capability.test_cli import on_a_terminal

TWO_SOCKETS = HOSTS / "x86_64-two-sockets" / "root"


@pytest.fixture
def machines(machine: Path, tmp_path: Path) -> dict[str, str]:
    """Give one machine as a folder, an archive and a document."""
    archive, document = tmp_path / "machine.tar.gz", tmp_path / "machine.json"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(machine, ".")
    document.write_text(json.dumps(collect(str(machine)).to_dict()))
    return {"folder": str(machine), "archive": str(archive), "document": str(document)}


@pytest.mark.parametrize("old", ["folder", "archive", "document"])
@pytest.mark.parametrize("new", ["folder", "archive", "document"])
def test_one_machine_is_the_same_in_any_form(os_capability: Run, machines: dict[str, str], old: str, new: str) -> None:
    done = os_capability("diff", machines[old], machines[new])
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing changed\n", "")


def test_this_machine_has_not_changed_since_just_now(os_capability: Run, tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text(os_capability("show", "-f", "json").stdout)
    assert os_capability("diff", str(tmp_path / "before.json"), "/").stdout == "nothing changed\n"


def test_changes_are_lines_with_a_sign(os_capability: Run, machine: Path) -> None:
    old, new = collect(str(machine), "sysfs"), machine / "proc/sys/kernel/osrelease"
    before = machine.parent / "before.json"
    before.write_text(json.dumps(old.to_dict()))
    new.write_text("6.6.0-example\n")
    (machine / "proc/meminfo").write_text((machine / "proc/meminfo").read_text().replace("4194304", "8388608"))
    done = os_capability("diff", str(before), str(machine))
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == [
        "~ kernel 6.1.0-example -> 6.6.0-example",
        "+ the machine gained 4 GiB (4 GiB -> 8 GiB)",
    ]


def test_json_has_code_effect_message_and_detail(os_capability: Run, machine: Path, tmp_path: Path) -> None:
    document = json.loads(os_capability("show", "-f", "json", "--root", str(machine)).stdout)
    (tmp_path / "other.json").write_text(json.dumps({**document, "hostname": "other"}))
    done = os_capability("diff", "-f", "json", str(machine), str(tmp_path / "other.json"))
    name = Host.from_dict(document).hostname
    assert json.loads(done.stdout) == {
        "changes": [
            {
                "code": "hostname-changed",
                "effect": "changed",
                "message": f"hostname {name} -> other",
                "detail": {"old": name, "new": "other"},
            }
        ]
    }


@pytest.mark.parametrize(
    ("content", "exit_code", "says"),
    [
        (None, 2, "no such directory"),
        ("x", 2, "no machine's folder, document or tar archive"),
        ("{", 2, "no document of a machine: Expecting property name"),
        ('{"schema": "other/9"}', 2, "document key schema: expected 'os-capability/1'"),
    ],
)
def test_what_is_no_machine_is_said_in_one_line(
    os_capability: Run, tmp_path: Path, content: str | None, exit_code: int, says: str
) -> None:
    wrong = tmp_path / "wrong"
    if content is not None:
        wrong.write_text(content)
    done = os_capability("diff", str(TWO_SOCKETS), str(wrong))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (exit_code, "", 1)
    assert says in done.stderr


def test_both_machines_are_needed(os_capability: Run) -> None:
    done = os_capability("diff", str(TWO_SOCKETS))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "NEW" in done.stderr


def test_colour_is_for_terminals(machine: Path) -> None:
    drawn = on_a_terminal(["diff", str(machine), str(TWO_SOCKETS)], {"TERM": "xterm"})
    assert "\x1b[32m+ node 1 is new, with CPUs 2-3,6-7 and 4 GiB\x1b[0m" in drawn
    assert "\x1b[33m~ " in drawn
