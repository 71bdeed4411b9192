# SPDX-License-Identifier: Apache-2.0
"""``os-capability topology``, as a real process."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.os_capability.conftest import HOSTS, SOURCE_TREE, Run

HYBRID = str(HOSTS / "x86_64-hybrid" / "root")
FOUR_NODES = str(HOSTS / "x86_64-four-nodes-per-socket" / "root")
UTF8 = {"PYTHONIOENCODING": "utf-8"}


class TestText:
    def test_this_machine_is_drawn(self, os_capability: Run) -> None:
        done = os_capability("topology", **UTF8)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("┌ ")
        assert "\x1b" not in done.stdout

    @pytest.mark.parametrize(("arguments", "widest"), [((), 100), (("--width", "60"), 60), (("--width", "40"), 40)])
    def test_it_is_100_columns_wide_or_as_asked(
        self, os_capability: Run, arguments: tuple[str, ...], widest: int
    ) -> None:
        done = os_capability("topology", "--root", FOUR_NODES, *arguments, **UTF8)
        lengths = [len(line) for line in done.stdout.splitlines()]
        assert widest // 2 < max(lengths) <= widest

    @pytest.mark.parametrize(
        ("environment", "corner"),
        [
            ({"PYTHONIOENCODING": "utf-8"}, "┌"),
            ({"PYTHONIOENCODING": "ascii"}, "+"),
            ({"PYTHONIOENCODING": "latin-1"}, "+"),
            ({"LC_ALL": "C.UTF-8"}, "┌"),
            ({"LC_ALL": "C"}, "+"),
            ({"LC_ALL": "POSIX"}, "+"),
            ({"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}, "┌"),
        ],
    )
    def test_box_characters_are_for_readers_of_utf_8(self, environment: dict[str, str], corner: str) -> None:
        clean = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "PYTHONIOENCODING")}
        done = subprocess.run(
            [sys.executable, "-m", "os_capability", "topology", "--root", HYBRID],
            cwd=SOURCE_TREE,
            env={**clean, **environment},
            capture_output=True,
        )
        assert done.returncode == 0
        assert done.stdout.decode()[0] == corner
        assert done.stdout.isascii() == (corner == "+")

    def test_a_terminal_gives_its_width_and_takes_colours(self) -> None:
        drawn = on_a_terminal(["topology", "--root", FOUR_NODES], columns=64)
        plain = re.sub(r"\x1b\[\d+m", "", drawn)
        assert plain != drawn
        assert 32 < max(map(len, plain.splitlines())) <= 64

    @pytest.mark.parametrize("width", ["0", "39", "-5", "1001", "wide"])
    def test_a_width_that_cannot_be_is_wrong_usage(self, os_capability: Run, width: str) -> None:
        done = os_capability("topology", f"--width={width}")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "--width" in done.stderr


class TestSvg:
    def test_a_file_is_written_and_said(self, os_capability: Run, tmp_path: Path) -> None:
        path = tmp_path / "machine.svg"
        done = os_capability("topology", "--root", HYBRID, "--svg", str(path))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{path}: the machine drawn as SVG, ")
        assert done.stdout.count("\n") == 1
        assert ElementTree.parse(path).getroot().attrib["role"] == "img"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_dash_is_standard_output(self, os_capability: Run, tmp_path: Path) -> None:
        path = tmp_path / "machine.svg"
        os_capability("topology", "--root", HYBRID, "--svg", str(path))
        done = os_capability("topology", "--root", HYBRID, "--svg", "-", PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stdout) == (0, path.read_text())

    def test_an_error_leaves_the_old_file(self, os_capability: Run, tmp_path: Path) -> None:
        path = tmp_path / "machine.svg"
        path.write_text("the old one")
        done = os_capability("topology", "--root", str(tmp_path / "nowhere"), "--svg", str(path))
        assert done.returncode == 2
        assert path.read_text() == "the old one"

    @pytest.mark.parametrize("where", ["missing/machine.svg", "."])
    def test_where_nothing_can_be_written_is_said(self, os_capability: Run, tmp_path: Path, where: str) -> None:
        done = os_capability("topology", "--root", HYBRID, "--svg", str(tmp_path / where))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (74, "", 1)
        assert str(tmp_path / where) in done.stderr


def test_a_machine_that_is_none_is_wrong_usage(os_capability: Run, tmp_path: Path) -> None:
    done = os_capability("topology", "--root", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def on_a_terminal(arguments: list[str], *, columns: int) -> str:
    """Run the command on a pseudo-terminal of so many columns and give what it drew."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "os_capability", *arguments],
        cwd=SOURCE_TREE,
        stdout=theirs,
        env={**clean, **UTF8, "TERM": "xterm"},
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
