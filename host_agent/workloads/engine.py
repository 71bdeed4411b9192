# SPDX-License-Identifier: Apache-2.0
"""What every engine's driver promises, and what it gives. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from host_agent.workloads.workload import Workload

__all__ = ["ABSENT", "ANSWERED", "CONTROL_GROUPS", "UNREADABLE", "Engine", "EngineReport"]

# It told what it runs; it is not on this host; it is here, and could not be asked.
ANSWERED = "answered"
ABSENT = "absent"
UNREADABLE = "unreadable"

# The engine that is none: it tells of what others run, by their names.
CONTROL_GROUPS = "cgroups"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """What one engine runs, at one look.

    Attributes:
        engine: its name, as in `Workload.engine`.
        status: `ANSWERED`, `ABSENT` or `UNREADABLE`.
        reason: for a person, why it is unreadable and what to do; ``None`` otherwise.
        workloads: what it runs; empty unless it answered.
        lists_stopped: whether stopped workloads are among them: without, nobody knows of those.
        runtimes: what it can run a container with (``runc``, ``kata`` ...).
        labels: what the operator wrote on the engine.
        storage_driver: where its images and containers lie (``overlay2``, ``vfs`` ...).
        disk_quota_supported: whether a container's disk can be limited.
        root_directory: where its disks lie on the host.
        disk_overcommitted_bytes: what the disks of its workloads may still grow by.
        hypervisor_type: as Nova spells it (``QEMU``, ``docker`` ...).
        hypervisor_version: Nova's number: 1,000,000 x major + 1,000 x minor + patch.
    """

    engine: str
    status: str
    reason: str | None = None
    workloads: tuple[Workload, ...] = ()
    lists_stopped: bool = True
    runtimes: tuple[str, ...] | None = None
    labels: Mapping[str, str] | None = None
    storage_driver: str | None = None
    disk_quota_supported: bool | None = None
    root_directory: str | None = None
    disk_overcommitted_bytes: int = 0
    hypervisor_type: str | None = None
    hypervisor_version: int | None = None


class Engine(Protocol):
    """One engine of this host; asked by one caller at a time, and allowed to hang: who asks has a time limit."""

    @property
    def name(self) -> str:
        """The engine's name."""

    def look(self) -> EngineReport:
        """Ask it what it runs; what goes wrong is in the answer, never raised."""
