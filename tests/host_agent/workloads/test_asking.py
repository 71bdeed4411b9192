# SPDX-License-Identifier: Apache-2.0
"""A question that hangs: how long it is waited for, and that it is never asked twice at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from host_agent.workloads.asking import Answer, Asking
from tests.host_agent.servers import wait_until

LIMIT = 1.0


class Source:
    """Answers with the number of the question, once it may."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        self.open.wait()
        return number


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.open.set()


@pytest.fixture
def asking() -> Asking[int]:
    return Asking("source", lambda: 7.0)


def waited(asking: Asking[int], source: Source) -> float:
    """Ask, and give how long was waited."""
    started = time.monotonic()
    asking.start(source)
    asking.wait(started, LIMIT)
    return time.monotonic() - started


def test_an_answer_is_given_once(asking: Asking[int], source: Source) -> None:
    assert asking.take() is None
    assert waited(asking, source) < LIMIT
    assert asking.take() == Answer(value=1, failed=False, at=7.0)
    assert asking.take() is None


def test_one_that_hangs_is_waited_for_once_and_asked_once(asking: Asking[int], source: Source) -> None:
    source.open.clear()
    assert waited(asking, source) >= LIMIT
    assert waited(asking, source) < LIMIT / 2
    assert asking.take() is None
    assert source.asked == 1


def test_after_it_returned_it_gets_little_time_until_it_is_fast_again(asking: Asking[int], source: Source) -> None:
    source.open.clear()
    waited(asking, source)
    source.open.set()
    wait_until(asking.take, "it returned")
    source.open.clear()
    assert LIMIT / 20 < waited(asking, source) < LIMIT
    source.open.set()
    wait_until(asking.take, "it returned, and within the limit")
    source.open.clear()
    assert waited(asking, source) >= LIMIT


def test_a_fault_is_an_answer_too(asking: Asking[int], caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> int:
        raise KeyError("Id")

    asking.start(fail)
    asking.wait(time.monotonic(), 30)
    assert asking.take() == Answer(value=None, failed=True, at=7.0)
    assert "asking source failed" in caplog.text
