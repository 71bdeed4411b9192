# SPDX-License-Identifier: Apache-2.0
"""The kernel's own control groups, with processes of ours in groups that are named as engines name theirs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from host_agent.workloads.cgroup_hierarchies import find_hierarchies
from host_agent.workloads.cgroups import CgroupsEngine
from host_agent.workloads.engine import ANSWERED
from host_agent.workloads.libvirt import LibvirtEngine
from host_agent.workloads.workload import PAUSED, RUNNING, Workload, workload_uuid
from os_capability import CpuSet
from tests.beds import absent
from tests.engines.libvirtd import Libvirtd

MIB = 1 << 20
CONTAINER = f"{os.getpid():064x}"
OURS = f"os-capability-test-{os.getpid()}"
UNTIL_SECONDS = 10.0


@pytest.fixture(scope="module", autouse=True)
def trees() -> list[Path]:
    """Give the trees of control groups, in which groups of ours can be made."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        absent("control groups can be made by root on Linux")
    hierarchies = find_hierarchies("/")
    folders = [Path(folder) for folder in {*hierarchies.v1.values(), *filter(None, [hierarchies.v2])}]
    if not folders or hierarchies.part or not all(os.access(folder, os.W_OK) for folder in folders):
        absent("this machine shows no control groups that can be written")
    return folders


@pytest.fixture
def group(trees: Sequence[Path]) -> Iterator[str]:
    """Give a group named as a container of Docker's, of which there is nothing at the end."""
    with ExitStack() as stack:
        for tree in trees:
            stack.callback(remove, tree / OURS)
            (tree / OURS / CONTAINER).mkdir(parents=True)
            inherit(tree / OURS)
        yield f"{OURS}/{CONTAINER}"


@contextmanager
def process_in(trees: Sequence[Path], group: str, pid: int | None = None) -> Iterator[int]:
    """Move a process into a group, by default one that sleeps; it is moved out again."""
    with subprocess.Popen(["sleep", "600"]) as sleeping:
        moved = sleeping.pid if pid is None else pid
        try:
            for tree in trees:
                (tree / group / "cgroup.procs").write_text(str(moved))
            yield moved
        finally:
            freeze(trees, group, frozen=False)
            for tree in trees:
                (tree / "cgroup.procs").write_text(str(moved))
            sleeping.kill()


def inherit(folder: Path) -> None:
    """Give a group and the one below it their parent's CPUs, without which v1 lets nobody in."""
    for below in (folder, *(path for path in folder.iterdir() if path.is_dir())):
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (below / "cgroup.clone_children").exists() and (below / name).exists():
                (below / name).write_text((below.parent / name).read_text())


def freeze(trees: Sequence[Path], group: str, *, frozen: bool) -> None:
    for tree in trees:
        for name, words in (("freezer.state", ("THAWED", "FROZEN")), ("cgroup.freeze", ("0", "1"))):
            if (tree / group / name).exists():
                (tree / group / name).write_text(words[frozen])


def remove(folder: Path) -> None:
    """Remove groups whose processes have ended."""
    if not folder.exists():
        return
    for below in folder.iterdir():
        if below.is_dir():
            remove(below)
    deadline = time.monotonic() + UNTIL_SECONDS
    while True:
        try:
            folder.rmdir()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def ours(uuid: str = workload_uuid("docker", CONTAINER)) -> Workload | None:
    report = CgroupsEngine().look()
    assert (report.status, report.reason) == (ANSWERED, None)
    return next((workload for workload in report.workloads if workload.uuid == uuid), None)


def test_a_group_runs_while_there_is_a_process_in_it(trees: Sequence[Path], group: str) -> None:
    assert ours() is None
    with process_in(trees, group):
        found = ours()
        assert found is not None
        assert (found.engine, found.name, found.state) == ("docker", CONTAINER[:12], RUNNING)
        assert (found.vcpus, found.cpuset, found.memory_bytes, found.numa_nodes) == (None, None, None, None)
    assert ours() is None


def test_frozen(trees: Sequence[Path], group: str) -> None:
    if not any((tree / group / name).exists() for tree in trees for name in ("freezer.state", "cgroup.freeze")):
        pytest.skip("this kernel freezes no groups")
    with process_in(trees, group):
        freeze(trees, group, frozen=True)
        deadline = time.monotonic() + UNTIL_SECONDS
        while (found := ours()) is None or found.state != PAUSED:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        freeze(trees, group, frozen=False)
        while (found := ours()) is None or found.state != RUNNING:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_limits(trees: Sequence[Path], group: str) -> None:
    wanted = {
        "cpu.max": "150000 100000",
        "cpu.cfs_quota_us": "150000",
        "memory.max": str(256 * MIB),
        "memory.limit_in_bytes": str(256 * MIB),
        "cpuset.cpus": "0",
    }
    written = {name for tree in trees for name in wanted if (tree / group / name).exists()}
    for tree in trees:
        for name in written:
            if (tree / group / name).exists():
                (tree / group / name).write_text(wanted[name])
    with process_in(trees, group):
        found = ours()
    assert found is not None
    assert found.vcpus == (
        1.5 if written & {"cpu.max", "cpu.cfs_quota_us"} else 1 if "cpuset.cpus" in written else None
    )
    assert found.memory_bytes == (256 * MIB if written & {"memory.max", "memory.limit_in_bytes"} else None)
    alone = CpuSet([0]) if "cpuset.cpus" in written and (os.cpu_count() or 1) > 1 else None
    assert found.cpuset == alone


def test_a_machine_has_the_uuid_that_libvirt_knows(trees: Sequence[Path], tmp_path: Path) -> None:
    Libvirtd.require()
    daemon = Libvirtd(tmp_path)
    with ExitStack() as stack:
        stack.callback(daemon.stop)
        daemon.start()
        uuid = daemon.define("web", vcpus="2", memory_mib=48)
        daemon.virsh("start", "web")
        scope = f"{OURS}.partition/qemu-1-web.libvirt-qemu"
        for tree in trees:
            stack.callback(remove, tree / f"{OURS}.partition")
            (tree / scope).mkdir(parents=True)
            inherit(tree / f"{OURS}.partition")
        stack.enter_context(process_in(trees, scope, daemon.qemu("web")))
        (by_libvirt,) = LibvirtEngine(daemon.uri).look().workloads
        by_groups = ours(uuid)
        assert by_groups is not None
        for said in ("uuid", "name", "engine", "kind", "state", "vcpus", "memory_bytes"):
            assert getattr(by_groups, said) == getattr(by_libvirt, said), said
