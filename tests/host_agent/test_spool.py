# SPDX-License-Identifier: Apache-2.0
"""The spool: what waits outlives the process, stays small, and is delivered in order."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_agent.event import Event
from host_agent.spool import Spool
from tests.host_agent.events import event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def numbers(spool: Spool) -> list[str]:
    return [waiting.message for waiting in spool.waiting()]


def test_what_waits_outlives_the_process_in_its_order(path: Path) -> None:
    events = [event(number) for number in range(5)]
    before = Spool(path, 100)
    before.append(events[:2])
    before.append(events[2:])
    before.remove([events[0].uuid, events[3].uuid])

    after = Spool(path, 100)

    assert after.waiting() == [events[1], events[2], events[4]]
    assert len(after) == 3
    assert after.lost == 0


def test_an_event_that_waits_already_is_not_added(path: Path) -> None:
    spool = Spool(path, 100)
    spool.append([event(1)] * 2)
    spool.append([spool.waiting()[0]])

    assert len(spool) == 1
    assert len(Spool(path, 100)) == 1


def test_one_delivery_is_a_small_transaction(path: Path) -> None:
    spool = Spool(path, 1000)
    spool.append([event(number) for number in range(250)])
    assert numbers(spool) == [f"memory-lost {number}" for number in range(100)]


def test_the_oldest_give_way_and_one_event_tells_how_many(path: Path) -> None:
    spool = Spool(path, 10)
    for number in range(25):
        spool.append([event(number)])

    told, *kept = spool.waiting()
    assert [waiting.message for waiting in kept] == [f"memory-lost {number}" for number in range(16, 25)]
    assert (told.code, told.detail["count"], told.sequence) == ("events-lost", 16, event(15).sequence)
    assert spool.lost == 16
    assert Spool(path, 10).waiting() == spool.waiting()


def test_a_file_never_grows_beyond_its_bytes(path: Path) -> None:
    spool = Spool(path, 1000, most_bytes=10_000)
    for number in range(100):
        spool.append([event(number, flags=["x" * 900])])
        assert path.stat().st_size <= 10_000 + 1_500

    assert numbers(spool)[-1] == "memory-lost 99"
    assert spool.waiting()[0].detail["count"] == spool.lost > 80


@pytest.mark.parametrize("tail", ['{"uuid": "0b', "\n\n", "garbage\n", "[1]\n", "\x00\x00\x00"])
def test_a_torn_or_foreign_line_costs_no_other(path: Path, tail: str, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(path, 100)
    spool.append([event(1), event(2)])
    with path.open("a") as file:
        file.write(tail)

    with caplog.at_level(logging.WARNING):
        again = Spool(path, 100)
    assert numbers(again) == ["memory-lost 1", "memory-lost 2"]
    assert "left out" in caplog.text

    again.append([event(3)])
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == numbers(again)
    assert numbers(Spool(path, 100)) == ["memory-lost 1", "memory-lost 2", "memory-lost 3"]


def test_a_file_torn_anywhere_loses_at_most_the_line_that_is_torn(path: Path) -> None:
    Spool(path, 100).append([event(number) for number in range(3)])
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        ends = [position for position, byte in enumerate(whole) if byte == ord("\n") and position <= length]
        assert len(Spool(path, 100)) == len(ends)


def test_what_the_disk_did_not_take_is_on_it_as_soon_as_it_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "events.jsonl"
    spool = Spool(path, 100)
    spool.append([event(1)])
    path.parent.mkdir()

    spool.append([])

    assert numbers(Spool(path, 100)) == numbers(spool) != []


def test_a_disk_that_is_full_costs_nothing_but_the_safety(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk that is small enough to fill")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(tmp_path)], capture_output=True)
    if mount.returncode != 0:
        pytest.skip(f"no mount here: {mount.stderr.decode().strip()}")
    try:
        spool = Spool(tmp_path / "events.jsonl", 100)
        (tmp_path / "filler").write_bytes(random.randbytes(4096))
        with caplog.at_level(logging.INFO):
            for number in range(50):
                spool.append([event(number)])
            assert len(spool) == 50
            (tmp_path / "filler").unlink()
            spool.remove([waiting.uuid for waiting in spool.waiting()[:40]])

        assert caplog.text.count("No space left on device: events are kept in memory only") == 1
        assert caplog.text.count("events are kept on disk again") == 1
        assert numbers(Spool(tmp_path / "events.jsonl", 100)) == [f"memory-lost {number}" for number in range(40, 50)]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_file_that_cannot_be_read_stops_nobody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        spool = Spool(path, 100)
        spool.append([event(1)])

    assert numbers(spool) == ["memory-lost 1"]
    assert str(path) in caplog.text


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(st.one_of(st.integers(1, 9), st.just("deliver"), st.just("restart")), max_size=30),
    room=st.integers(2, 12),
)
def test_nothing_is_lost_or_doubled_but_what_gave_way(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | str], room: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "events.jsonl"
    spool, made, delivered = Spool(path, room), 0, list[Event]()
    for step in [*steps, "deliver"]:
        if isinstance(step, int):
            spool.append([event(number) for number in range(made, made + step)])
            made += step
        elif step == "deliver":
            batch = spool.waiting()
            delivered += batch
            spool.remove([told.uuid for told in batch])
        else:
            spool = Spool(path, room)
        assert len(spool) <= room

    lost = [int(str(told.detail["count"])) for told in delivered if told.code == "events-lost"]
    others = [told.sequence for told in delivered if told.code != "events-lost"]
    assert sum(lost) + len(others) == made
    assert others == sorted(set(others))
