# SPDX-License-Identifier: Apache-2.0
"""What waits for the database: the newest of each, until that is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from host_agent.outbox import Facts, Outbox
from host_agent.spool import Spool
from host_agent.workloads.discovery import Discovery, DiskSpace, SeenEngine
from host_agent.workloads.engine import ANSWERED, EngineReport
from host_agent.workloads.workload import CONTAINER, RUNNING, Workload
from tests.host_agent.facts import machine, uuid

GIB = 1024**3

ENGINE = SeenEngine(report=EngineReport(engine="docker", status=ANSWERED))
ONE = Discovery(
    engines=(ENGINE,),
    workloads=(Workload(uuid=uuid(1), name="web", engine="docker", kind=CONTAINER, state=RUNNING),),
    disk=DiskSpace(total_bytes=100 * GIB, free_bytes=50 * GIB),
)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(Spool(tmp_path / "events.jsonl", 10))


def facts(sequence: int = 1) -> Facts:
    return Facts(host=machine(), sequence=sequence)


def test_nothing_waits_before_the_first_facts_and_nothing_once_they_are_stored(outbox: Outbox) -> None:
    assert outbox.waiting() is None
    assert outbox.take_discovery(ONE)
    assert outbox.waiting() is None, "what runs on a machine that was not read yet"

    outbox.take_facts(first := facts())
    parcel = outbox.waiting()
    assert parcel is not None
    assert (parcel.facts, parcel.discovery) == (first, ONE)
    outbox.stored(parcel)
    assert outbox.waiting() is None
    assert outbox.facts is first, "known, stored or not"


def test_facts_wait_for_the_first_survey_that_is_over_whatever_came_of_it(outbox: Outbox) -> None:
    outbox.take_facts(first := facts())
    assert outbox.waiting() is None, "the row would say that nobody knows what the survey is about to tell"

    assert outbox.take_discovery(None)
    assert not outbox.take_discovery(None)
    parcel = outbox.waiting()
    assert parcel is not None
    assert (parcel.facts, parcel.discovery) == (first, None)
    outbox.stored(parcel)

    assert outbox.take_discovery(ONE)
    assert not outbox.take_discovery(None)
    parcel = outbox.waiting()
    assert parcel is not None
    assert parcel.discovery is ONE, "a survey that fails takes nothing back"


def test_what_comes_while_it_is_stored_waits_on(outbox: Outbox) -> None:
    outbox.take_discovery(ONE)
    outbox.take_facts(facts(1))
    parcel = outbox.waiting()
    assert parcel is not None

    outbox.take_facts(newer := facts(2))
    outbox.stored(parcel)
    left = outbox.waiting()
    assert left is not None
    assert left.facts is newer


@pytest.mark.parametrize(
    "discovery",
    [
        replace(ONE, workloads=()),
        replace(ONE, workloads=(replace(ONE.workloads[0], state="stopped"),)),
        replace(ONE, engines=(replace(ENGINE, trouble="it hangs", age_seconds=60.0),)),
        replace(ONE, complete=frozenset({"docker"})),
        replace(ONE, knows_running=False),
    ],
)
def test_another_thing_that_runs_waits_for_no_facts(outbox: Outbox, discovery: Discovery) -> None:
    settled(outbox)
    assert outbox.take_discovery(discovery)
    parcel = outbox.waiting()
    assert parcel is not None
    assert parcel.discovery is discovery


@pytest.mark.parametrize(
    "discovery",
    [
        replace(ONE),
        replace(ONE, disk=DiskSpace(total_bytes=100 * GIB, free_bytes=49 * GIB)),
        replace(ONE, engines=(replace(ENGINE, age_seconds=1.0),)),
    ],
)
def test_what_moves_all_the_time_goes_along_with_the_next_facts(outbox: Outbox, discovery: Discovery) -> None:
    settled(outbox)
    assert not outbox.take_discovery(discovery)
    assert outbox.waiting() is None

    outbox.take_facts(facts(2))
    parcel = outbox.waiting()
    assert parcel is not None
    assert parcel.discovery is discovery


def settled(outbox: Outbox) -> None:
    outbox.take_facts(facts())
    outbox.take_discovery(ONE)
    parcel = outbox.waiting()
    assert parcel is not None
    outbox.stored(parcel)
