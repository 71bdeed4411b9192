# SPDX-License-Identifier: Apache-2.0
"""What an answer about the whole machine does not consider: what binds the process that asks, or hides the machine."""

from __future__ import annotations

from os_capability.cpuset import CpuSet
from os_capability.model import Host
from os_capability.size import format_bytes
from os_capability.wording import cpus_text

__all__ = ["notes_of"]


def notes_of(host: Host) -> tuple[str, ...]:
    """Give a sentence for each thing that may leave the asking process less than the machine has."""
    notes = []
    bounds = _bounds(host)
    if bounds:
        listed = " and ".join(filter(None, [", ".join(bounds[:-1]), bounds[-1]]))
        notes.append(f"not considered: this process may use {listed}")
    if host.system.view == "container":
        notes.append("these are the facts a container is shown")
    return tuple(notes)


def _bounds(host: Host) -> list[str]:
    """Give what the asking process may use of CPUs, their time and memory, where that is less than the machine has."""
    limits, bounds = host.limits, []
    usable = host.cpu.online
    for allowed in (limits.cpus, limits.affinity):
        usable = usable if allowed is None else usable & allowed
    # Isolated CPUs are not in the affinity that processes start with.
    if not usable >= host.cpu.online - (host.cpu.isolated or CpuSet()):
        bounds.append(cpus_text(usable))
    if limits.cpu_quota is not None and limits.cpu_quota < len(usable):
        bounds.append(f"{limits.cpu_quota:g} CPU{'' if limits.cpu_quota == 1 else 's'} of time")
    total_bytes = host.memory.total_bytes
    if limits.memory_bytes is not None and (total_bytes is None or limits.memory_bytes < total_bytes):
        bounds.append(format_bytes(limits.memory_bytes))
    return bounds
