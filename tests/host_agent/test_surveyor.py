# SPDX-License-Identifier: Apache-2.0
"""The surveying job: what it passes on, and what it says of engines that cannot be asked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from host_agent.health import Health
from host_agent.outbox import Outbox
from host_agent.spool import Spool
from host_agent.surveyor import Surveyor
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.workload import CONTAINER, RUNNING, Workload
from tests.host_agent.facts import uuid

WELL = SeenEngine(report=EngineReport(engine="docker", status=ANSWERED))
CLOSED = SeenEngine(report=EngineReport(engine="docker", status=UNREADABLE), trouble="/run/docker.sock: not allowed")


class Engines:
    """Gives one discovery after the other; the last stays."""

    def __init__(self, *discoveries: Discovery) -> None:
        self._left = list(discoveries)

    def look(self) -> Discovery:
        if not self._left:
            raise ZeroDivisionError
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


class Agent:
    def __init__(self, folder: Path, *discoveries: Discovery) -> None:
        self.outbox = Outbox(Spool(folder / "events.jsonl", 10))
        self.health = Health()
        self.changes = 0
        self.surveyor = Surveyor(
            survey=Engines(*discoveries), outbox=self.outbox, health=self.health, changed=self._changed
        )

    def _changed(self) -> None:
        self.changes += 1


def test_only_what_is_new_calls_for_a_report(tmp_path: Path) -> None:
    empty = Discovery(engines=(WELL,))
    container = Workload(uuid=uuid(1), name="web", engine="docker", kind=CONTAINER, state=RUNNING)
    agent = Agent(tmp_path, empty, empty, Discovery(engines=(WELL,), workloads=(container,)))
    changes = []
    for _ in range(4):
        agent.surveyor.turn()
        changes.append(agent.changes)
    assert changes == [1, 1, 2, 2]
    snapshot = agent.health.snapshot()
    assert snapshot.discovery is not None
    assert snapshot.discovery.workloads == (container,)
    assert (snapshot.survey.successes, snapshot.survey.trouble) == (4, None)


def test_an_engine_that_cannot_be_asked_is_said_once_and_its_return_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    agent = Agent(tmp_path, *(Discovery(engines=(seen,)) for seen in (WELL, CLOSED, CLOSED, WELL)), Discovery())
    for _ in range(5):
        agent.surveyor.turn()
    assert [record.getMessage() for record in caplog.records] == [
        "what docker runs is not known at present: /run/docker.sock: not allowed",
        "docker tells again what it runs",
    ]


def test_an_engine_that_is_gone_troubles_nobody_any_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    agent = Agent(tmp_path, Discovery(engines=(CLOSED,)), Discovery(), Discovery())
    for _ in range(3):
        agent.surveyor.turn()
    assert len(caplog.records) == 2


def test_a_fault_of_ours_is_a_failure_and_what_was_known_stays(tmp_path: Path) -> None:
    agent = Agent(tmp_path, Discovery(engines=(WELL,)))
    agent.surveyor.turn()
    broken = Surveyor(survey=Engines(), outbox=agent.outbox, health=agent.health, changed=agent._changed)
    with pytest.raises(ZeroDivisionError):
        broken.turn()
    snapshot = agent.health.snapshot()
    assert agent.outbox.discovery == Discovery(engines=(WELL,))
    assert (snapshot.survey.failures, snapshot.survey.running_since) == (1, None)
    assert snapshot.discovery == Discovery(engines=(WELL,))
