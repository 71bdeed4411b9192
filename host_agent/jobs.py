# SPDX-License-Identifier: Apache-2.0
"""The jobs of the daemon, put together from the settings; when each runs is the daemon's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from host_agent import log
from host_agent.baseline import Baseline
from host_agent.capacity import capacity, refuse_impossible
from host_agent.collector import Collector
from host_agent.engines import load_survey
from host_agent.folding import Folding
from host_agent.health import PLACEMENT, REPORT, Health
from host_agent.identity import LocalIdentity
from host_agent.metrics import Metrics
from host_agent.notify import Notifier
from host_agent.outbox import Outbox
from host_agent.publisher import Publisher
from host_agent.reporter import Reporter
from host_agent.settings import Settings, hide_password
from host_agent.spool import Spool
from host_agent.status import STATE_FILE, StateFile
from host_agent.store import open_engine
from host_agent.store.engine import Engine
from host_agent.surveyor import Surveyor
from host_agent.watch import HostWatch
from os_capability import __version__, load_driver

if TYPE_CHECKING:
    from host_agent.report.placement import PlacementReporter, Report

__all__ = ["Jobs", "put_together"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What takes turns, and what it is made of.

    Attributes:
        collector: reads the machine.
        surveyor: asks what runs here.
        reporter: tells the database.
        placement: tells Placement; ``None`` where the settings name none.
        publisher: tells whoever asks how the others fare.
        metrics: what it tells Prometheus.
        engine: the database.
        host_uuid: this host's uuid, as it is on disk at the start.
    """

    collector: Collector
    surveyor: Surveyor
    reporter: Reporter
    placement: PlacementReporter | None
    publisher: Publisher
    metrics: Metrics
    engine: Engine
    host_uuid: str


def put_together(
    settings: Settings,
    health: Health,
    notifier: Notifier,
    *,
    report_now: Callable[[], None],
    report_after: Callable[[str, float], None],
    clock: Callable[[], float] = time.monotonic,
) -> Jobs:
    """Make every job; none has had a turn yet.

    Args:
        settings: all of them.
        health: is told how each fares.
        notifier: the way to systemd.
        report_now: called when there is something to tell the database.
        report_after: called with the name of a reporting job and the seconds until its next turn is to be.
        clock: seconds that never go back.

    Raises:
        OsCapabilityError: there is no driver for this machine, or ``root`` holds none.
        HostAgentError: the state directory is not usable, or the database's URL or a setting is wrong.
    """
    agent, state_path = settings.agent, settings.state_path
    identity = LocalIdentity(
        state_path, host=settings.host, my_ip=settings.my_ip, host_uuid_file=settings.host_uuid_file
    )
    health.set(host_uuid=identity.uuid)
    log.name_host(identity.uuid)
    driver = load_driver(agent.root, agent.source, health.part)
    outbox = Outbox(Spool(state_path / "events.jsonl", settings.events.spool_size))
    collector = Collector(
        watch=HostWatch(driver, agent.full_interval, clock),
        baseline=Baseline(state_path / "facts.json"),
        folding=Folding(settings.events.fold_interval),
        outbox=outbox,
        health=health,
        host_uuid=lambda: identity.uuid,
        admit=lambda host: refuse_impossible(host, settings.capacity),
        collected=report_now,
        clock=clock,
    )
    engine = open_engine(settings.database.url)
    reporter = Reporter(
        engine=engine,
        settings=settings,
        identity=identity,
        driver=driver,
        collector=collector,
        outbox=outbox,
        health=health,
        next_turn=lambda seconds: report_after(REPORT, seconds),
    )
    metrics = Metrics(settings.metrics, health, __version__)
    publisher = Publisher(
        health=health,
        state_file=StateFile(state_path / STATE_FILE, agent),
        metrics=metrics,
        notifier=notifier,
        database=hide_password(settings.database.url),
    )
    return Jobs(
        collector=collector,
        surveyor=Surveyor(survey=load_survey(settings), outbox=outbox, health=health, changed=report_now),
        reporter=reporter,
        placement=_placement(settings, health, identity, outbox, report_after),
        publisher=publisher,
        metrics=metrics,
        engine=engine,
        host_uuid=identity.uuid,
    )


def _placement(
    settings: Settings,
    health: Health,
    identity: LocalIdentity,
    outbox: Outbox,
    report_after: Callable[[str, float], None],
) -> PlacementReporter | None:
    if not settings.placement.is_on:
        return None
    # Only where there is a Placement: what nobody uses takes no memory.
    from host_agent.report.placement import PlacementReporter, Report

    def current() -> Report | None:
        facts, discovery, who, state = outbox.facts, outbox.discovery, identity.current(), health.snapshot()
        # The uuid of a host that the database has not taken may still change, and its provider would stay behind.
        if facts is None or who is None or state.is_retired or not state.registered:
            return None
        disk = None if discovery is None else discovery.disk
        return Report(host=facts.host, capacity=capacity(facts.host, settings.capacity, disk), identity=who)

    return PlacementReporter(
        settings=settings.placement,
        agent=settings.agent,
        current=current,
        health=health,
        next_turn=lambda seconds: report_after(PLACEMENT, seconds),
    )
