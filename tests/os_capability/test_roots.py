# SPDX-License-Identifier: Apache-2.0
"""The machines a person names: folders, archives and documents, from files and from pipes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from os_capability import Host, InvalidRoot, collect
from os_capability.roots import read_host
from tests.os_capability.conftest import HOSTS, SOURCE_TREE, Run

ROOT = str(HOSTS / "x86_64-offline-cpus" / "root")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "machine.json"
    path.write_text(json.dumps(collect(ROOT, "sysfs").to_dict(), indent=2))
    return path


@pytest.mark.parametrize("command", ["show", "topology", "check", "traits", "fit"])
def test_every_command_takes_a_document_for_the_machine(os_capability: Run, document: Path, command: str) -> None:
    arguments = ["fit", "--vcpus", "2"] if command == "fit" else [command]
    by_document = os_capability(*arguments, "--root", str(document))
    by_folder = os_capability(*arguments, "--root", ROOT, "--source", "sysfs")
    assert by_document.stderr == ""
    assert (by_document.stdout, by_document.returncode) == (by_folder.stdout, by_folder.returncode)


def test_a_document_comes_from_standard_input(document: Path) -> None:
    command = [sys.executable, "-m", "os_capability", "diff", "-", ROOT]
    with document.open() as given:
        done = subprocess.run(command, stdin=given, cwd=SOURCE_TREE, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("nothing changed\n", "", 0)


def test_a_document_comes_through_a_pipe(document: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(document.read_bytes()))
    writer.start()
    found = read_host(str(pipe))
    writer.join()
    assert isinstance(found, Host)
    assert found.cpu == collect(ROOT, "sysfs").cpu


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no machine's folder, document or tar archive"),
        (b"root:x:0:0\n", "no machine's folder, document or tar archive"),
        (b"{", "no document of a machine: Expecting property name"),
        (b"{}", "no document of a machine: document key schema: expected 'os-capability/1'"),
        (b'{"schema": "os-capability/1"}', "no document of a machine: document key collected_at: is absent"),
        (b"[" * 100_000, "no machine's folder"),
        (b'{"a":' * 100_000, "no document of a machine: "),
    ],
)
def test_what_is_none_is_named_with_its_file_and_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(InvalidRoot) as caught:
        read_host(str(path))
    assert str(caught.value).startswith(f"{path}: {reason}")


def test_nothing_at_all_is_said_so() -> None:
    with pytest.raises(InvalidRoot, match=r"^/dev/null: is empty"):
        read_host("/dev/null")


def test_a_document_is_not_asked_by_a_source(document: Path) -> None:
    with pytest.raises(InvalidRoot, match="is no machine that lscpu could be asked about"):
        read_host(str(document), "lscpu")


def test_an_older_document_reads_without_what_it_did_not_tell(document: Path) -> None:
    older = json.loads(document.read_text())
    for key in ("container", "view_evidence"):
        del older["system"][key]
    del older["pci"], older["cpu"]["microcode"]
    document.write_text(json.dumps(older))
    found = read_host(str(document))
    assert (found.pci, found.cpu.microcode, found.system.container) == (None, None, None)


def test_an_archive_is_named_and_not_the_folder_it_was_unpacked_to(tmp_path: Path) -> None:
    machine, archive = tmp_path / "machine", str(tmp_path / "machine.tar")
    shutil.copytree(ROOT, machine, symlinks=True)
    (machine / "proc/loadavg").write_text("much\n")
    with tarfile.open(archive, "w") as tar:
        tar.add(machine, "machine")
    messages = [warning.message for warning in read_host(archive, "sysfs").warnings]
    assert [message for message in messages if message.startswith(f"{archive}/proc/loadavg")]
    with tarfile.open(archive, "w") as tar:
        tar.add(machine / "proc/loadavg", "elsewhere/loadavg")
    with pytest.raises(InvalidRoot, match=re.escape(f"{archive}: holds neither")):
        read_host(archive)
