# SPDX-License-Identifier: Apache-2.0
"""The command, as a real process: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Literal

import pytest
import yaml

import os_capability as library
from tests.os_capability.conftest import HOSTS, SOURCE_TREE, Run


def can_unshare() -> bool:
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([tool, "-m", "true"], capture_output=True).returncode == 0


needs_mounts = pytest.mark.skipif(not can_unshare(), reason="hiding a file of the live machine needs root and unshare")


class TestShow:
    """What a person and a program get."""

    def test_the_table_is_the_default_and_shows_this_machine(self, os_capability: Run) -> None:
        done = os_capability("show")
        host = library.collect()
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{host.cpu.threads} CPU" in done.stdout
        assert "\x1b" not in done.stdout

    def test_json_is_the_document(self, os_capability: Run, machine: Path) -> None:
        done = os_capability("show", "-f", "json", "--root", str(machine), "--source", "sysfs")
        document = json.loads(done.stdout)
        assert document["schema"] == "os-capability/1"
        expected = library.collect(str(machine), "sysfs").to_dict()
        assert {**document, "collected_at": None} == {**expected, "collected_at": None}

    def test_yaml_is_the_same_document(self, os_capability: Run, machine: Path) -> None:
        as_json = json.loads(os_capability("show", "-f", "json", "--root", str(machine)).stdout)
        as_yaml = yaml.safe_load(os_capability("show", "-f", "yaml", "--root", str(machine)).stdout)
        assert {**as_yaml, "collected_at": None} == {**as_json, "collected_at": None}

    def test_without_pyyaml_it_says_what_to_install(self, machine: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-S", "-m", "os_capability", "show", "-f", "yaml", "--root", str(machine)],
            cwd=SOURCE_TREE,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("os-capability: -f yaml needs PyYAML: pip install 'os-capability[yaml]'")

    def test_fields_are_chosen_by_dotted_names(self, os_capability: Run, machine: Path) -> None:
        arguments = (
            "show",
            "--root",
            str(machine),
            "-c",
            "cpu.online",
            "-c",
            "numa.nodes.id",
            "-c",
            "memory.total_bytes",
        )
        host = library.collect(str(machine), "sysfs")
        assert json.loads(os_capability(*arguments, "-f", "json").stdout) == {
            "cpu.online": str(host.cpu.online),
            "numa.nodes.id": [node.id for node in host.numa.nodes],
            "memory.total_bytes": host.memory.total_bytes,
        }
        assert f"cpu.online          {host.cpu.online}\n" in os_capability(*arguments).stdout

    @pytest.mark.parametrize("field", ["cpu.colour", "colour", "cpu.threads.more", "numa.nodes.colour"])
    def test_an_unknown_field_names_those_there_are(self, os_capability: Run, machine: Path, field: str) -> None:
        done = os_capability("show", "--root", str(machine), "-f", "json", "-c", field)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"os-capability: no field {field!r}: ")
        assert done.stderr.count("\n") == 1

    def test_help_and_version_need_no_machine(self, os_capability: Run) -> None:
        assert "show" in os_capability("--help").stdout
        assert os_capability("--version").stdout == f"os-capability {library.__version__}\n"

    @pytest.mark.parametrize(
        ("arguments", "names"),
        [((), "COMMAND"), (("show", "-f", "xml"), "'xml'"), (("show", "--source", "lshw"), "'lshw'")],
    )
    def test_wrong_usage_is_one_line_that_names_it(
        self, os_capability: Run, arguments: tuple[str, ...], names: str
    ) -> None:
        done = os_capability(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert names in done.stderr
        assert done.stderr.count("\n") == 1


class TestRoot:
    """Machines captured under a folder, or in an archive."""

    @pytest.mark.parametrize(("kind", "wrapped"), [("gz", False), ("xz", True)])
    def test_an_archive_is_as_good_as_its_folder(
        self, os_capability: Run, machine: Path, tmp_path: Path, kind: Literal["gz", "xz"], wrapped: bool
    ) -> None:
        archive = tmp_path / f"machine.tar.{kind}"
        with tarfile.open(archive, "w:gz" if kind == "gz" else "w:xz") as packed:
            packed.add(machine, "captured" if wrapped else ".")
        from_archive = json.loads(os_capability("show", "-f", "json", "--root", str(archive)).stdout)
        from_folder = json.loads(os_capability("show", "-f", "json", "--root", str(machine)).stdout)
        assert {**from_archive, "collected_at": None} == {**from_folder, "collected_at": None}

    def test_nothing_of_an_archive_stays_behind(self, os_capability: Run, machine: Path, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "machine.tar", "w") as packed:
            packed.add(machine, ".")
        (tmp_path / "tmp").mkdir()
        assert (
            os_capability("show", "--root", str(tmp_path / "machine.tar"), TMPDIR=str(tmp_path / "tmp")).returncode == 0
        )
        assert list((tmp_path / "tmp").iterdir()) == []

    def test_an_archive_that_would_write_elsewhere_is_refused(self, os_capability: Run, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "evil.tar", "w") as packed:
            packed.add(HOSTS / "README.md", "../outside")
        done = os_capability("show", "--root", str(tmp_path / "evil.tar"))
        assert done.returncode == 2
        assert "evil.tar: holds '../outside', which leads out of it" in done.stderr
        assert not (tmp_path / "outside").exists()

    def test_an_archive_cannot_write_through_a_link_of_its_own(self, os_capability: Run, tmp_path: Path) -> None:
        link = tarfile.TarInfo("proc")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        with tarfile.open(tmp_path / "evil.tar", "w") as packed:
            packed.addfile(link)
            packed.add(HOSTS / "README.md", "proc/outside")
        done = os_capability("show", "--root", str(tmp_path / "evil.tar"))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert not (tmp_path / "outside").exists()

    @pytest.mark.parametrize(
        ("make", "says"),
        [
            pytest.param(lambda path: None, "no such directory", id="nothing there"),
            pytest.param(lambda path: path.mkdir(), "holds neither proc nor sys", id="an empty folder"),
            pytest.param(lambda path: path.write_text("x"), "no machine's folder, document", id="some file"),
        ],
    )
    def test_a_root_that_is_no_machine_is_wrong_usage(
        self, os_capability: Run, tmp_path: Path, make: object, says: str
    ) -> None:
        make(tmp_path / "root")  # type: ignore[operator]
        done = os_capability("show", "--root", str(tmp_path / "root"))
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
        assert str(tmp_path / "root") in done.stderr
        assert done.stderr.count("\n") == 1


class TestUnreadable:
    """A machine that cannot be read: exit 3 and one line that names the source."""

    def test_a_captured_machine_without_any_cpu(self, os_capability: Run, tmp_path: Path) -> None:
        (tmp_path / "proc").mkdir()
        done = os_capability("show", "--root", str(tmp_path))
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.count("\n") == 1

    @needs_mounts
    @pytest.mark.parametrize(
        ("hide", "name"),
        [
            pytest.param("mount --bind /dev/null /proc/meminfo", "/proc/meminfo", id="an empty meminfo"),
            pytest.param("mount --bind /dev/null /proc/cpuinfo", "/proc/cpuinfo", id="an empty cpuinfo"),
            pytest.param("mount -t tmpfs none /proc", "/proc/cpuinfo", id="no proc at all"),
            pytest.param("mount -t tmpfs none /sys", "/sys/devices/system/cpu", id="no sysfs at all"),
        ],
    )
    def test_a_live_machine_that_hides_a_file(self, os_capability: Run, hide: str, name: str) -> None:
        done = os_capability("show", before=("unshare", "-m", "sh", "-c", f'{hide} && exec "$@"', "sh"))
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith(f"os-capability: {name}: ")
        assert done.stderr.count("\n") == 1

    def test_an_explicit_lscpu_that_is_not_there(self, os_capability: Run, machine: Path, tmp_path: Path) -> None:
        done = os_capability("show", "--root", str(machine), "--source", "lscpu", PATH=str(tmp_path))
        assert (done.returncode, done.stderr) == (3, "os-capability: lscpu: not found on the PATH\n")


class TestWriting:
    """Where the answer goes."""

    def test_a_reader_that_stops_early_is_no_error(self, machine: Path) -> None:
        command = f"{sys.executable} -m os_capability show -f json --root {machine} | head -c 1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=SOURCE_TREE, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")

    def test_a_full_disk_is_said(self, machine: Path) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "os_capability", "show", "--root", str(machine)],
                cwd=SOURCE_TREE,
                # Without a buffer nothing is left to be written at the end.
                env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert done.returncode == 74
        assert done.stderr == "os-capability: the answer could not be written: No space left on device\n"

    @pytest.mark.parametrize(
        ("environment", "coloured"),
        [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    )
    def test_colour_is_for_terminals_that_want_it(
        self, machine: Path, environment: dict[str, str], coloured: bool
    ) -> None:
        assert ("\x1b[" in on_a_terminal(["show", "--root", str(machine)], environment)) == coloured


def on_a_terminal(arguments: list[str], environment: dict[str, str]) -> str:
    """Run the command on a pseudo-terminal and give what it drew."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "os_capability", *arguments],
        cwd=SOURCE_TREE,
        stdout=theirs,
        env={**clean, **environment},
    )
    os.close(theirs)
    drawn = b""
    try:
        while chunk := os.read(ours, 65536):
            drawn += chunk
    except OSError:  # EIO: the last writer has gone
        pass
    os.close(ours)
    assert process.wait() == 0
    return drawn.decode()


def test_an_answer_that_cannot_be_written_is_a_failure() -> None:
    command = f"{sys.executable} -m os_capability show --root {HOSTS / 'x86_64-plain' / 'root'} >&-"
    done = subprocess.run(["sh", "-c", command], cwd=SOURCE_TREE, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (74, 1)
    assert done.stderr.startswith("os-capability: the answer could not be written: ")


def test_no_answer_is_no_line(os_capability: Run) -> None:
    assert os_capability("traits", "--root", str(HOSTS / "riscv64-capacities" / "root")).stdout == ""
