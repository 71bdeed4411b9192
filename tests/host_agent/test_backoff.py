# SPDX-License-Identifier: Apache-2.0
"""The backoff: it grows, it is capped, and a whole fleet that waits by it comes back spread out."""

from __future__ import annotations

import random
from collections import Counter

from host_agent.backoff import Backoff
from host_agent.schedule import phase
from tests.host_agent.facts import uuid


def test_the_bound_doubles_up_to_the_cap_and_begins_anew_after_a_success() -> None:
    backoff = Backoff(10, 60, max)

    assert [backoff.failed() for _ in range(5)] == [10, 20, 40, 60, 60]
    backoff.succeeded()
    assert backoff.failed() == 10


def test_years_of_failures_are_no_large_number() -> None:
    backoff = Backoff(10, 60)
    for _ in range(10_000):
        assert 0 <= backoff.failed() <= 60


def test_a_pause_may_be_as_short_as_nothing_and_as_long_as_the_bound() -> None:
    backoff = Backoff(60, 60, random.Random(4).uniform)
    pauses = [backoff.failed() for _ in range(2000)]
    assert min(pauses) < 1
    assert max(pauses) > 59


def test_ten_thousand_hosts_come_back_from_an_outage_without_a_rush() -> None:
    """After an outage of a quarter of an hour no second sees twice the reports of an ordinary one."""
    hosts, interval, cap, outage, seconds = 10_000, 10.0, 60.0, 900, 300
    draw = random.Random(20)
    reports: Counter[int] = Counter()
    for number in range(hosts):
        backoff = Backoff(interval, cap, draw.uniform)
        moment = phase(uuid(number)) * interval
        while moment < outage + seconds:
            if moment < outage:
                moment += backoff.failed()
            else:
                reports[int(moment)] += 1
                backoff.succeeded()
                moment += interval * draw.uniform(0.9, 1.1)

    ordinary = hosts / interval
    assert max(reports.values()) <= 2 * ordinary
    assert sum(reports[outage + second] for second in range(60)) > hosts, "it comes back, and within a minute"
    assert sum(reports[outage + seconds - 60 + second] for second in range(60)) > 0.95 * 60 * ordinary


def test_a_fleet_is_spread_over_every_interval() -> None:
    places = Counter(int(phase(uuid(number)) * 10) for number in range(10_000))
    assert sorted(places) == list(range(10))
    assert max(places.values()) < 1.2 * min(places.values()), "counted uuids are spread as well"
    assert phase(uuid(7)) == phase(uuid(7))
