# SPDX-License-Identifier: Apache-2.0
"""Machines to put something wrong into: copies, of which each case changes one to three of the paths that are read."""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from os_capability import Host, OsCapabilityError
from os_capability.linux.driver import LinuxDriver
from os_capability.linux.recording import RecordingRoot
from tests.fuzz.examination import examine, examine_capture
from tests.fuzz.mutations import MUTATIONS, mutated

__all__ = ["Case", "Trees", "machines"]

HOSTS = Path(__file__).resolve().parents[1] / "hosts"
CORPUS = os.environ.get("OS_CAPABILITY_TEST_TREES")
# What the reader has no use for, and most of the files.
_UNREAD = re.compile(r"^(cpufreq|cpuidle|power|thermal_throttle)$")


class Case(NamedTuple):
    """The machine and the number of a case: with the seed they say what is wrong in it."""

    machine: str
    number: int

    def __str__(self) -> str:
        return f"{self.machine}:{self.number}"


def machines(roots: Sequence[Path] = ()) -> dict[str, Path]:
    """Give the machines by name: those under `roots`, else ours and those unpacked in OS_CAPABILITY_TEST_TREES."""
    if roots:
        return {root.name if root.name != "root" else root.parent.name: root for root in roots}
    found = {root.parent.name: root for root in sorted(HOSTS.glob("*/root"))}
    if CORPUS:
        found |= {root.name: root for root in sorted(Path(CORPUS).iterdir()) if root.is_dir()}
    return found


class Trees:
    """Copies of machines, made when they are first asked for; only the last one is kept."""

    def __init__(self, found: dict[str, Path], seed: int) -> None:
        self._found, self._seed = found, seed
        self._stack = ExitStack()
        self._name = ""
        self._root = Path()
        self._paths: dict[str, list[str]] = {}
        self._before: Host | None = None

    def close(self) -> None:
        """Remove the copy."""
        self._stack.close()

    def examine(self, case: Case) -> None:
        """Put something wrong into a machine and look at every answer.

        Raises:
            Exception: whatever should not have happened.
        """
        self._unpack(case.machine)
        chance = random.Random(f"{self._seed} {case}")
        with ExitStack() as wrong:
            for path, name in self._plan(chance):
                if os.path.lexists(self._root / path):
                    wrong.enter_context(mutated(self._root / path, MUTATIONS[name], chance))
            source = "auto" if chance.random() < 0.1 else "sysfs"
            examine(str(self._root), source, self._before)
            if chance.random() < 0.1:
                examine_capture(str(self._root))

    def described(self, case: Case) -> str:
        """Say what is wrong in a case, and how to make it again."""
        self._unpack(case.machine)
        plan = ", ".join(f"{path}: {name}" for path, name in self._plan(random.Random(f"{self._seed} {case}")))
        root = self._found[case.machine]
        return f"{plan}\npython -m tests.fuzz --seed {self._seed} --case '{case}' {root}"

    def _plan(self, chance: random.Random) -> list[tuple[str, str]]:
        kinds = sorted(self._paths)
        chosen = [chance.choice(self._paths[chance.choice(kinds)]) for _ in range(chance.choice((1, 1, 2, 3)))]
        return [(path, chance.choice(sorted(MUTATIONS))) for path in dict.fromkeys(chosen)]

    def _unpack(self, name: str) -> None:
        if name == self._name:
            return
        self._stack.close()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="os-capability-fuzz-", dir=memory))
        Path(folder).chmod(0o755)
        self._name, self._root = name, Path(folder) / "root"
        shutil.copytree(self._found[name], self._root, symlinks=True, ignore=_unread)
        self._paths = _by_kind(_asked(self._root))
        # Nothing is wrong yet. The capture also loads every module: nobody may not be allowed to read Python's own.
        examine_capture(str(self._root))
        self._before = examine(str(self._root), "auto", None)


def _unread(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if _UNREAD.match(name)}


def _asked(root: Path) -> list[str]:
    recorder = RecordingRoot(str(root))
    with suppress(OsCapabilityError):  # what it asked for until then will do
        LinuxDriver(recorder, "sysfs").collect()
    recording = recorder.recording()
    return [path for path in (*recording.texts, *recording.links, *recording.folders) if path not in ("proc", "sys")]


def _by_kind(paths: Sequence[str]) -> dict[str, list[str]]:
    """Group paths that differ in numbers only, so that a kind of file is as likely as another, however many it has."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(paths):
        kinds.setdefault(re.sub(r"[0-9a-f]*\d[0-9a-f]*", "N", path), []).append(path)
    return kinds
