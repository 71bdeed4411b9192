# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.libvirt import LibvirtEngine
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, VM, HeldPages, Workload
from os_capability import CpuSet
from tests.beds import absent
from tests.host_agent.workloads.sockets import without_privileges

MIB, GIB = 1 << 20, 1 << 30
PINNED, PAGED, OFF, ASLEEP = (f"{number}b8e4a52-9d0c-4c3e-8f5a-0d6f3c1b2a99" for number in range(1, 5))
# What libvirt's own test driver takes for a host.
NODE = f"""
<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
  <domain type='test'>
    <name>pinned</name><uuid>{PINNED}</uuid>
    <memory unit='GiB'>4</memory><vcpu>2</vcpu>
    <cputune><vcpupin vcpu='0' cpuset='3'/><vcpupin vcpu='1' cpuset='5'/></cputune>
    <numatune><memory mode='strict' nodeset='1'/></numatune>
    <os><type>hvm</type></os>
    <metadata>
      <n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'><n:flavor name='m1.small'/></n:instance>
    </metadata>
  </domain>
  <domain type='test'>
    <name>paged</name><uuid>{PAGED}</uuid>
    <memory unit='GiB'>2</memory><vcpu cpuset='0-3'>1</vcpu>
    <memoryBacking><hugepages/></memoryBacking>
    <os><type>hvm</type></os>
  </domain>
  <domain type='test'>
    <name>off</name><uuid>{OFF}</uuid><memory unit='MiB'>512</memory><vcpu>1</vcpu><os><type>hvm</type></os>
    <test:runstate>5</test:runstate>
  </domain>
  <domain type='test'>
    <name>asleep</name><uuid>{ASLEEP}</uuid><memory unit='MiB'>512</memory><vcpu>1</vcpu><os><type>hvm</type></os>
    <test:runstate>3</test:runstate>
  </domain>
</node>
"""


@pytest.fixture(autouse=True)
def package(request: pytest.FixtureRequest) -> None:
    if find_spec("libvirt") is None and "without_package" not in request.fixturenames:
        absent("the Python package libvirt is not there: pip install libvirt-python")


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the import fail as it does where nobody installed it."""
    monkeypatch.setitem(sys.modules, "libvirt", None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a machine whose default huge pages are of 1 GiB."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:       65536 kB\nHugepagesize:    1048576 kB\n")
    return tmp_path


def look_at(node: str, root: Path) -> EngineReport:
    (root / "node.xml").write_text(node)
    return LibvirtEngine(f"test://{root}/node.xml", root=str(root)).look()


def to_socket(path: Path) -> LibvirtEngine:
    """Give the engine of a host that has nothing but this socket."""
    return LibvirtEngine(f"qemu+unix:///system?socket={path}", root=str(path.parent))


class TestDomains:
    def test_of_the_drivers_own_host(self) -> None:
        report = LibvirtEngine("test:///default").look()
        assert (report.status, report.lists_stopped, report.hypervisor_type) == (ANSWERED, True, "TEST")
        (workload,) = report.workloads
        assert (workload.name, workload.state, workload.kind) == ("test", RUNNING, VM)
        assert (workload.vcpus, workload.memory_bytes) == (2, 8 * GIB)
        assert workload.disk_bytes is None  # one disk, of which this driver tells nothing

    def test_what_they_hold(self, root: Path) -> None:
        workloads = {workload.uuid: workload for workload in look_at(NODE, root).workloads}
        assert workloads[PINNED] == Workload(
            uuid=PINNED,
            name="pinned",
            engine="libvirt",
            kind=VM,
            state=RUNNING,
            vcpus=2,
            cpuset=CpuSet([3, 5]),
            memory_bytes=4 * GIB,
            hugepages=(),
            disk_bytes=0,
            numa_nodes=(1,),
            labels={"nova.flavor": "m1.small"},
        )
        assert workloads[PINNED].labels == {"nova.flavor": "m1.small"}
        assert workloads[PAGED].cpuset == CpuSet.parse_list("0-3")
        assert workloads[PAGED].hugepages == (HeldPages(size_bytes=GIB, count=2),)

    def test_their_states(self, root: Path) -> None:
        states = {workload.name: workload.state for workload in look_at(NODE, root).workloads}
        assert states == {"pinned": RUNNING, "paged": RUNNING, "off": STOPPED, "asleep": PAUSED}

    def test_none(self, root: Path) -> None:
        report = look_at("<node/>", root)
        assert (report.status, report.workloads) == (ANSWERED, ())

    def test_a_default_page_size_that_nobody_tells(self, root: Path) -> None:
        (root / "proc/meminfo").unlink()
        workloads = {workload.uuid: workload for workload in look_at(NODE, root).workloads}
        assert workloads[PAGED].hugepages is None


class TestWhatGoesWrong:
    def test_no_daemon(self, tmp_path: Path) -> None:
        report = to_socket(tmp_path / "libvirt-sock").look()
        assert (report.status, report.reason) == (ABSENT, None)

    def test_a_daemon_that_is_stopped(self, tmp_path: Path) -> None:
        (tmp_path / "etc/libvirt/qemu/networks").mkdir(parents=True)
        assert to_socket(tmp_path / "libvirt-sock").look().status == ABSENT
        (tmp_path / "etc/libvirt/qemu/web.xml").touch()
        report = to_socket(tmp_path / "libvirt-sock").look()
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert "start libvirtd" in report.reason

    def test_no_permission(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "sock"))
            listening.listen()
            (tmp_path / "sock").chmod(0)
            with without_privileges():
                report = to_socket(tmp_path / "sock").look()
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert "Permission denied" in report.reason
        assert "SupplementaryGroups=libvirt" in report.reason

    def test_nobody_listens(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(tmp_path / "sock"))
        report = to_socket(tmp_path / "sock").look()
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert "start libvirtd or virtqemud" in report.reason

    @pytest.mark.parametrize("uri", ["test:///nowhere.xml", "qemu+nonsense:///system"])
    def test_a_wrong_uri(self, uri: str) -> None:
        report = LibvirtEngine(uri).look()
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert "\n" not in report.reason

    @pytest.mark.parametrize("name", ["libvirt-sock", "libvirt-sock-ro", "virtqemud-sock", "virtqemud-sock-ro"])
    def test_a_daemon_and_no_package(self, root: Path, name: str, without_package: None) -> None:
        (root / "run/libvirt").mkdir(parents=True)
        (root / "run/libvirt" / name).touch()
        report = LibvirtEngine(root=str(root)).look()
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert "os-capability[libvirt]" in report.reason

    def test_neither_daemon_nor_package(self, root: Path, without_package: None) -> None:
        assert LibvirtEngine(root=str(root)).look().status == ABSENT

    def test_domains_that_nobody_can_ask_for(self, root: Path, without_package: None) -> None:
        (root / "etc/libvirt/qemu").mkdir(parents=True)
        (root / "etc/libvirt/qemu/web.xml").touch()
        assert LibvirtEngine(root=str(root)).look().status == UNREADABLE

    def test_a_package_that_cannot_be_loaded(self, root: Path, tmp_path: Path) -> None:
        (root / "run/libvirt").mkdir(parents=True)
        (root / "run/libvirt/libvirt-sock").touch()
        (tmp_path / "libvirt.py").write_text("raise ImportError('libvirt.so.0: version LIBVIRT_12 not found')\n")
        program = (
            "from host_agent.workloads.libvirt import LibvirtEngine; "
            f"report = LibvirtEngine(root={str(root)!r}).look(); print(report.status, report.reason)"
        )
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        assert said.stdout.startswith("unreadable ")
        assert "LIBVIRT_12 not found" in said.stdout

    def test_it_prints_nothing(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        to_socket(tmp_path / "libvirt-sock").look()
        LibvirtEngine("nonsense:///system").look()
        assert capfd.readouterr() == ("", "")

    def test_descriptors_are_closed(self, tmp_path: Path) -> None:
        def descriptors() -> int:
            return sum(1 for _ in Path("/proc/self/fd").iterdir())

        engines = [LibvirtEngine("test:///default"), to_socket(tmp_path / "libvirt-sock")]
        for engine in engines:
            engine.look()
        before = descriptors()
        for engine in engines * 20:
            engine.look()
        assert descriptors() <= before
