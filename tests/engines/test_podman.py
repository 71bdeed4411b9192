# SPDX-License-Identifier: Apache-2.0
"""A real Podman: what it runs is told as it is, with its service and without."""

from __future__ import annotations

import os

import pytest

from host_agent.workloads.docker import DockerEngine
from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.podman import PodmanEngine
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, Workload
from os_capability import CpuSet
from tests.engines.podman_service import PodmanService

LAST_CPU = max(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def service(podman: PodmanService) -> PodmanService:
    """Give a Podman with containers of each kind."""
    podman.run("limited", "--cpus=1.5", "--memory=64m", "--label=team=blue")
    podman.run("pinned", f"--cpuset-cpus={LAST_CPU}")
    podman.run("quota", "--cpu-quota=50000", "--cpu-period=100000")
    podman.podman("pause", "quota")
    podman.run("ended")
    podman.podman("stop", "--time", "0", "ended")
    podman.create("never-started", "--cpus=2")
    return podman


@pytest.fixture
def engine(service: PodmanService) -> PodmanEngine:
    return PodmanEngine(str(service.socket), data_directory=str(service.data), time_limit_seconds=30)


def named(report: EngineReport) -> dict[str, Workload]:
    return {workload.name: workload for workload in report.workloads}


class TestARealPodman:
    def test_what_it_says_of_itself(self, engine: PodmanEngine, service: PodmanService) -> None:
        report = engine.look()
        assert (report.status, report.reason) == (ANSWERED, None)
        assert report.runtimes == ("runc",)
        assert (report.storage_driver, report.root_directory) == ("vfs", str(service.data))
        assert (report.hypervisor_version or 0) > 3_000_000

    def test_states_and_limits(self, engine: PodmanEngine) -> None:
        found = named(engine.look())
        assert {name: (one.state, one.vcpus) for name, one in found.items()} == {
            "limited": (RUNNING, 1.5),
            "pinned": (RUNNING, 1.0),
            "quota": (PAUSED, 0.5),
            "ended": (STOPPED, None),
            "never-started": (STOPPED, 2.0),
        }
        assert found["limited"].memory_bytes == 64 << 20
        assert found["limited"].labels == {"team": "blue"}
        assert found["pinned"].cpuset == CpuSet((LAST_CPU,))

    def test_at_dockers_socket_it_is_no_docker(self, service: PodmanService) -> None:
        assert DockerEngine(str(service.socket), time_limit_seconds=30).look().status == ABSENT

    def test_without_its_service_it_has_containers_all_the_same(
        self, engine: PodmanEngine, service: PodmanService
    ) -> None:
        engine.look()
        service.stop()
        try:
            report = engine.look()
            assert report.status == UNREADABLE
            assert "podman.socket" in str(report.reason)
        finally:
            service.socket.unlink(missing_ok=True)
            report = engine.look()
            service.start()
        assert report.status == UNREADABLE, "its storage tells of them"
        assert engine.look().status == ANSWERED
