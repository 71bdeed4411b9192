# SPDX-License-Identifier: Apache-2.0
"""How many containers a host has, by state, as far as that is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from host_agent.workloads.discovery import Discovery
from host_agent.workloads.engine import ANSWERED
from host_agent.workloads.workload import CONTAINER, PAUSED, RUNNING

__all__ = ["ContainerCounts", "counts"]

# These tell nothing of stopped containers: the one has virtual machines, the other sees what runs.
_NOT_ASKED_FOR_STOPPED = frozenset({"libvirt", "cgroups"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCounts:
    """Containers by state; ``None`` where one of the engines did not tell, and nobody else could."""

    total: int | None
    running: int | None
    paused: int | None
    stopped: int | None


def counts(discovery: Discovery) -> ContainerCounts:
    """Count the containers of `discovery`; what an engine told last stands while it does not answer."""
    states = [workload.state for workload in discovery.workloads if workload.kind == CONTAINER]
    running, paused = states.count(RUNNING), states.count(PAUSED)
    stopped = len(states) - running - paused
    asked = [seen.report for seen in discovery.engines if seen.report.engine not in _NOT_ASKED_FOR_STOPPED]
    # That no engine is here is known where somebody looked.
    somebody_looked = discovery.knows_running or discovery.engines != ()
    have_told = somebody_looked and all(report.status == ANSWERED for report in asked)
    knows_running = discovery.knows_running or have_told
    listed = {report.engine for report in asked if report.lists_stopped}
    # Engines without a driver of their own are seen in the control groups alone.
    strangers = {workload.engine for workload in discovery.workloads if workload.kind == CONTAINER} - listed
    knows_stopped = have_told and not strangers and all(report.lists_stopped for report in asked)
    return ContainerCounts(
        total=len(states) if knows_running and knows_stopped else None,
        running=running if knows_running else None,
        paused=paused if knows_running else None,
        stopped=stopped if knows_stopped else None,
    )
