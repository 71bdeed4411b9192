# SPDX-License-Identifier: Apache-2.0
"""How many containers there are, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from host_agent.workloads.counts import ContainerCounts, counts
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.workload import CONTAINER, PAUSED, RUNNING, STOPPED, VM, Workload

TWO_RUN_ONE_IS_PAUSED = [("docker", RUNNING), ("docker", RUNNING), ("docker", PAUSED)]


def seen(engine: str, status: str = ANSWERED, *, trouble: str | None = None) -> SeenEngine:
    return SeenEngine(
        report=EngineReport(engine=engine, status=status, lists_stopped=engine != "cgroups"), trouble=trouble
    )


def found(containers: Iterable[tuple[str, str]], *engines: SeenEngine, knows_running: bool = True) -> ContainerCounts:
    workloads = [
        Workload(uuid=str(number), name=f"c{number}", engine=engine, kind=CONTAINER, state=state)
        for number, (engine, state) in enumerate(containers)
    ]
    machine = Workload(uuid="vm", name="vm", engine="libvirt", kind=VM, state=RUNNING)
    return counts(Discovery(engines=engines, workloads=(*workloads, machine), knows_running=knows_running))


def numbers(total: int | None, running: int | None, paused: int | None, stopped: int | None) -> ContainerCounts:
    return ContainerCounts(total=total, running=running, paused=paused, stopped=stopped)


def test_a_bare_host_has_none_for_certain() -> None:
    assert found([]) == found([], seen("cgroups")) == found([], seen("libvirt")) == numbers(0, 0, 0, 0)


def test_containers_are_counted_by_state_and_machines_are_none() -> None:
    containers = [*TWO_RUN_ONE_IS_PAUSED, ("podman", STOPPED), ("podman", "removing")]
    assert found(containers, seen("docker"), seen("podman"), seen("libvirt")) == numbers(5, 2, 1, 2)


def test_an_engine_that_cannot_be_asked_leaves_everything_unknown() -> None:
    nothing = found([], seen("docker", UNREADABLE), knows_running=False)
    assert nothing == numbers(None, None, None, None)


def test_the_control_groups_tell_what_runs_and_not_what_is_stopped() -> None:
    counted = found(TWO_RUN_ONE_IS_PAUSED, seen("cgroups"), seen("docker", UNREADABLE), seen("podman"))
    assert counted == numbers(None, 2, 1, None)


def test_what_an_engine_told_last_stands_while_it_hangs() -> None:
    containers = [*TWO_RUN_ONE_IS_PAUSED, ("docker", STOPPED)]
    assert found(containers, seen("docker", trouble="no answer within 2 s"), knows_running=False) == numbers(4, 2, 1, 1)


def test_stopped_containers_of_an_engine_without_a_driver_are_unknown() -> None:
    containers = [*TWO_RUN_ONE_IS_PAUSED, ("containerd", RUNNING)]
    assert found(containers, seen("cgroups"), seen("docker")) == numbers(None, 3, 1, None)


@pytest.mark.parametrize("status", [ANSWERED, UNREADABLE])
def test_libvirt_has_no_say_in_containers(status: str) -> None:
    assert found(TWO_RUN_ONE_IS_PAUSED, seen("docker"), seen("libvirt", status), knows_running=False) == numbers(
        3, 2, 1, 0
    )
