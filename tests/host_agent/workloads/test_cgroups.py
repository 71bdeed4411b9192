# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_agent.workloads.cgroups import CgroupsEngine
from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE
from host_agent.workloads.workload import CONTAINER, PAUSED, RUNNING, VM, HeldPages, Workload, workload_uuid
from os_capability import CpuSet
from tests.host_agent.workloads.cgroup_trees import ID, LAYOUTS, CgroupTree
from tests.host_agent.workloads.sockets import without_privileges

MIB, GIB = 1 << 20, 1 << 30
UUID = "5b8e4a52-9d0c-4c3e-8f5a-0d6f3c1b2a99"
POD = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod5d1e.slice"
QEMU = (
    *("/usr/bin/qemu-system-x86_64", "-name", "guest=instance-0000001a,debug-threads=on", "-S"),
    *("-m", "size=4194304k", "-smp", "2,sockets=2", "-uuid", UUID),
)


@pytest.fixture(params=LAYOUTS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> CgroupTree:
    return CgroupTree(tmp_path, request.param)


@pytest.fixture
def v2(tmp_path: Path) -> CgroupTree:
    return CgroupTree(tmp_path, "v2")


def found(tree: CgroupTree) -> list[Workload]:
    report = CgroupsEngine(str(tree.root)).look()
    assert (report.status, report.reason, report.lists_stopped) == (ANSWERED, None, False)
    return list(report.workloads)


def only(tree: CgroupTree) -> Workload:
    (workload,) = found(tree)
    return workload


class TestContainer:
    def test_without_limits(self, tree: CgroupTree) -> None:
        tree.group(f"system.slice/docker-{ID}.scope")
        assert only(tree) == Workload(
            uuid=workload_uuid("docker", ID), name=ID[:12], engine="docker", kind=CONTAINER, state=RUNNING
        )

    def test_with_limits(self, tree: CgroupTree) -> None:
        tree.group(
            f"docker/{ID}", quota=1.5, cpus="2-3,6", nodes="1", memory=512 * MIB, pages={"2MB": 64 * MIB, "1GB": 0}
        )
        workload = only(tree)
        assert (workload.vcpus, workload.cpuset) == (1.5, CpuSet.parse_list("2-3,6"))
        assert workload.numa_nodes == (1,)
        assert workload.hugepages == (HeldPages(size_bytes=2 * MIB, count=32),)
        assert workload.memory_bytes == (512 + 64) * MIB

    def test_a_cpuset_without_a_quota_is_a_limit(self, tree: CgroupTree) -> None:
        tree.group(f"docker/{ID}", cpus="4-6")
        assert only(tree).vcpus == 3

    def test_paused(self, tree: CgroupTree) -> None:
        tree.group(f"docker/{ID}", frozen=True)
        assert only(tree).state == PAUSED

    def test_an_empty_group_does_not_run(self, tree: CgroupTree) -> None:
        tree.group(f"docker/{ID}", processes=[])
        assert found(tree) == []

    def test_processes_below_it_are_its_own(self, tree: CgroupTree) -> None:
        tree.group("lxc.payload.web", processes=[] if tree.is_v1 else [12])
        tree.group("lxc.payload.web/system.slice/cron.service", processes=[12])
        assert only(tree).name == "web"

    def test_containers_inside_it_are_a_part_of_it(self, tree: CgroupTree) -> None:
        tree.group(f"docker/{ID}")
        tree.group(f"docker/{ID}/docker/{'5' * 64}")
        assert only(tree).uuid == workload_uuid("docker", ID)

    def test_a_name_is_unique_on_its_host_alone(self, tree: CgroupTree) -> None:
        tree.group("lxc.payload.web")
        here = only(tree).uuid
        assert only(tree).uuid == here
        (tree.root / "etc/machine-id").write_text("fedcba9876543210fedcba9876543210\n")
        assert only(tree).uuid != here

    def test_a_name_that_is_a_uuid(self, tree: CgroupTree) -> None:
        tree.group(f"lxc.payload.{UUID}")
        assert only(tree).uuid == UUID

    def test_a_name_that_no_database_takes(self, tree: CgroupTree) -> None:
        tree.group(r"user.slice/user-1000.slice/user@1000.service/machine-a\x00b.scope")
        assert only(tree).name == "a?b"


class TestLimitsAbove:
    def test_the_lower_one_binds(self, tree: CgroupTree) -> None:
        tree.group("kubepods.slice", quota=6, memory=4 * GIB)
        tree.group(POD, quota=2, memory=GIB)
        tree.group(f"{POD}/crio-{ID}.scope", quota=4, memory=8 * GIB)
        assert (only(tree).vcpus, only(tree).memory_bytes) == (2, GIB)

    def test_its_own_where_that_is_lower(self, tree: CgroupTree) -> None:
        tree.group(POD, quota=2, memory=GIB)
        tree.group(f"{POD}/crio-{ID}.scope", quota=1, memory=64 * MIB)
        assert (only(tree).vcpus, only(tree).memory_bytes) == (1, 64 * MIB)

    def test_what_all_share_is_no_limit_of_one(self, tree: CgroupTree) -> None:
        tree.group("kubepods.slice", quota=6, memory=4 * GIB)
        tree.group(f"{POD}/crio-{ID}.scope")
        assert (only(tree).vcpus, only(tree).memory_bytes) == (None, None)

    def test_the_cpus_of_a_group_above_bind_and_are_no_count(self, v2: CgroupTree) -> None:
        v2.group("batch.slice", cpus="4-7")
        v2.group(f"batch.slice/docker-{ID}.scope")
        assert (only(v2).cpuset, only(v2).vcpus) == (CpuSet.parse_list("4-7"), None)

    def test_a_controller_that_is_not_enabled_below(self, v2: CgroupTree) -> None:
        v2.group("batch.slice", cpus="4-7", nodes="1")
        v2.group(f"batch.slice/docker-{ID}.scope")
        for file in (v2.unified / f"batch.slice/docker-{ID}.scope").glob("cpuset.*"):
            file.unlink()
        assert (only(v2).cpuset, only(v2).numa_nodes) == (CpuSet.parse_list("4-7"), (1,))

    def test_the_shared_pool_of_a_kubelet_is_no_count(self, tree: CgroupTree) -> None:
        tree.group(f"{POD}/cri-containerd-{ID}.scope", cpus="1-7")
        assert (only(tree).cpuset, only(tree).vcpus) == (CpuSet.parse_list("1-7"), None)


class TestPods:
    def test_what_keeps_a_pod_alive_is_no_container(self, tree: CgroupTree) -> None:
        tree.group(f"{POD}/cri-containerd-{ID}.scope", processes=[51])
        tree.group(f"{POD}/cri-containerd-{'5' * 64}.scope", processes=[52])
        tree.process(51, "/pause")
        tree.process(52, "/usr/bin/web", "--listen")
        assert only(tree).uuid == workload_uuid("containerd", "5" * 64)

    def test_nor_where_its_processes_cannot_be_seen(self, tree: CgroupTree) -> None:
        tree.group(f"{POD}/cri-containerd-{ID}.scope", processes=[0])
        assert only(tree).uuid == workload_uuid("containerd", ID)


class TestMachine:
    SCOPE = r"machine.slice/machine-qemu\x2d1\x2dinstance\x2d0000001a.scope"

    @pytest.mark.parametrize("place", ["", "/libvirt", "/libvirt/emulator", "/emulator"])
    def test_by_its_command_line(self, tree: CgroupTree, place: str) -> None:
        tree.group(self.SCOPE, processes=[] if tree.is_v1 else [77])
        (tree.unified / self.SCOPE / "cgroup.procs").unlink(missing_ok=True)
        tree.group(self.SCOPE + place, processes=[77])
        tree.process(77, *QEMU)
        workload = only(tree)
        assert (workload.uuid, workload.name) == (UUID, "instance-0000001a")
        assert (workload.engine, workload.kind) == ("libvirt", VM)
        assert (workload.vcpus, workload.memory_bytes) == (2, 4 * GIB)
        assert workload.cpuset is None

    def test_without_its_command_line(self, tree: CgroupTree) -> None:
        tree.group(self.SCOPE, quota=3, memory=GIB)
        workload = only(tree)
        assert workload.name == "instance-0000001a"
        assert workload.uuid != UUID
        assert (workload.vcpus, workload.memory_bytes) == (3, GIB)

    def test_a_helper_beside_it_is_passed_over(self, tree: CgroupTree) -> None:
        tree.group(self.SCOPE, processes=[70, 77])
        tree.process(70, "/usr/libexec/virtiofsd", "-m", "1", "-uuid", "x")
        tree.process(77, *QEMU)
        assert only(tree).uuid == UUID

    @pytest.mark.parametrize("below", ["", "/libvirt"])
    def test_pinned(self, tree: CgroupTree, below: str) -> None:
        tree.group(self.SCOPE)
        tree.group(f"{self.SCOPE}{below}/vcpu0", cpus="2")
        tree.group(f"{self.SCOPE}{below}/vcpu1", cpus="6")
        tree.group(f"{self.SCOPE}{below}/emulator", cpus="0-1")
        assert only(tree).cpuset == CpuSet.parse_list("2,6")

    def test_a_vcpu_that_is_not_pinned_may_run_anywhere(self, tree: CgroupTree) -> None:
        tree.group(self.SCOPE)
        tree.group(f"{self.SCOPE}/vcpu0", cpus="2")
        tree.group(f"{self.SCOPE}/vcpu1")
        assert only(tree).cpuset is None


class TestTrees:
    def test_an_engine_without_privileges_on_v1(self, tmp_path: Path) -> None:
        tree = CgroupTree(tmp_path, "v1")
        scope = f"user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"
        folder = tmp_path / "sys/fs/cgroup/systemd" / scope
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text("88\n")
        assert only(tree).uuid == workload_uuid("podman", ID)

    def test_without_a_list_of_mounts(self, tree: CgroupTree) -> None:
        tree.group(f"docker/{ID}", quota=2)
        (tree.root / "proc/self/mountinfo").unlink()
        assert only(tree).vcpus == 2

    def test_mounted_elsewhere(self, v2: CgroupTree) -> None:
        v2.group(f"docker/{ID}")
        shutil.move(v2.root / "sys/fs/cgroup", v2.root / "cgroup of mine")
        mountinfo = v2.root / "proc/self/mountinfo"
        mountinfo.write_text(mountinfo.read_text().replace("/sys/fs/cgroup", r"/cgroup\040of\040mine"))
        assert only(v2).name == ID[:12]

    def test_the_whole_tree_before_a_part_of_it(self, v2: CgroupTree) -> None:
        v2.group(f"docker/{ID}")
        shutil.copytree(v2.unified / "docker", v2.root / "part")
        (v2.root / "part/cgroup.type").write_text("domain\n")
        mountinfo = v2.root / "proc/self/mountinfo"
        mountinfo.write_text("36 24 0:30 /docker /part rw - cgroup2 cgroup2 rw\n" + mountinfo.read_text())
        assert only(v2).name == ID[:12]

    def test_the_own_part_of_a_container_is_not_the_machine(self, tree: CgroupTree) -> None:
        tops = [tree.root / "sys/fs/cgroup/memory", tree.root / "sys/fs/cgroup/cpu,cpuacct"]
        for top in tops if tree.is_v1 else ():
            (top / "cgroup.sane_behavior").unlink()
        if not tree.is_v1:
            (tree.unified / "cgroup.type").write_text("domain\n")
        report = CgroupsEngine(str(tree.root)).look()
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert "--cgroupns=host" in report.reason

    def test_absent(self, tmp_path: Path) -> None:
        report = CgroupsEngine(str(tmp_path)).look()
        assert (report.status, report.reason, report.workloads) == (ABSENT, None, ())

    def test_a_bare_machine_runs_none(self, tree: CgroupTree) -> None:
        tree.group("system.slice/cron.service")
        assert found(tree) == []

    @pytest.mark.parametrize("closed", ["docker", "batch.slice"])
    def test_a_folder_that_may_not_be_entered(self, open_tree: CgroupTree, closed: str) -> None:
        open_tree.group(f"{closed}/{ID}")
        self.check_unreadable(open_tree, open_tree.unified / closed)

    def test_a_file_that_may_not_be_read(self, open_tree: CgroupTree) -> None:
        open_tree.group(f"docker/{ID}")
        self.check_unreadable(open_tree, open_tree.unified / f"docker/{ID}/cgroup.events")

    def test_what_holds_no_workloads_may_be_closed(self, open_tree: CgroupTree) -> None:
        open_tree.group("system.slice/cron.service")
        closed = open_tree.unified / "system.slice/cron.service"
        closed.chmod(0)
        try:
            with without_privileges():
                assert found(open_tree) == []
        finally:
            closed.chmod(0o755)

    @pytest.fixture
    def open_tree(self) -> Iterator[CgroupTree]:
        """Give a tree that everybody may enter, as on a real machine; a test's own folder is closed to others."""
        with TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            yield CgroupTree(Path(folder), "v2")

    @staticmethod
    def check_unreadable(tree: CgroupTree, closed: Path) -> None:
        mode = closed.stat().st_mode
        closed.chmod(0)
        try:
            with without_privileges():
                report = CgroupsEngine(str(tree.root)).look()
        finally:
            closed.chmod(mode)
        assert report.status == UNREADABLE
        assert report.reason is not None
        assert str(closed) in report.reason


def test_groups_whose_names_are_no_text(v2: CgroupTree) -> None:
    for name in (b"\xff", b"\xfe"):
        v2.group(f"user.slice/user-7.slice/user@7.service/lxc/{os.fsdecode(name)}")
    assert [workload.name for workload in found(v2)] == ["?", "?"]


GARBAGE = st.text(alphabet="0123456789-, \nmax²\x00\udcff populated frozen 1FROZEN", max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=st.sampled_from(LAYOUTS), garbage=st.lists(GARBAGE, min_size=1, max_size=6))
def test_garbage_in_any_file(tmp_path_factory: pytest.TempPathFactory, layout: str, garbage: list[str]) -> None:
    tree = CgroupTree(tmp_path_factory.mktemp("garbage"), layout)
    tree.group(f"docker/{ID}", quota=1, cpus="1", memory=GIB, pages={"2MB": 2 * MIB})
    tree.group(TestMachine.SCOPE, processes=[7])
    tree.process(7, *QEMU)
    files = [path for path in tree.root.rglob("*") if path.is_file() and path.name != "mountinfo"]
    for at, file in enumerate(sorted(files)):
        file.write_bytes(garbage[at % len(garbage)].encode("utf-8", "surrogateescape"))
    report = CgroupsEngine(str(tree.root)).look()
    assert report.status in (ANSWERED, UNREADABLE)
    for workload in report.workloads:
        assert workload.vcpus is None or workload.vcpus > 0
        assert workload.memory_bytes is None or workload.memory_bytes >= 0


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=200) | GARBAGE.map(lambda text: f"1 2 3 4 {text} - cgroup2 {text}"))
def test_garbage_in_the_list_of_mounts(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tree = CgroupTree(tmp_path_factory.mktemp("mounts"), "v2")
    (tree.root / "proc/self/mountinfo").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert CgroupsEngine(str(tree.root)).look().status in (ANSWERED, UNREADABLE, ABSENT)


def test_groups_that_come_and_go_meanwhile(v2: CgroupTree) -> None:
    stays, comes = f"docker/{ID}", f"docker/{'5' * 64}"
    v2.group(stays)
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            v2.group(comes, quota=1)
            shutil.rmtree(v2.unified / comes)

    changing = threading.Thread(target=come_and_go)
    changing.start()
    try:
        seen = [{workload.uuid for workload in found(v2)} for _ in range(200)]
    finally:
        done.set()
        changing.join()
    expected = {workload_uuid("docker", ID), workload_uuid("docker", "5" * 64)}
    assert all(workload_uuid("docker", ID) in uuids <= expected for uuids in seen)


def test_descriptors_are_closed(v2: CgroupTree) -> None:
    v2.group(f"docker/{ID}", quota=1)
    found(v2)
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for _ in range(20):
        found(v2)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before
