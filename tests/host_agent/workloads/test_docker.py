# SPDX-License-Identifier: Apache-2.0
"""Docker and Podman behind a socket that answers what they answered; what goes wrong with one is told, never raised."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_agent.workloads.docker import DockerEngine
from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.podman import PodmanEngine
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, Workload
from os_capability import CpuSet
from tests.host_agent.workloads.sockets import RecordedEngine, recorded, speaking, without_privileges


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[RecordedEngine]:
    with recorded(tmp_path) as engine:
        yield engine


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[RecordedEngine]:
    with recorded(tmp_path, "podman-4.3") as engine:
        yield engine


def named(report: EngineReport) -> dict[str, Workload]:
    return {workload.name: workload for workload in report.workloads}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestWhatIsTold:
    def test_docker(self, docker: RecordedEngine) -> None:
        report = DockerEngine(str(docker.path)).look()
        assert (report.engine, report.status, report.reason) == ("docker", ANSWERED, None)
        assert report.lists_stopped
        assert (report.hypervisor_type, report.hypervisor_version) == ("docker", 20_010_024)
        assert (report.storage_driver, report.root_directory) == ("vfs", "/var/lib/docker")
        assert "runc" in (report.runtimes or ())
        found = named(report)
        assert {name: one.state for name, one in found.items()} == {
            "one": RUNNING,
            "two": PAUSED,
            "three": STOPPED,
            "four": STOPPED,
        }
        assert (found["one"].vcpus, found["one"].memory_bytes) == (1.5, 64 << 20)
        assert (found["four"].vcpus, found["four"].cpuset) == (1.0, CpuSet((1,)))
        assert found["one"].labels == {"team": "blue"}
        assert {one.engine for one in found.values()} == {"docker"}

    def test_podman(self, podman: RecordedEngine) -> None:
        report = PodmanEngine(str(podman.path)).look()
        assert (report.engine, report.status) == ("podman", ANSWERED)
        assert report.runtimes == ("runc",)
        assert report.hypervisor_version == 4_003_001
        assert {name: (one.state, one.vcpus) for name, one in named(report).items()} == {
            "one": (RUNNING, 1.5),
            "two": (PAUSED, 0.5),
            "three": (STOPPED, None),
        }

    def test_podman_at_dockers_socket_is_not_docker(self, podman: RecordedEngine) -> None:
        assert DockerEngine(str(podman.path)).look().status == ABSENT
        assert podman.inspected == 0

    def test_a_container_has_another_uuid_in_each_engine(self, docker: RecordedEngine, tmp_path: Path) -> None:
        first = DockerEngine(str(docker.path)).look()
        assert [one.uuid for one in first.workloads] == [
            one.uuid for one in DockerEngine(str(docker.path)).look().workloads
        ]
        assert len({one.uuid for one in first.workloads}) == 4

    def test_below_another_root(self, docker: RecordedEngine, tmp_path: Path) -> None:
        root = tmp_path / "host"
        (root / "run").mkdir(parents=True)
        (root / "run" / "docker.sock").symlink_to(docker.path)
        assert DockerEngine(root=str(root)).look().status == ANSWERED

    def test_no_containers_at_all(self, docker: RecordedEngine) -> None:
        docker.list.clear()
        report = DockerEngine(str(docker.path)).look()
        assert (report.status, report.workloads) == (ANSWERED, ())


class TestWhatIsRemembered:
    def test_each_container_is_inspected_once(self, docker: RecordedEngine) -> None:
        engine = DockerEngine(str(docker.path))
        assert engine.look() == engine.look() == engine.look()
        assert docker.inspected == 4
        assert docker.requests.count("/info") == 1

    def test_a_new_one_is_inspected_and_one_that_is_gone_forgotten(self, docker: RecordedEngine) -> None:
        engine = DockerEngine(str(docker.path))
        kept = docker.list.pop()
        engine.look()
        docker.list.insert(0, kept)
        gone = docker.list.pop()
        assert gone["Names"][0].lstrip("/") not in named(engine.look())
        assert docker.inspected == 4
        docker.list.append(gone)
        engine.look()
        assert docker.inspected == 5

    def test_states_and_names_are_those_of_the_moment(self, docker: RecordedEngine) -> None:
        engine = DockerEngine(str(docker.path))
        engine.look()
        (one,) = (container for container in docker.list if container["Names"] == ["/one"])
        one |= {"State": "exited", "Names": ["/renamed"]}
        found = named(engine.look())["renamed"]
        assert (found.state, found.vcpus) == (STOPPED, 1.5)

    def test_limits_are_asked_for_again_after_a_while(self, docker: RecordedEngine) -> None:
        clock = Clock()
        engine = DockerEngine(str(docker.path), refresh_limits_seconds=600, clock=clock)
        engine.look()
        docker.container("one")["HostConfig"] |= {"NanoCpus": 3_000_000_000}
        docker.requests.clear()
        counts: list[int] = []
        while clock.now < 600:
            clock.now += 60
            found = named(engine.look())["one"].vcpus
            asked = {request for request in docker.requests if request.endswith("/json")}
            counts.append(len(asked) - sum(counts))
        assert found == 3.0
        assert (sum(counts), max(counts)) == (len(docker.list), 1), "each again, and no two at one look"
        assert docker.requests.count("/info") == 1

        clock.now += 6000
        for number_asked in (len(docker.list), 0):
            docker.requests.clear()
            engine.look()
            assert sum(request.endswith("/json") for request in docker.requests) == number_asked

    def test_an_engine_that_comes_back_is_asked_anew_who_it_is(self, docker: RecordedEngine) -> None:
        engine = DockerEngine(str(docker.path))
        engine.look()
        docker.answers["/containers/json?all=1"] = (500, {"message": "shutting down"})
        assert engine.look().status == UNREADABLE
        docker.answers["/containers/json?all=1"] = docker.list
        docker.info["ServerVersion"] = "28.0.1"
        assert engine.look().hypervisor_version == 28_000_001


class TestContainersThatGo:
    def test_one_that_vanishes_between_list_and_inspection_is_left_out(self, docker: RecordedEngine) -> None:
        docker.answers[f"/containers/{docker.list[0]['Id']}/json"] = (404, {"message": "No such container"})
        report = DockerEngine(str(docker.path)).look()
        assert report.status == ANSWERED
        assert len(report.workloads) == 3

    def test_one_that_cannot_be_inspected_is_there_with_unknown_limits(self, docker: RecordedEngine) -> None:
        target = f"/containers/{docker.container('one')['Id']}/json"
        good = docker.answers[target]
        docker.answers[target] = (500, {"message": "it is being removed"})
        engine = DockerEngine(str(docker.path))
        found = named(engine.look())["one"]
        assert (found.state, found.vcpus, found.memory_bytes) == (RUNNING, None, None)
        docker.answers[target] = good
        assert named(engine.look())["one"].vcpus == 1.5

    def test_an_id_that_is_none_does_no_harm(self, docker: RecordedEngine) -> None:
        docker.list.append({"Id": "x\r\nHost: evil\r\n\r\n/..", "Names": ["/evil"], "State": "running"})
        docker.list.append({"Id": "\ud800", "Names": ["/odd"], "State": "running"})
        assert named(DockerEngine(str(docker.path)).look()).keys() == {"one", "two", "three", "four"}
        assert docker.requests[-2:] == [
            "/containers/x%0D%0AHost%3A%20evil%0D%0A%0D%0A%2F../json",
            "/containers/%3F/json",
        ]


class TestEnginesThatDoNotAnswer:
    def test_no_socket_and_nothing_left_is_absent(self, tmp_path: Path) -> None:
        assert DockerEngine(root=str(tmp_path)).look() == EngineReport(engine="docker", status=ABSENT)
        assert PodmanEngine(root=str(tmp_path)).look() == EngineReport(engine="podman", status=ABSENT)

    def test_no_socket_and_containers_left_is_unreadable(self, tmp_path: Path) -> None:
        containers = tmp_path / "var/lib/docker/containers"
        containers.mkdir(parents=True)
        engine = DockerEngine(root=str(tmp_path))
        assert engine.look().status == ABSENT
        (containers / "0123").mkdir()
        report = engine.look()
        assert report.status == UNREADABLE
        assert report.reason == (
            f"{tmp_path}/run/docker.sock: there is no such socket: "
            "there may be containers of docker: start it (systemctl start docker)"
        )

    def test_and_where_one_may_not_look(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            Path(root).chmod(0o755)  # pytest's own folders are closed to other users on the way already
            data = Path(root, "var/lib/docker")
            (data / "containers").mkdir(parents=True)
            data.chmod(0)
            with without_privileges():
                report = DockerEngine(root=root).look()
            data.chmod(0o700)
        assert report.status == UNREADABLE
        assert "no such socket: there may be containers of docker" in str(report.reason)

    def test_podman_without_a_service_has_containers_all_the_same(self, tmp_path: Path) -> None:
        storage = tmp_path / "var/lib/containers/storage"
        (storage / "overlay-containers" / "0123").mkdir(parents=True)
        engine = PodmanEngine(root=str(tmp_path))
        assert engine.look().status == ABSENT, "CRI-O has the same storage"
        (storage / "db.sql").touch()
        report = engine.look()
        assert report.status == UNREADABLE
        assert "podman.socket" in str(report.reason)

    def test_where_the_data_lies_is_learned(self, docker: RecordedEngine, tmp_path: Path) -> None:
        (tmp_path / "elsewhere/containers/0123").mkdir(parents=True)
        docker.info["DockerRootDir"] = f"{tmp_path}/elsewhere"
        engine = DockerEngine(str(docker.path), data_directory=f"{tmp_path}/nowhere")
        engine.look()
        docker.path.unlink()
        assert engine.look().status == UNREADABLE

    def test_permission_denied_names_what_to_do(self, docker: RecordedEngine) -> None:
        docker.path.chmod(0)
        with without_privileges():
            report = DockerEngine(str(docker.path)).look()
        assert report.status == UNREADABLE
        assert report.reason == (
            f"{docker.path}: permission denied: let this user into the socket's group, as systemd/engines.conf shows"
        )

    def test_one_that_does_not_run(self, tmp_path: Path) -> None:
        with speaking(tmp_path / "sock"):
            pass
        report = DockerEngine(f"{tmp_path}/sock").look()
        assert (report.status, report.workloads) == (UNREADABLE, ())
        assert "connection refused: start it" in str(report.reason)

    def test_one_that_hangs(self, docker: RecordedEngine) -> None:
        docker.open.clear()
        report = DockerEngine(str(docker.path), time_limit_seconds=0.1).look()
        assert report.status == UNREADABLE
        assert "no answer within 0.1 s: see the log of docker" in str(report.reason)

    @pytest.mark.parametrize("target", ["/info", "/containers/json?all=1"])
    @pytest.mark.parametrize("answer", ["text", None, 7, (500, {}), (403, {"message": "by a policy"})])
    def test_one_that_talks_nonsense(self, docker: RecordedEngine, target: str, answer: object) -> None:
        docker.answers[target] = answer
        report = DockerEngine(str(docker.path)).look()
        assert report.status == UNREADABLE
        assert report.reason


class TestDiskQuota:
    def test_a_file_system_that_is_not_mounted_as_the_engine_says_is_unknown(self, docker: RecordedEngine) -> None:
        docker.info |= {"Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "xfs"]], "DockerRootDir": "/proc"}
        assert DockerEngine(str(docker.path)).look().disk_quota_supported is None

    def test_a_file_system_without_project_quotas(self, docker: RecordedEngine) -> None:
        docker.info |= {"Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"]]}
        assert DockerEngine(str(docker.path)).look().disk_quota_supported is False
