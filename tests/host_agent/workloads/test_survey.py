# SPDX-License-Identifier: Apache-2.0
"""The survey: what every engine tells, joined; and that none of them ever delays or hides the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.workloads.counts import ContainerCounts, counts
from host_agent.workloads.discovery import Discovery, DiskSpace, SeenEngine
from host_agent.workloads.docker import DockerEngine
from host_agent.workloads.engine import ABSENT, ANSWERED, CONTROL_GROUPS, UNREADABLE, EngineReport
from host_agent.workloads.podman import PodmanEngine
from host_agent.workloads.survey import Survey
from host_agent.workloads.workload import CONTAINER, PAUSED, RUNNING, STOPPED, VM, Workload, workload_uuid
from tests.host_agent.servers import wait_until
from tests.host_agent.workloads.sockets import recorded

# Long enough for a busy machine where an answer is expected; where none is, a tenth of a second is waited for in vain.
PATIENT, HASTY = 30.0, 0.1


class Told:
    """An engine that tells what the test says, once the test lets it.

    Attributes:
        report: what it tells; an exception is raised.
        open: cleared, it hangs.
        looks: how often it was asked.
    """

    def __init__(self, name: str, *workloads: Workload, status: str = ANSWERED) -> None:
        self.name = name
        reason = "no permission" if status == UNREADABLE else None
        self.report: EngineReport | Exception = EngineReport(
            engine=name, status=status, reason=reason, workloads=workloads, lists_stopped=name != CONTROL_GROUPS
        )
        self.open = threading.Event()
        self.open.set()
        self.looks = 0

    def look(self) -> EngineReport:
        self.looks += 1
        report = self.report
        self.open.wait()
        if isinstance(report, Exception):
            raise report
        return report

    def tells(self, *workloads: Workload, status: str = ANSWERED) -> None:
        self.report = Told(self.name, *workloads, status=status).report


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def released() -> Iterator[Callable[[Told], Told]]:
    """Let engines hang for no longer than the test."""
    engines: list[Told] = []

    def hang(engine: Told) -> Told:
        engines.append(engine)
        engine.open.clear()
        return engine

    yield hang
    for engine in engines:
        engine.open.set()


def container(name: str, engine: str = "docker", state: str = RUNNING) -> Workload:
    return Workload(uuid=workload_uuid(engine, name), name=name, engine=engine, kind=CONTAINER, state=state)


def names(discovery: Discovery) -> set[str]:
    return {workload.name for workload in discovery.workloads}


def engine_of(discovery: Discovery, name: str) -> SeenEngine:
    (seen,) = (one for one in discovery.engines if one.report.engine == name)
    return seen


class TestJoining:
    def test_everything_is_there_once_sorted(self) -> None:
        web, db = container("web"), container("db", "podman")
        found = Survey([Told("podman", db, web), Told("docker", web)], time_limit_seconds=PATIENT).look()
        assert found.workloads == tuple(sorted((web, db), key=lambda one: one.uuid))
        assert [one.report.engine for one in found.engines] == ["docker", "podman"]
        assert found.complete == {"docker", "podman"}
        assert found.knows_running

    def test_a_bare_host_has_nothing_and_knows_it(self) -> None:
        engines = [Told(name, status=ABSENT) for name in ("docker", "podman", "libvirt", CONTROL_GROUPS)]
        found = Survey(engines, time_limit_seconds=PATIENT).look()
        assert found == Discovery()
        assert counts(found) == ContainerCounts(total=0, running=0, paused=0, stopped=0)
        assert Survey([]).look() == Discovery(knows_running=False), "nobody was asked"

    def test_control_groups_count_for_engines_that_told_nothing(self) -> None:
        groups = Told(CONTROL_GROUPS, container("seen", "docker"), container("pod", "containerd"))
        found = Survey([Told("docker", container("web")), groups], time_limit_seconds=PATIENT).look()
        assert names(found) == {"web", "pod"}
        assert found.complete == {"docker"}
        found = Survey([Told("docker", status=UNREADABLE), groups], time_limit_seconds=PATIENT).look()
        assert names(found) == {"seen", "pod"}
        assert found.complete == frozenset()
        assert found.knows_running

    def test_unreadable_and_without_control_groups_nobody_knows(self) -> None:
        found = Survey([Told("docker", status=UNREADABLE)], time_limit_seconds=PATIENT).look()
        assert not found.knows_running
        assert engine_of(found, "docker") == SeenEngine(
            report=EngineReport(engine="docker", status=UNREADABLE, reason="no permission", lists_stopped=False),
            trouble="no permission",
        )
        assert counts(found) == ContainerCounts(total=None, running=None, paused=None, stopped=None)

    def test_control_groups_that_cannot_be_read_take_nothing_away(self) -> None:
        engines = [Told("docker", container("web")), Told(CONTROL_GROUPS, status=UNREADABLE)]
        found = Survey(engines, time_limit_seconds=PATIENT).look()
        assert names(found) == {"web"}
        assert found.complete == {"docker"}
        assert found.knows_running

    def test_what_disks_may_still_grow_by_is_summed(self) -> None:
        engines = [Told("docker"), Told("libvirt")]
        for engine in engines:
            assert isinstance(engine.report, EngineReport)
            engine.report = replace(engine.report, disk_overcommitted_bytes=7)
        assert Survey(engines, time_limit_seconds=PATIENT).look().disk_overcommitted_bytes == 14


class TestEnginesThatStopAnswering:
    def test_the_last_numbers_stand_with_their_age(self, clock: Clock) -> None:
        docker = Told("docker", container("web"), container("old", state=STOPPED))
        survey = Survey([docker, Told(CONTROL_GROUPS, container("other"))], time_limit_seconds=PATIENT, clock=clock)
        survey.look()
        docker.tells(status=UNREADABLE)
        clock.now += 60
        found = survey.look()
        seen = engine_of(found, "docker")
        assert (seen.age_seconds, seen.trouble, seen.report.status) == (60, "no permission", ANSWERED)
        assert names(found) == {"web", "old"}
        assert found.complete == frozenset()
        assert found.knows_running
        assert counts(found) == ContainerCounts(total=2, running=1, paused=0, stopped=1)

    def test_until_it_answers_again(self, clock: Clock) -> None:
        docker = Told("docker", container("web"))
        survey = Survey([docker], time_limit_seconds=PATIENT, clock=clock)
        survey.look()
        docker.tells(status=UNREADABLE)
        survey.look()
        docker.tells(container("new"))
        found = survey.look()
        assert names(found) == {"new"}
        assert (engine_of(found, "docker").age_seconds, engine_of(found, "docker").trouble) == (0, None)

    def test_what_is_removed_is_gone_and_stays_so(self) -> None:
        docker = Told("docker", container("web"))
        survey = Survey([docker], time_limit_seconds=PATIENT)
        survey.look()
        docker.tells(status=ABSENT)
        assert survey.look() == Discovery()
        docker.tells(status=UNREADABLE)
        found = survey.look()
        assert (names(found), found.knows_running) == (set(), False)

    def test_a_fault_of_ours_is_told_and_stops_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        docker = Told("docker", container("web"))
        survey = Survey([docker, Told("podman", container("db", "podman"))], time_limit_seconds=PATIENT)
        survey.look()
        docker.report = KeyError("Id")
        found = survey.look()
        assert names(found) == {"web", "db"}
        assert "fault of this program" in str(engine_of(found, "docker").trouble)
        assert "asking docker failed" in caplog.text
        docker.tells(container("new"))
        assert names(survey.look()) == {"new", "db"}


class TestEnginesThatHang:
    def test_one_does_not_hide_the_others(self, released: Callable[[Told], Told], clock: Clock) -> None:
        docker = released(Told("docker", container("web")))
        survey = Survey([docker, Told("podman", container("db", "podman"))], time_limit_seconds=HASTY, clock=clock)
        found = survey.look()
        assert names(found) == {"db"}
        assert found.complete == {"podman"}
        assert not found.knows_running
        assert engine_of(found, "docker").trouble == "no answer within 0.1 s"
        assert engine_of(found, "docker").report.status == UNREADABLE

    def test_its_last_numbers_stand_and_no_look_waits_for_it_again(
        self, released: Callable[[Told], Told], clock: Clock
    ) -> None:
        docker = Told("docker", container("web"))
        survey = Survey([docker], time_limit_seconds=2.0, clock=clock)
        survey.look()
        released(docker)
        survey.look()
        clock.now += 30
        started = time.monotonic()
        for _ in range(50):
            found = survey.look()
        assert time.monotonic() - started < 2.0
        assert (names(found), engine_of(found, "docker").age_seconds) == ({"web"}, 30)
        assert docker.looks == 2

    def test_it_is_asked_again_once_it_returned(self, released: Callable[[Told], Told]) -> None:
        docker = released(Told("docker", container("web")))
        survey = Survey([docker], time_limit_seconds=HASTY)
        survey.look()
        docker.tells(container("new"))
        docker.open.set()
        wait_until(lambda: names(survey.look()) == {"new"}, "the newest answer is there", seconds=PATIENT)
        assert engine_of(survey.look(), "docker").trouble is None

    def test_an_answer_that_came_late_counts_with_its_age(self, released: Callable[[Told], Told], clock: Clock) -> None:
        docker = released(Told("docker", container("web")))
        survey = Survey([docker], time_limit_seconds=HASTY, clock=clock)
        survey.look()
        clock.now += 5
        docker.open.set()
        wait_until(lambda: threads("survey-docker") == 0, "it returned", seconds=PATIENT)
        clock.now += 20
        docker.open.clear()
        found = survey.look()
        assert names(found) == {"web"}
        assert engine_of(found, "docker").age_seconds == 20
        assert engine_of(found, "docker").trouble == "no answer within 0.1 s"

    def test_it_costs_one_thread(self, released: Callable[[Told], Told]) -> None:
        survey = Survey([released(Told("docker")), Told("podman")], time_limit_seconds=HASTY)
        for _ in range(20):
            survey.look()
        assert threads("survey-docker") == 1
        wait_until(lambda: threads("survey-podman") == 0, "the others are gone", seconds=PATIENT)

    def test_control_groups_tell_what_runs_meanwhile(self, released: Callable[[Told], Told]) -> None:
        groups = Told(CONTROL_GROUPS, container("web"), container("db", state=PAUSED))
        found = Survey([released(Told("docker")), groups], time_limit_seconds=HASTY).look()
        assert names(found) == {"web", "db"}
        assert found.knows_running
        assert counts(found) == ContainerCounts(total=None, running=1, paused=1, stopped=None)


class TestDisk:
    def test_the_settings_folders_come_before_the_engines(self) -> None:
        asked: list[Sequence[str]] = []
        space = DiskSpace(total_bytes=10, free_bytes=4)

        def disk(paths: Sequence[str]) -> DiskSpace | None:
            asked.append(paths)
            return space

        engines = [Told("podman"), Told("docker"), Told("libvirt")]
        for engine, folder in zip(engines, ("/p", "/d", None), strict=True):
            assert isinstance(engine.report, EngineReport)
            engine.report = replace(engine.report, root_directory=folder)
        survey = Survey(engines, disk=disk, disk_paths=["/nova", "/d"], time_limit_seconds=PATIENT)
        assert survey.look().disk == space
        assert asked == [("/nova", "/d", "/p")]

    def test_a_file_server_that_hangs_leaves_the_last_measure(self) -> None:
        hanging, answers = threading.Event(), iter([DiskSpace(total_bytes=10, free_bytes=4)])

        def disk(_paths: Sequence[str]) -> DiskSpace | None:
            try:
                return next(answers)
            except StopIteration:
                hanging.wait()
                return None

        survey = Survey([Told("docker", container("web"))], disk=disk, time_limit_seconds=HASTY)
        measured = survey.look().disk
        try:
            for _ in range(3):
                found = survey.look()
                assert found.disk == measured == DiskSpace(total_bytes=10, free_bytes=4)
                assert names(found) == {"web"}
            assert threads("survey-disk") == 1
        finally:
            hanging.set()
        wait_until(lambda: survey.look().disk is None, "it says that there is nothing any more", seconds=PATIENT)

    def test_a_fault_leaves_it_too(self, caplog: pytest.LogCaptureFixture) -> None:
        answers = iter([DiskSpace(total_bytes=10, free_bytes=4)])

        def disk(_paths: Sequence[str]) -> DiskSpace | None:
            return next(answers, None) or 1 // 0  # type: ignore[return-value]

        survey = Survey([], disk=disk, time_limit_seconds=PATIENT)
        assert survey.look().disk == survey.look().disk == DiskSpace(total_bytes=10, free_bytes=4)
        assert "asking disk failed" in caplog.text


class TestRealSockets:
    def test_a_frozen_docker_beside_a_podman_that_works(self, tmp_path: Path) -> None:
        for name in ("docker", "podman"):
            (tmp_path / name).mkdir()
        with recorded(tmp_path / "docker") as docker, recorded(tmp_path / "podman", "podman-4.3") as podman:
            engines = [DockerEngine(str(docker.path)), PodmanEngine(str(podman.path))]
            survey = Survey(engines, time_limit_seconds=2.0)
            assert counts(survey.look()) == ContainerCounts(total=7, running=2, paused=2, stopped=3)
            docker.open.clear()
            podman.list.clear()
            found = survey.look()
            assert engine_of(found, "docker").trouble == "no answer within 2 s"
            assert counts(found) == ContainerCounts(total=4, running=1, paused=1, stopped=2)
            docker.open.set()

    def test_two_hundred_looks_leave_no_descriptor_and_no_thread(self, tmp_path: Path) -> None:
        with recorded(tmp_path) as docker:
            survey = Survey(
                [DockerEngine(str(docker.path)), PodmanEngine(f"{tmp_path}/none")], time_limit_seconds=PATIENT
            )
            survey.look()
            wait_until(lambda: threads("survey-") == 0, "the threads of the first look are gone", seconds=PATIENT)
            before = descriptors()
            for _ in range(200):
                survey.look()
            # The server in this process has as many connections as we, until it sees that we closed ours.
            wait_until(lambda: descriptors() <= before, "as many as before", seconds=PATIENT)
            wait_until(lambda: threads("survey-") == 0, "no thread is left", seconds=PATIENT)


class TestAnyHost:
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["docker", "podman", "libvirt", CONTROL_GROUPS]),
                st.sampled_from([ANSWERED, UNREADABLE, ABSENT]),
                st.lists(
                    st.builds(
                        container,
                        st.sampled_from("abc"),
                        st.sampled_from(["docker", "podman", "crio"]),
                        st.sampled_from([RUNNING, PAUSED, STOPPED]),
                    ),
                    max_size=4,
                ),
            ),
            unique_by=lambda one: one[0],
        )
    )
    def test_counts_agree_with_themselves(self, host: list[tuple[str, str, list[Workload]]]) -> None:
        engines = [Told(name, *(found if status == ANSWERED else ()), status=status) for name, status, found in host]
        found = Survey(engines, time_limit_seconds=PATIENT).look()
        assert len({workload.uuid for workload in found.workloads}) == len(found.workloads)
        counted = counts(found)
        if counted.total is not None:
            assert counted.running is not None
            assert counted.paused is not None
            assert counted.stopped is not None
            assert counted.total == counted.running + counted.paused + counted.stopped
        unanswered = [name for name, status, _ in host if status == UNREADABLE and name in ("docker", "podman")]
        assert not unanswered or counted.total is None

    def test_virtual_machines_are_no_containers(self) -> None:
        machine = Workload(uuid="u", name="vm", engine="libvirt", kind=VM, state=RUNNING)
        found = Survey([Told("libvirt", machine)], time_limit_seconds=PATIENT).look()
        assert counts(found) == ContainerCounts(total=0, running=0, paused=0, stopped=0)
        unreadable = Survey([Told("libvirt", status=UNREADABLE)], time_limit_seconds=PATIENT).look()
        assert counts(unreadable).total == 0

    def test_an_engine_that_nobody_asks_makes_the_total_unknown(self) -> None:
        groups = Told(CONTROL_GROUPS, container("pod", "crio"))
        found = Survey([Told("docker", container("web")), groups], time_limit_seconds=PATIENT).look()
        assert counts(found) == ContainerCounts(total=None, running=2, paused=0, stopped=None)


def threads(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
