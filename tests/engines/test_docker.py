# SPDX-License-Identifier: Apache-2.0
"""A real Docker: what it runs is told as it is, and what happens to it is survived."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from host_agent.workloads.cgroups import CgroupsEngine
from host_agent.workloads.counts import ContainerCounts, counts
from host_agent.workloads.docker import DockerEngine
from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.podman import PodmanEngine
from host_agent.workloads.survey import Survey
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, Workload
from os_capability import CpuSet
from tests.engines.dockerd import Dockerd
from tests.host_agent.servers import wait_until

ZUN = "3f7a1f6e-5b0e-4d0e-8f0a-2a1c7c6f9d11"
LAST_CPU = max(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def docker(dockerd: Dockerd) -> Dockerd:
    """Give a Docker with containers of each kind."""
    dockerd.run("limited", "--cpus=1.5", "--memory=64m", "--cpuset-mems=0", "--label=team=blue")
    dockerd.run("pinned", f"--cpuset-cpus={LAST_CPU}")
    dockerd.run("quota", "--cpu-quota=50000", "--cpu-period=100000")
    dockerd.docker("pause", "quota")
    dockerd.run(f"zun-{ZUN}")
    dockerd.run("ended")
    dockerd.docker("stop", "--time=0", "ended")
    dockerd.create("never-started", "--cpus=2")
    return dockerd


@pytest.fixture
def engine(docker: Dockerd) -> DockerEngine:
    return DockerEngine(str(docker.socket), time_limit_seconds=30)


@pytest.fixture
def running_again(docker: Dockerd) -> Iterator[None]:
    """Start it again after a test that stopped it."""
    yield
    docker.kill()
    docker.start()


def named(report: EngineReport) -> dict[str, Workload]:
    return {workload.name: workload for workload in report.workloads}


class TestARealDocker:
    def test_what_it_says_of_itself(self, engine: DockerEngine, docker: Dockerd) -> None:
        report = engine.look()
        assert (report.status, report.reason) == (ANSWERED, None)
        assert report.labels == {"rack": "7", "tier": "a=b"}
        assert "runc" in (report.runtimes or ())
        assert (report.storage_driver, report.root_directory) == ("vfs", str(docker.data))
        version = docker.docker("version", "--format", "{{.Server.Version}}").split(".")
        assert report.hypervisor_version is not None
        assert report.hypervisor_version // 1000 == int(version[0]) * 1000 + int(version[1])

    def test_states(self, engine: DockerEngine) -> None:
        assert {name: one.state for name, one in named(engine.look()).items()} == {
            "limited": RUNNING,
            "pinned": RUNNING,
            "quota": PAUSED,
            f"zun-{ZUN}": RUNNING,
            "ended": STOPPED,
            "never-started": STOPPED,
        }

    def test_limits(self, engine: DockerEngine) -> None:
        found = named(engine.look())
        limited, pinned = found["limited"], found["pinned"]
        assert (limited.vcpus, limited.memory_bytes, limited.numa_nodes) == (1.5, 64 << 20, (0,))
        assert (limited.cpuset, limited.labels) == (None, {"team": "blue"})
        assert (pinned.vcpus, pinned.cpuset, pinned.memory_bytes) == (1.0, CpuSet((LAST_CPU,)), None)
        assert found["quota"].vcpus == 0.5
        assert (found["ended"].vcpus, found["ended"].cpuset) == (None, None)
        assert found["never-started"].vcpus == 2.0

    def test_an_orchestrators_container_has_its_uuid(self, engine: DockerEngine) -> None:
        assert named(engine.look())[f"zun-{ZUN}"].uuid == ZUN

    def test_a_limit_that_is_changed_is_seen_after_a_while(self, docker: Dockerd) -> None:
        patient = DockerEngine(str(docker.socket), time_limit_seconds=30)
        hasty = DockerEngine(str(docker.socket), time_limit_seconds=30, refresh_limits_seconds=0)
        for engine in (patient, hasty):
            engine.look()
        docker.docker("update", "--cpus=1.25", "limited")
        try:
            assert named(hasty.look())["limited"].vcpus == 1.25
            assert named(patient.look())["limited"].vcpus == 1.5
        finally:
            docker.docker("update", "--cpus=1.5", "limited")

    def test_many_at_once(self, docker: Dockerd, engine: DockerEngine) -> None:
        names = [f"many-{number}" for number in range(40)]
        for name in names:
            docker.create(name, "--cpus=0.5")
        try:
            found = named(engine.look())
            assert {found[name].vcpus for name in names} == {0.5}
        finally:
            docker.docker("rm", *names)
        assert not named(engine.look()).keys() & set(names)

    def test_it_is_no_podman(self, docker: Dockerd) -> None:
        assert PodmanEngine(str(docker.socket), time_limit_seconds=30).look().status == ABSENT


class TestWithoutItsSocket:
    def test_control_groups_tell_the_same_of_what_runs(self, docker: Dockerd, engine: DockerEngine) -> None:
        told = named(engine.look())
        hanging = DockerEngine(str(docker.socket), time_limit_seconds=0.1)
        docker.freeze()
        try:
            wait_until(lambda: hanging.look().status == UNREADABLE, "it hangs")
            found = Survey([hanging, CgroupsEngine()], time_limit_seconds=30).look()
        finally:
            docker.thaw()
        assert found.knows_running
        seen = {workload.uuid: workload for workload in found.workloads}
        for name in ("limited", "pinned", "quota"):
            one, other = told[name], seen[told[name].uuid]
            assert (one.state, one.vcpus, one.memory_bytes) == (other.state, other.vcpus, other.memory_bytes)
        assert told["pinned"].cpuset == seen[told["pinned"].uuid].cpuset
        assert told["ended"].uuid not in seen
        assert counts(found).total is None


class TestWhatHappensToIt:
    def test_frozen_it_delays_nothing_and_its_last_numbers_stand(self, docker: Dockerd, engine: DockerEngine) -> None:
        survey = Survey([engine], time_limit_seconds=3)
        before = counts(survey.look())
        assert before == ContainerCounts(total=6, running=3, paused=1, stopped=2)
        docker.freeze()
        try:
            # A process of many threads does not stop all at once.
            wait_until(lambda: survey.look().engines[0].trouble is not None, "it hangs")
            started = time.monotonic()
            for _ in range(20):
                found = survey.look()
            assert time.monotonic() - started < 3
        finally:
            docker.thaw()
        assert counts(found) == before
        assert found.engines[0].trouble == "no answer within 3 s"
        assert (found.complete, found.knows_running) == (frozenset(), False)

    @pytest.mark.usefixtures("running_again")
    def test_stopped_it_is_unreadable_and_its_last_numbers_stand(self, docker: Dockerd, engine: DockerEngine) -> None:
        survey = Survey([engine], time_limit_seconds=30)
        before = counts(survey.look())
        docker.stop()
        assert engine.look().status == UNREADABLE
        found = survey.look()
        assert counts(found) == before
        assert "start docker" in str(found.engines[0].trouble)
        assert counts(Survey([DockerEngine(str(docker.socket), data_directory=str(docker.data))]).look()).total is None

    @pytest.mark.usefixtures("running_again")
    def test_killed_it_leaves_a_socket_where_nobody_listens(self, docker: Dockerd, engine: DockerEngine) -> None:
        docker.kill()
        report = engine.look()
        assert report.status == UNREADABLE
        assert "connection refused" in str(report.reason)

    @pytest.mark.usefixtures("running_again")
    def test_started_again_it_is_asked_anew(self, docker: Dockerd, engine: DockerEngine) -> None:
        uuids = {name: one.uuid for name, one in named(engine.look()).items()}
        docker.stop()
        assert engine.look().status == UNREADABLE
        docker.start()
        report = engine.look()
        assert {name: one.uuid for name, one in named(report).items()} == uuids
        assert named(report)["limited"].state == STOPPED
