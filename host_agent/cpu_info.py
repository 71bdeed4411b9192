# SPDX-License-Identifier: Apache-2.0
"""The CPUs of a host as Nova's column ``cpu_info`` tells them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable

from os_capability import Host, NumaTopology
from os_capability.model import Cpu, Processor

__all__ = ["cpu_info"]


def cpu_info(facts: Host) -> str:
    """Give the JSON text of the column: model, vendor, flags and Nova's topology."""
    cpu = facts.cpu
    return json.dumps(
        {
            "arch": facts.system.architecture,
            "model": cpu.model,
            "vendor": cpu.vendor,
            "features": None if cpu.flags is None else list(cpu.flags),
            "topology": _topology(cpu, facts.numa),
        },
        separators=(",", ":"),
    )


def _topology(cpu: Cpu, numa: NumaTopology) -> dict[str, int | None]:
    """Give Nova's topology: sockets of each cell, cores of each socket, threads of each core.

    Readers multiply these four to get CPUs, as libvirt does. So a number is given only where it holds for every
    cell, socket or core; on a machine with four nodes in one socket, or a node without CPUs, there is no such number.
    """
    online = [processor for processor in cpu.processors if processor.online]
    sockets_by_node = [(p.node, _socket(p)) for p in online]
    memory_only = any(not node.cpus for node in numa.nodes)
    return {
        "cells": len(numa.nodes),
        "sockets": None if memory_only else _each_has(sockets_by_node),
        "cores": _each_has((_socket(p), p.core) for p in online),
        "threads": _each_has((p.core, p.id) for p in online),
    }


def _socket(processor: Processor) -> Hashable:
    # s390 counts sockets anew in each book, and books in each drawer.
    return None if processor.socket is None else (processor.drawer, processor.book, processor.socket)


def _each_has(pairs: Iterable[tuple[Hashable, Hashable]]) -> int | None:
    """Count the parts of each whole; ``None`` unless all wholes have as many, and no part belongs to two."""
    parts = defaultdict(set)
    for whole, part in pairs:
        if whole is None or part is None:
            return None
        parts[whole].add(part)
    counts = {len(members) for members in parts.values()}
    owners = Counter(part for members in parts.values() for part in members)
    return counts.pop() if len(counts) == 1 and set(owners.values()) == {1} else None
