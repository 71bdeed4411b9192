# SPDX-License-Identifier: Apache-2.0
"""What must hold of every answer, whatever the files were."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from os_capability import Host, OsCapabilityError, collect, refresh
from os_capability.capture import capture
from os_capability.insight.check import check
from os_capability.insight.diff import diff
from os_capability.insight.fit import fit
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.traits import traits
from os_capability.render.changes import render_changes
from os_capability.render.fit import render_fit
from os_capability.render.hazards import render_hazards
from os_capability.render.prometheus import render_prometheus
from os_capability.render.table import render_host
from os_capability.render.topology_svg import render_svg
from os_capability.render.topology_text import render_text

__all__ = ["examine", "examine_capture"]

LIMIT_SECONDS = 5.0
_NOBODY = 65534
_DEMANDS = (
    Demand(vcpus=2, memory_bytes=1 << 30),
    Demand(pcpus=4, memory_bytes=1 << 30, hugepage_size_bytes=2 << 20, numa_nodes=1),
)


def examine(root: str, source: str, before: Host | None) -> Host | None:
    """Read a tree and ask everything there is to ask of it; ``None`` where it is one of our errors.

    Raises:
        Exception: whatever should not have happened.
    """
    try:
        with _without_privileges(), within(LIMIT_SECONDS):
            host = collect(root, source)
    except OsCapabilityError as error:
        _is_one_line(str(error))
        return None
    _keeps_its_promises(host)
    with within(LIMIT_SECONDS):
        _round_trips(host)
        _can_be_shown(host, before or host)
        _can_be_refreshed(host, root)
    return host


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise where the body takes longer, also where it waits in the kernel."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    earlier = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _is_one_line(message: str) -> None:
    assert message.strip()
    assert "\n" not in message
    assert len(message) < 1000
    message.encode()


def _keeps_its_promises(host: Host) -> None:
    cpu, ids = host.cpu, [processor.id for processor in host.cpu.processors]
    assert len(cpu.online) == cpu.threads > 0
    assert cpu.offline == cpu.present - cpu.online
    assert len(set(ids)) == len(ids)
    assert {processor.id for processor in cpu.processors if processor.online} == set(cpu.online)
    nodes = [node.id for node in host.numa.nodes]
    assert len(set(nodes)) == len(nodes) > 0
    assert all(node.cpus <= cpu.online for node in host.numa.nodes)
    for text in _texts(host.to_dict()):
        assert text.isprintable()
        assert len(text) < 1000 or not text.strip("0123456789,-")  # a CPU set may be long


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        yield from part
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from _texts(item)


def _round_trips(host: Host) -> None:
    text = json.dumps(host.to_dict(), ensure_ascii=False, allow_nan=False)
    assert Host.from_dict(json.loads(text.encode())) == host


def _can_be_shown(host: Host, before: Host) -> None:
    hazards, changes = check(host), (*diff(before, host), *diff(host, before))
    assert diff(host, host) == ()
    shown = [
        render_host(host),
        render_text(host),
        render_svg(host),
        render_prometheus(host),
        render_hazards(hazards),
        render_changes(changes),
        *(render_fit(fit(host, demand), demand) for demand in _DEMANDS),
        *traits(host),
    ]
    for text in shown:
        text.encode()


def _can_be_refreshed(host: Host, root: str) -> None:
    # The fuzz is between two changes here: nothing moves, but what cannot be read is said again.
    try:
        with _without_privileges():
            refreshed = refresh(host, root)
    except OsCapabilityError as error:
        _is_one_line(str(error))
        return
    assert refreshed.cpu.online == host.cpu.online


def examine_capture(root: str) -> None:
    """Capture a tree, whatever is in it."""
    with within(2 * LIMIT_SECONDS):
        assert capture(root).archive


@contextmanager
def _without_privileges() -> Iterator[None]:
    """Be nobody for a while: to root no file is unreadable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
