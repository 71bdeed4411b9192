# SPDX-License-Identifier: Apache-2.0
"""``/metrics``: what this service was asked and what the fleet has, for Prometheus; any process answers the same."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from host_agent import store
from host_agent.api.operation import Answer, Call, Operation, Variant
from host_agent.api.own.health import database_trouble
from host_agent.api.request_counts import BOUNDS, CLASSES, Counted
from host_agent.errors import StoreError
from host_agent.resource_usage import GroupUsage
from os_capability import __version__
from os_capability.render.prometheus import Family, Sample, prometheus_text

__all__ = ["SHOW", "fleet_families", "request_families"]

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _show(call: Call) -> object:
    families = [*_own(), *request_families(call.requests)]
    is_up = False
    # Without the database there is no fleet, and the requests that failed for that reason are told all the same.
    if database_trouble(call.engine) is None:
        try:
            families += _fleet(call)
            is_up = True
        except StoreError:
            pass
    up = Family("os_capability_api_database_up", "1 where the database answered this scrape.", [Sample(is_up)])
    text = prometheus_text([up, *families])
    return Answer(body=text.encode(), content_type=_CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _own() -> Iterator[Family]:
    labels = {"version": __version__, "python": platform.python_version()}
    yield Family("os_capability_api_build_info", "What serves the API.", [Sample(1, labels)])


def request_families(counted: Iterable[Counted]) -> Iterator[Family]:
    """Give what the processes of this service answered."""
    counted = list(counted)
    yield Family(
        "os_capability_api_requests_total",
        "Requests by route, method and class of the answer's status.",
        [
            Sample(number, {"route": one.route, "method": one.method, "status": name})
            for one in counted
            for name, number in zip(CLASSES, one.by_class, strict=True)
            if number
        ],
        "counter",
    )
    yield Family(
        "os_capability_api_request_duration_seconds",
        "What the requests took.",
        [sample for one in counted for sample in _histogram(one)],
        "histogram",
    )


def _histogram(one: Counted) -> Iterator[Sample]:
    labels = {"route": one.route, "method": one.method}
    for bound, number in zip((*BOUNDS, "+Inf"), accumulate(one.by_bound), strict=True):
        yield Sample(number, {**labels, "le": bound}, "_bucket")
    yield Sample(one.seconds, labels, "_sum")
    yield Sample(sum(one.by_bound), labels, "_count")


def _fleet(call: Call) -> Iterator[Family]:
    agent = call.settings.agent
    states = store.count_hosts(
        call.engine, down_after_seconds=agent.down_after, stale_after_seconds=3 * agent.full_interval
    )
    usage = store.fleet_usage(call.engine, down_after_seconds=agent.down_after)
    return fleet_families(states, usage)


def fleet_families(states: Mapping[str, int], usage: GroupUsage) -> Iterator[Family]:
    """Give the hosts by their state, and the resources of all that are not retired, in the units of Placement."""
    yield Family(
        "os_capability_fleet_hosts",
        "Hosts by state.",
        [Sample(number, {"state": name}) for name, number in states.items()],
    )
    resources = usage.resources.items()
    figures = {
        "inventory": "What all hosts have of a resource.",
        "capacity": "What workloads may be given: what is not reserved, times each host's allocation ratio.",
        "used": "What is reserved and what workloads hold.",
        "unknown_hosts": "Hosts of which the inventory or the use of a resource is not known.",
    }
    for figure, meaning in figures.items():
        attribute = {"inventory": "total", "unknown_hosts": "unknown"}.get(figure, figure)
        samples = [Sample(getattr(one, attribute), {"resource": name}) for name, one in resources]
        yield Family(f"os_capability_fleet_resource_{figure}", meaning, samples)


SHOW = Operation(
    "Give what this service was asked and what the fleet has, in Prometheus's text format.",
    (Variant(_show),),
    rule="os_capability:metrics",
    produces=("text/plain",),
)
