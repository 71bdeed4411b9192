# SPDX-License-Identifier: Apache-2.0
"""Who reads a machine how fast: the tables of docs/performance.md, every figure a ratio to ours of the same run.

Programs take turns (A B C A B C ...), so that whatever slows the machine down slows all of them. A peer that is not
installed is named as such, with what installs it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the invented machines stand with the tests

from tests.machines.big_server import big_server
from tests.machines.tree import write_tree

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
OURS = Path(sys.executable).parent / "os-capability"
SHAPES = ((64, 2), (256, 8), (1024, 16))
# Nobody waits for thirty rounds of a program that takes a second.
SLOW_SECONDS, SLOW_ROUNDS = 0.5, 5


class Peer(NamedTuple):
    """Something that reads a machine: its command, what to install where it is not there, and what it tells."""

    name: str
    command: list[str]
    install: str
    tells: str


# Each prints the seconds of its repeated calls, one a line.
IN_PROCESS = """
import statistics, sys, time
{setup}
{call}
for _ in range({repeat}):
    started = time.perf_counter()
    {call}
    print(time.perf_counter() - started)
"""
ZUN_SETUP = """
import warnings; warnings.simplefilter("ignore")
import zun.objects.numa
from zun.container.os_capability.linux.os_capability_linux import LinuxHost
def read():
    host = LinuxHost()
    topology = zun.objects.numa.NUMATopology()
    host.get_host_numa_topology(topology)
    return topology, host.get_host_mem()
"""
PSUTIL = "psutil.cpu_count(), psutil.cpu_count(False), psutil.virtual_memory(), psutil.swap_memory()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, metavar="FOLDER", help="the bin of the peers' environment")
    parser.add_argument("--rounds", type=int, default=31)
    asked = parser.parse_args()
    if not OURS.exists():
        sys.exit(f"{OURS} is not there: install the project into this environment first (make bench-peers)")
    tables = {
        "machine": [machine()],
        "show": list(table(show(asked.peers, asked.rounds), "whole process")),
        "collect": list(table(calls(asked.peers, asked.rounds), "in a running Python")),
        "scale": list(scale(asked.rounds)),
    }
    page = PAGE.read_text()
    for mark, lines in tables.items():
        text = "\n".join(lines)
        print(f"\n{text}")
        page = re.sub(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", rf"\g<1>{text}\n\g<2>", page, flags=re.DOTALL)
    PAGE.write_text(page)


def machine() -> str:
    import os_capability

    cpu = os_capability.collect().cpu
    return f"Measured with Python {sys.version.split()[0]} on a machine of {cpu.threads} CPUs ({cpu.model})."


def show(peers: Path, rounds: int) -> dict[str, tuple[Peer, list[float]]]:
    """Time whole processes on this machine, ours first."""
    python = str(peers / "python")
    programs = [
        Peer("os-capability show --source sysfs", [str(OURS), "show", "-f", "json", "--source", "sysfs"], "", "all"),
        Peer("os-capability show", [str(OURS), "show", "-f", "json"], "", "all, checked by lscpu"),
        Peer("python -I -c pass", [sys.executable, "-I", "-c", "pass"], "", "nothing"),
        Peer("lscpu -J", ["lscpu", "-J"], "util-linux", "CPUs, caches; no memory"),
        Peer("lstopo --no-io", lstopo(), "hwloc-nox", "CPUs, caches, nodes; offline CPUs left out"),
        Peer("psutil", [python, "-I", "-c", f"import psutil; {PSUTIL}"], "psutil", "two counts of CPUs, memory"),
        Peer("facter processors memory", ["facter", "--json", "processors", "memory"], "facter", "CPU count, memory"),
        Peer(
            "py-cpuinfo", [python, "-I", "-c", "import cpuinfo; cpuinfo.get_cpu_info_json()"], "py-cpuinfo", "one CPU"
        ),
        Peer(
            "Zun's os_capability",
            [python, "-I", "-c", f"{ZUN_SETUP}\nread()"],
            "zun and numactl",
            "CPUs by socket, memory",
        ),
        Peer(
            "ansible -m setup (hardware)",
            [str(peers / "ansible"), "localhost", "-m", "setup", "-a", "gather_subset=!all,hardware"],
            "ansible-core",
            "CPU counts, memory, disks",
        ),
    ]
    return in_turn(programs, rounds)


def calls(peers: Path, rounds: int) -> dict[str, tuple[Peer, list[float]]]:
    """Time calls inside running processes on this machine, ours first."""
    python = str(peers / "python")

    def program(executable: str, setup: str, call: str, repeat: int) -> list[str]:
        return [executable, "-I", "-c", IN_PROCESS.format(setup=setup, call=call, repeat=repeat)]

    ours = "import os_capability; host = os_capability.collect(source='sysfs')"
    asked = [
        Peer(
            "collect(source='sysfs')",
            program(sys.executable, ours, "os_capability.collect(source='sysfs')", rounds),
            "",
            "all",
        ),
        Peer(
            "collect()", program(sys.executable, ours, "os_capability.collect()", rounds), "", "all, checked by lscpu"
        ),
        Peer("refresh(host)", program(sys.executable, ours, "os_capability.refresh(host)", rounds), "", "what moves"),
        Peer("psutil", program(python, "import psutil", PSUTIL, rounds), "psutil", "two counts of CPUs, memory"),
        Peer(
            "Zun's os_capability",
            program(python, ZUN_SETUP, "read()", rounds),
            "zun and numactl",
            "CPUs by socket, memory",
        ),
        Peer("py-cpuinfo", program(python, "import cpuinfo", "cpuinfo.get_cpu_info()", 2), "py-cpuinfo", "one CPU"),
    ]
    found: dict[str, tuple[Peer, list[float]]] = {}
    for peer in asked:
        done = subprocess.run(peer.command, capture_output=True, text=True, check=False)
        found[peer.name] = peer, [float(line) for line in done.stdout.split()] if done.returncode == 0 else []
    return found


def scale(rounds: int) -> Iterator[str]:
    """Time whole processes on trees of more and more CPUs, as ratios to ours."""
    folder = Path(tempfile.mkdtemp(prefix="os-capability-bench-", dir=memory_folder()))
    yield "| | " + " | ".join(f"{cpus:,} CPUs, {nodes} nodes" for cpus, nodes in SHAPES) + " |"
    yield "|---" * (len(SHAPES) + 1) + "|"
    columns = []
    try:
        for cpus, nodes in SHAPES:
            root = folder / str(cpus)
            write_tree(big_server(cpus, nodes), root)
            columns.append(in_turn(list(on_tree(str(root))), max(5, rounds // 2)))
            shutil.rmtree(root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name in columns[0]:
        yield f"| {name} | " + " | ".join(ratio_text(column, name) for column in columns) + " |"


def on_tree(root: str) -> Iterator[Peer]:
    yield Peer(
        "os-capability show --source sysfs",
        [str(OURS), "show", "-f", "json", "--source", "sysfs", "--root", root],
        "",
        "",
    )
    yield Peer("lscpu -J", ["lscpu", "--sysroot", root, "-J"], "util-linux", "")
    yield Peer("lstopo --no-io", ["env", f"HWLOC_FSROOT={root}", *lstopo()], "hwloc-nox", "")


def lstopo() -> list[str]:
    return ["lstopo-no-graphics", "--no-io", "--of", "xml"]


def memory_folder() -> str | None:
    """Give a file system in memory where there is one: sysfs has no disk under it either."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def in_turn(programs: Iterable[Peer], rounds: int) -> dict[str, tuple[Peer, list[float]]]:
    """Time the programs in turn; one that is missing or fails has no times."""
    found: dict[str, tuple[Peer, list[float]]] = {peer.name: (peer, []) for peer in programs}
    first = {name: run(peer.command) for name, (peer, _) in found.items()}  # warms the page cache
    for round_number in range(rounds):
        for name, (peer, times) in found.items():
            warm = first[name]
            if warm is not None and (warm < SLOW_SECONDS or round_number < SLOW_ROUNDS):
                times.extend(filter(None, [run(peer.command)]))
    return found


def run(command: list[str]) -> float | None:
    started = time.perf_counter()
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
    except OSError:
        return None
    return time.perf_counter() - started if done.returncode == 0 else None


def table(found: Mapping[str, tuple[Peer, list[float]]], what: str) -> Iterator[str]:
    ours = next(iter(found))
    yield f"| {what} | x `{ours}` | what it tells |"
    yield "|---|---|---|"
    for name, (peer, _) in found.items():
        yield f"| {name} | {ratio_text(found, name)} | {peer.tells} |"


def ratio_text(found: Mapping[str, tuple[Peer, list[float]]], name: str) -> str:
    """Give how many times as long as the first one it took, the median against the median."""
    base = next(iter(found.values()))[1]
    peer, times = found[name]
    if not times:
        return f"not here (install {peer.install})" if peer.install else "failed"
    ratio = statistics.median(times) / statistics.median(base)
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2f}" if ratio < 0.1 else f"{ratio:.1f}"


if __name__ == "__main__":
    main()
