# SPDX-License-Identifier: Apache-2.0
"""A real libvirtd with emulated machines, asked as the agent asks it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE
from host_agent.workloads.libvirt import LibvirtEngine
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, HeldPages, Workload
from os_capability import CpuSet
from tests.beds import absent
from tests.engines.libvirtd import Libvirtd

MIB, GIB = 1 << 20, 1 << 30
UNTIL_SECONDS = 20.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Libvirtd]:
    if find_spec("libvirt") is None:
        absent("the Python package libvirt is not there: pip install libvirt-python")
    Libvirtd.require()
    daemon = Libvirtd(tmp_path_factory.mktemp("libvirtd"))
    try:
        daemon.start()
        # It finds out at the first question what each QEMU can do, which takes seconds, and remembers.
        LibvirtEngine(daemon.uri).look()
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def daemon(running: Libvirtd) -> Iterator[Libvirtd]:
    """Give the daemon without a domain."""
    yield running
    running.clear()


def disk(path: Path, kind: str, target: str) -> str:
    source = f"<driver name='qemu' type='{kind}'/><source file='{path}'/><target dev='{target}' bus='virtio'/>"
    return f"<disk type='file' device='disk'>{source}</disk>"


def look(daemon: Libvirtd) -> dict[str, Workload]:
    report = LibvirtEngine(daemon.uri).look()
    assert (report.status, report.reason) == (ANSWERED, None)
    return {workload.name: workload for workload in report.workloads}


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + UNTIL_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_states(daemon: Libvirtd) -> None:
    for name in ("runs", "sleeps", "off"):
        daemon.define(name)
    daemon.virsh("start", "runs")
    daemon.virsh("start", "sleeps")
    daemon.virsh("suspend", "sleeps")
    states = {name: workload.state for name, workload in look(daemon).items()}
    assert states == {"runs": RUNNING, "sleeps": PAUSED, "off": STOPPED}
    daemon.virsh("destroy", "runs")
    daemon.virsh("undefine", "off")
    states = {name: workload.state for name, workload in look(daemon).items()}
    assert states == {"runs": STOPPED, "sleeps": PAUSED}


def test_what_one_holds(daemon: Libvirtd) -> None:
    uuid = daemon.define("web", vcpus="2", memory_mib=48)
    daemon.virsh("start", "web")
    assert look(daemon)["web"].cpuset is None
    for vcpu in ("0", "1"):
        daemon.virsh("vcpupin", "web", vcpu, "0")
    web = look(daemon)["web"]
    assert web.uuid == uuid
    assert (web.vcpus, web.memory_bytes, web.cpuset) == (2, 48 * MIB, CpuSet([0]))
    assert (web.hugepages, web.disk_bytes) == ((), 0)


def test_pages_and_nodes_of_one_that_is_off(daemon: Libvirtd) -> None:
    elements = (
        "<memoryBacking><hugepages><page size='1' unit='GiB' nodeset='1'/></hugepages></memoryBacking>"
        "<numatune><memnode cellid='0' mode='strict' nodeset='0'/><memory mode='strict' nodeset='0'/></numatune>"
        "<cpu><numa><cell id='0' cpus='0' memory='1' unit='GiB'/>"
        "<cell id='1' cpus='1' memory='2' unit='GiB'/></numa></cpu>"
    )
    daemon.define("db", vcpus="2", memory_mib=3072, elements=elements)
    database = look(daemon)["db"]
    assert database.hugepages == (HeldPages(size_bytes=GIB, count=2),)
    assert (database.numa_nodes, database.memory_bytes) == ((0,), 3 * GIB)


@pytest.mark.parametrize("is_on", [False, True])
def test_disks(daemon: Libvirtd, is_on: bool) -> None:
    raw, qcow2 = daemon.image("a.raw", "raw", "1G"), daemon.image("a.qcow2", "qcow2", "2G")
    with raw.open("r+b") as file:
        file.write(os.urandom(8 * MIB))
        os.fsync(file.fileno())
    taken = sum(path.stat().st_blocks * 512 for path in (raw, qcow2))
    daemon.define("web", devices=disk(raw, "raw", "vda") + disk(qcow2, "qcow2", "vdb"))
    if is_on:
        daemon.virsh("start", "web")
    report = LibvirtEngine(daemon.uri).look()
    assert report.workloads[0].disk_bytes == 3 * GIB
    assert report.disk_overcommitted_bytes == pytest.approx(3 * GIB - taken, abs=MIB)


def test_the_hypervisor(daemon: Libvirtd) -> None:
    report = LibvirtEngine(daemon.uri).look()
    assert report.hypervisor_type == "QEMU"
    shown = daemon.virsh("version").rpartition("QEMU ")[2].split(".")
    major, minor, patch = (int(number) for number in shown)
    assert report.hypervisor_version == 1_000_000 * major + 1000 * minor + patch


def test_domains_that_come_and_go_meanwhile(daemon: Libvirtd) -> None:
    daemon.define("stays")
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            daemon.define("comes")
            daemon.virsh("undefine", "comes")

    changing = threading.Thread(target=come_and_go)
    changing.start()
    try:
        seen = [set(look(daemon)) for _ in range(200)]
    finally:
        done.set()
        changing.join()
    assert all({"stays"} <= names <= {"stays", "comes"} for names in seen)
    assert {"stays", "comes"} in seen


def test_a_domain_that_does_not_answer_holds_up_nobody(daemon: Libvirtd) -> None:
    daemon.define("hangs", devices=disk(daemon.image("h.raw", "raw", "1G"), "raw", "vda"))
    daemon.define("well")
    for name in ("hangs", "well"):
        daemon.virsh("start", name)
    os.kill(daemon.qemu("hangs"), signal.SIGSTOP)
    try:
        # This one waits for the monitor, and keeps the domain's job while it does.
        with daemon.waiting("qemu-monitor-command", "hangs", "--hmp", "info status"):
            wait_until(lambda: "occupied" in daemon.virsh("domcontrol", "hangs"))
            started_at = time.monotonic()
            workloads = look(daemon)
            assert time.monotonic() - started_at < 2.0
    finally:
        os.kill(daemon.qemu("hangs"), signal.SIGCONT)
    assert workloads["well"].state == RUNNING
    assert (workloads["hangs"].state, workloads["hangs"].vcpus) == (RUNNING, 1)


def test_a_daemon_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    Libvirtd.require()
    daemon = Libvirtd(tmp_path)
    engine = LibvirtEngine(daemon.uri, root=str(tmp_path))
    assert engine.look().status == ABSENT
    try:
        daemon.start()
        uuid = daemon.define("web")
        daemon.kill()
        report = engine.look()
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert "start libvirtd" in report.reason
        daemon.start()
        assert [workload.uuid for workload in engine.look().workloads] == [uuid]
    finally:
        daemon.stop()
