# SPDX-License-Identifier: Apache-2.0
"""The walls of the house stand: who may import whom, who may open a file, and what an import costs."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
LIBRARY = TOP / "os_capability"

OPENER = LIBRARY / "linux" / "host_root.py"
STARTER = LIBRARY / "command.py"
# These write files for a person, or read those that a person names; the observed machine they leave to the library.
WRITERS = {LIBRARY / "capture.py", LIBRARY / "cli.py", LIBRARY / "output_file.py", LIBRARY / "roots.py"}

FILE_MODULES = {
    "codecs",
    "fileinput",
    "glob",
    "linecache",
    "mmap",
    "pathlib",
    "shutil",
    "tarfile",
    "tempfile",
    "zipfile",
}
FILE_METHODS = {"iterdir", "open", "read_bytes", "read_text", "rglob", "write_bytes", "write_text"}
FILE_NAMES = {
    *("builtins.open", "io.FileIO", "io.open", "open"),
    *(
        f"os.{name}"
        for name in ("access", "fdopen", "fwalk", "listdir", "lstat", "open", "readlink", "scandir", "stat", "walk")
    ),
    *(
        f"os.path.{name}"
        for name in ("exists", "getsize", "isdir", "isfile", "islink", "ismount", "lexists", "realpath")
    ),
}
PROCESS_MODULES = {"multiprocessing", "pty", "subprocess"}
PROCESS_NAMES = ("os.exec", "os.fork", "os.popen", "os.posix_spawn", "os.spawn", "os.startfile", "os.system")


class Violations(ast.NodeVisitor):
    """Collects where a source opens files or starts processes, through whatever names it imported."""

    def __init__(self, *, files: bool, processes: bool) -> None:
        self._files, self._processes = files, processes
        self._imported: dict[str, str] = {}
        self.found: list[str] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            self._check_module(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module is not None and node.level == 0:
            self._check_module(node.module, node)
            for alias in node.names:
                self._imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                self._check_name(f"{node.module}.{alias.name}", node)

    def visit_Name(self, node: ast.Name) -> None:
        self._check_name(self._imported.get(node.id, node.id), node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = self._dotted(node)
        if dotted is not None:
            self._check_name(dotted, node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if self._files and isinstance(node.func, ast.Attribute) and node.func.attr in FILE_METHODS:
            self._report(f".{node.func.attr}()", node)
        self.generic_visit(node)

    def _dotted(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return self._imported.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and (above := self._dotted(node.value)) is not None:
            return f"{above}.{node.attr}"
        return None

    def _check_module(self, name: str, node: ast.stmt) -> None:
        top = name.partition(".")[0]
        if (self._files and top in FILE_MODULES) or (self._processes and top in PROCESS_MODULES):
            self._report(f"import {name}", node)

    def _check_name(self, name: str, node: ast.expr | ast.stmt) -> None:
        if (self._files and name in FILE_NAMES) or (self._processes and name.startswith(PROCESS_NAMES)):
            self._report(name, node)

    def _report(self, what: str, node: ast.expr | ast.stmt) -> None:
        self.found.append(f"line {node.lineno}: {what}")


def violations(source: str, *, files: bool = True, processes: bool = True) -> list[str]:
    visitor = Violations(files=files, processes=processes)
    visitor.visit(ast.parse(source))
    return visitor.found


def library_sources() -> Iterator[Path]:
    return (path for path in sorted(LIBRARY.rglob("*.py")) if path not in WRITERS)


class TestOneOpenerAndOneStarter:
    def test_only_host_root_opens_files_of_the_machine(self) -> None:
        found = {
            str(path.relative_to(TOP)): lines
            for path in library_sources()
            if path not in (OPENER, STARTER) and (lines := violations(path.read_text(), processes=False))
        }
        assert found == {}

    def test_command_only_looks_for_the_program(self) -> None:
        names = {line.partition(": ")[2] for line in violations(STARTER.read_text(), processes=False)}
        assert names <= {"os.access", "os.path.isfile"}

    def test_only_command_starts_processes(self) -> None:
        found = {
            str(path.relative_to(TOP)): lines
            for path in sorted(LIBRARY.rglob("*.py"))
            if path != STARTER and (lines := violations(path.read_text(), files=False))
        }
        assert found == {}

    def test_the_two_exceptions_are_where_they_are_said_to_be(self) -> None:
        assert violations(OPENER.read_text(), processes=False)
        assert violations(STARTER.read_text(), files=False)

    @pytest.mark.parametrize(
        "snippet",
        [
            "text = open('/proc/meminfo').read()",
            "with open(path) as file: pass",
            "reader = open",
            "import builtins; builtins.open('x')",
            "import os; os.open('x', 0)",
            "import os as system; system.listdir('/sys')",
            "import os.path; os.path.exists('/sys')",
            "from os import scandir",
            "from os import stat as look",
            "from os.path import isdir",
            "import io; io.open('x')",
            "from pathlib import Path",
            "root.joinpath('proc').read_text()",
            "root.open()",
            "def parse(): import glob",
            "import subprocess",
            "from subprocess import run",
            "import os; os.system('lscpu')",
            "import os; os.popen('lscpu')",
            "import os; os.spawnvp(0, 'lscpu', [])",
            "import os; os.execv('x', [])",
            "from os import posix_spawn",
        ],
    )
    def test_the_check_can_fail(self, snippet: str) -> None:
        assert violations(snippet)

    @pytest.mark.parametrize(
        "snippet",
        [
            "text = root.read('proc/meminfo')",
            "import os; os.uname(); os.sched_getaffinity(0); os.path.join('a', 'b')",
            "import json; json.loads(text)",
            "from os_capability.command import run; run('lscpu', [])",
        ],
    )
    def test_the_check_can_pass(self, snippet: str) -> None:
        assert not violations(snippet)


def test_the_import_contracts_are_kept() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    if program is None:
        pytest.skip("lint-imports is not installed (the extra `lint`)")
    done = subprocess.run([program, "--no-cache"], cwd=TOP, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


IMPORT_UNDER_WATCH = """
import json, sys
touched = []
watched = {"open", "os.listdir", "os.scandir", "os.system", "os.posix_spawn", "socket.connect", "subprocess.Popen"}
sys.addaudithook(lambda event, args: touched.append((event, str(args[0]))) if event in watched else None)
sys.path.insert(0, sys.argv[1])
__import__(sys.argv[2])
origins = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
print(json.dumps({"touched": touched, "origins": [origin for origin in origins if origin]}))
"""


class TestImport:
    @pytest.mark.parametrize(
        "module",
        [
            *("os_capability", "os_capability.cli", "os_capability.command"),
            *(f"os_capability.{path.parent.name}.driver" for path in sorted(LIBRARY.glob("*/driver.py"))),
        ],
    )
    def test_it_loads_the_standard_library_alone_and_looks_at_nothing(self, module: str) -> None:
        argv = [sys.executable, "-I", "-S", "-B", "-c", IMPORT_UNDER_WATCH, str(TOP), module]
        done = subprocess.run(argv, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        own = (str(LIBRARY), str(Path(ast.__file__).parent))  # the library and Python's own
        assert [origin for origin in seen["origins"] if not origin.startswith(own)] == []
        assert [touch for touch in seen["touched"] if not touch[1].startswith(own) and touch[1] != str(TOP)] == []

    def test_it_leaves_the_daemons_world_alone(self) -> None:
        code = "import sys, os_capability.cli; print(*{name.partition('.')[0] for name in sys.modules})"
        done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, encoding="utf-8")
        assert "os_capability" in done.stdout.split(), done.stderr
        assert {"alembic", "apscheduler", "host_agent", "oslo_config", "sqlalchemy", "yaml"}.isdisjoint(
            done.stdout.split()
        )


@pytest.mark.parametrize("folder", ["os_capability", "os_capability/linux", "host_agent", "host_agent/store"])
def test_the_page_says_where_every_module_belongs(folder: str) -> None:
    table = re.findall(r"^\| .+ \|$", (TOP / "docs" / "architecture.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", " ".join(table)))))
    modules = {path.stem for path in (TOP / folder).glob("*.py") if not path.stem.startswith("__")}
    assert modules
    assert sorted(modules - named) == []
