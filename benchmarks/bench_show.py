# SPDX-License-Identifier: Apache-2.0
"""What `os-capability show` costs as a whole process, beside an empty Python, lscpu, psutil and py-cpuinfo.

Programs take turns (A B C A B C ...), so that whatever slows the machine down slows all of them; a ratio is the median
of the rounds' own ratios.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1] / "os_capability"
EMPTY = "python -I -c pass"
# Times the empty Python: what the project promises, and what it aims at.
LIMITS = {"auto": 9.0, "sysfs": 7.0}
GOAL = 6.0
CPUINFO = "py-cpuinfo"
# It sleeps a second to count the ticks of the processor; a few rounds show that.
CPUINFO_ROUNDS = 4
PYTHON_PEERS = {
    "psutil": ("psutil", "import psutil as p; p.cpu_count(), p.cpu_count(False), p.virtual_memory(), p.swap_memory()"),
    "cpuinfo": (CPUINFO, "import cpuinfo; cpuinfo.get_cpu_info_json()"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    # Bytecode is what an installed package has; where the environment forbids Python to write it, we must.
    compileall.compile_dir(LIBRARY, quiet=1)
    commands = {EMPTY: [sys.executable, "-I", "-c", "pass"]}
    for source in LIMITS:
        commands[f"show --source {source}"] = [find("os-capability"), "show", "-f", "json", "--source", source]
    commands |= peers()
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(rounds + 1):
        for name, command in commands.items():
            if name != CPUINFO or round_number < CPUINFO_ROUNDS:
                times[name].append(run(command))
    report({name: found[1:] for name, found in times.items()})  # the first round warms the page cache


def peers() -> dict[str, list[str]]:
    found = {} if shutil.which("lscpu") is None else {"lscpu -J": ["lscpu", "-J"]}
    for module, (name, code) in PYTHON_PEERS.items():
        if importlib.util.find_spec(module) is not None:
            found[name] = [sys.executable, "-I", "-c", code]
    return found


def find(program: str) -> str:
    """Give the path of a program of this Python's own environment."""
    beside = Path(sys.executable).parent / program
    if not beside.exists():
        sys.exit(f"{beside} is not there: install the project into this environment first (make bench)")
    return str(beside)


def run(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def ratio(times: dict[str, list[float]], name: str, base: str) -> float:
    return statistics.median(one / other for one, other in zip(times[name], times[base], strict=False))


def report(times: dict[str, list[float]]) -> None:
    print(
        f"whole processes, {len(times[EMPTY])} rounds in turn, {os.cpu_count()} CPUs, Python {sys.version.split()[0]}"
    )
    print(f"bytecode: os_capability compiled beforehand; the standard library {standard_library_bytecode()}")
    print(f"{'':<22}{'median ms':>10}{'best ms':>10}{'x python':>10}{'x lscpu':>10}")
    for name, found in times.items():
        beside_lscpu = f"{ratio(times, name, 'lscpu -J'):.1f}" if "lscpu -J" in times else "-"
        line = f"{name:<22}{statistics.median(found) * 1e3:>10.1f}{min(found) * 1e3:>10.1f}"
        line += f"{ratio(times, name, EMPTY):>10.1f}{beside_lscpu:>10}"
        limit = LIMITS.get(name.removeprefix("show --source "))
        print(line if limit is None else f"{line}  {verdict(ratio(times, name, EMPTY), limit)}")
    print()


def verdict(found: float, limit: float) -> str:
    reached = "and the goal" if found <= GOAL else "not the goal"
    return f"{'within' if found <= limit else 'OVER'} {limit:g}x, {reached} {GOAL:g}x"


def standard_library_bytecode() -> str:
    spec = importlib.util.find_spec("argparse")
    compiled = spec is not None and spec.cached is not None and Path(spec.cached).exists()
    return "has its own" if compiled else "has NONE: every import compiles, and every figure here is too high"


if __name__ == "__main__":
    main()
