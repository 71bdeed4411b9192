# SPDX-License-Identifier: Apache-2.0
"""Recorded answers of other systems: a folder for each machine, a file for each program, named after it.

Modelled on what people showed of such machines in public, cut down to what matters; names and uuids are made up.
"""

from __future__ import annotations

import re
from pathlib import Path

from os_capability.errors import MissingProgram

HERE = Path(__file__).resolve().parent
MACHINES = sorted(folder.parent for folder in HERE.glob("*/recorded/*/sysctl"))
MACS = [folder for folder in MACHINES if "darwin" in folder.parts]
FREEBSDS = [folder for folder in MACHINES if "freebsd" in folder.parts]

# macOS gives these to who asks for them by their names, and does not list them under ``hw``.
_UNLISTED = frozenset({"hw.machine", "hw.model"})
_ENTRY = re.compile(r"(?:dev|hw|kern|kstat|machdep|security|vfs|vm)\.\S+: ")


class RecordedPrograms:
    """Stands in for `os_capability.command.run`, with what a test changed in the answers."""

    def __init__(self, folder: Path) -> None:
        self.answers = {path.name: path.read_text() for path in folder.iterdir()}
        self.asked: list[str] = []

    def __call__(self, program: str, arguments: list[str], timeout_seconds: float) -> str:
        """Answer as the program did; of sysctl only the names asked for, and those below them."""
        name = Path(program).name
        self.asked.append(name)
        if name not in self.answers:
            raise MissingProgram(program, "not found")
        return _only(self.answers[name], arguments[1:]) if name == "sysctl" else self.answers[name]

    def change(self, program: str, old: str, new: str) -> None:
        """Let a program answer otherwise from now on."""
        assert old in self.answers[program], old
        self.answers[program] = self.answers[program].replace(old, new)


def _only(text: str, names: list[str]) -> str:
    kept: list[str] = []
    wanted = False
    for line in text.splitlines(keepends=True):
        if _ENTRY.match(line):
            name = line.partition(":")[0]
            below = () if name in _UNLISTED else names
            wanted = name in names or any(name.startswith(f"{asked}.") for asked in below)
        if wanted:
            kept.append(line)
    return "".join(kept)
