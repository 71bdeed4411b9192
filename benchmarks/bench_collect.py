# SPDX-License-Identifier: Apache-2.0
"""What `collect` and `refresh` cost inside a running process: on this machine, and on trees of 64, 256 and 1,024 CPUs.

PCI functions are timed by themselves, each one's share in microseconds.

The floor beside each figure is the bare opening, reading and closing of the same files, measured in the same run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the invented machines stand with the tests

from os_capability import Host, collect, refresh
from os_capability.linux.host_root import HostRoot
from os_capability.linux.readers.pci import read_pci
from os_capability.linux.sources import Sources
from tests.machines.big_server import big_server
from tests.machines.description import PciFunction
from tests.machines.tree import write_tree

SHAPES = ((64, 2), (256, 8), (1024, 16))
# In milliseconds, on the largest tree.
GOALS = {"collect": 60.0, "refresh": 2.0}
PCI_FUNCTIONS = 1024
# In microseconds for each function of this machine: a hundredth of what Zun takes with its child processes.
PCI_GOAL = 150.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=11)
    repeat = parser.parse_args().repeat
    print(f"in one process, median of {repeat}, --source sysfs, Python {sys.version.split()[0]}")
    print(f"{'':<26}{'':<9}{'ms':>9}{'files':>8}{'floor ms':>10}{'x floor':>9}")
    show("this machine", "/", repeat, goals={})
    folder = Path(tempfile.mkdtemp(prefix="os-capability-bench-", dir=memory_folder()))
    try:
        for cpus, nodes in SHAPES:
            root = folder / str(cpus)
            write_tree(big_server(cpus, nodes), root)
            show(f"{cpus:,} CPUs, {nodes} nodes", str(root), repeat, GOALS if cpus == SHAPES[-1][0] else {})
            shutil.rmtree(root)
        print(f"\n{'':<26}{'':<9}{'us each':>9}{'files':>8}{'floor us':>10}{'x floor':>9}")
        show_pci("this machine", "/", repeat, PCI_GOAL)
        write_tree(replace(big_server(8, 1), pci=pci_functions(PCI_FUNCTIONS)), folder / "pci")
        show_pci(f"{PCI_FUNCTIONS:,} PCI functions", str(folder / "pci"), repeat, goal=None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print()


def memory_folder() -> str | None:
    """Give a file system in memory where there is one: sysfs has no disk under it either."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def show(machine: str, root: str, repeat: int, goals: dict[str, float]) -> None:
    host: Host = collect(root, "sysfs")
    calls: dict[str, Callable[[], object]] = {
        "collect": lambda: collect(root, "sysfs"),
        "refresh": lambda: refresh(host, root),
    }
    for name, call in calls.items():
        files = opened(call)
        milliseconds, floor = median(call, repeat), median(lambda files=files: read_all(files), repeat)  # type: ignore[misc]
        goal = goals.get(name)
        met = "" if goal is None else f"  {'within' if milliseconds <= goal else 'OVER'} {goal:g} ms"
        ratio = milliseconds / floor
        print(f"{machine:<26}{name:<9}{milliseconds:>9.2f}{len(files):>8}{floor:>10.2f}{ratio:>9.1f}{met}")
        machine = ""


def pci_functions(count: int) -> tuple[PciFunction, ...]:
    """Give virtual functions of network adapters, 255 to an adapter."""
    adapter = PciFunction(address="", vendor="8086", product="159b", class_code="020000", node=0, driver="ice")
    addresses = [f"0000:{number // 256:02x}:{number // 8 % 32:02x}.{number % 8}" for number in range(count)]
    return tuple(
        replace(adapter, address=address, iommu_group=number, total_vfs=255, num_vfs=255)
        if number % 256 == 0
        else replace(adapter, address=address, iommu_group=number, physical_function=addresses[number // 256 * 256])
        for number, address in enumerate(addresses)
    )


def show_pci(machine: str, root: str, repeat: int, goal: float | None) -> None:
    def read() -> int:
        return len(read_pci(Sources(HostRoot(root))) or ())

    count = read()
    if not count:
        print(f"{machine:<26}pci      no PCI functions")
        return
    files = opened(read)
    microseconds, floor = (median(call, repeat) * 1e3 / count for call in (read, lambda: read_all(files)))
    met = "" if goal is None else f"  {'within' if microseconds <= goal else 'OVER'} {goal:g} us"
    print(f"{machine:<26}{'pci':<9}{microseconds:>9.1f}{len(files):>8}{floor:>10.1f}{microseconds / floor:>9.1f}{met}")


def median(call: Callable[[], object], repeat: int) -> float:
    """Give the median time of a call in milliseconds."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def opened(call: Callable[[], object]) -> list[str]:
    """Give the files that a call opens, relative openings resolved; only for counting, never while measuring."""
    paths: list[str] = []
    bare_open = os.open

    def noting_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = bare_open(path, flags, mode, dir_fd=dir_fd)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        return descriptor

    os.open = noting_open
    try:
        call()
    finally:
        os.open = bare_open
    return paths


def read_all(paths: Iterable[str]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.read(descriptor, 1 << 16)
        except OSError:
            pass  # a kernel attribute that does not apply here costs its opening all the same
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    main()
