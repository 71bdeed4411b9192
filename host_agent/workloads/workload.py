# SPDX-License-Identifier: Apache-2.0
"""Workload: a container or a virtual machine, and what it holds of its host. Pure values."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from os_capability import CpuSet

__all__ = [
    "CONTAINER",
    "MOST_VCPUS",
    "PAUSED",
    "RUNNING",
    "STOPPED",
    "VM",
    "HeldPages",
    "Workload",
    "vcpus_of_quota",
    "workload_uuid",
]

CONTAINER = "container"
VM = "vm"

RUNNING = "running"
PAUSED = "paused"
STOPPED = "stopped"

# More than any machine has. A quota above it is one of the many ways to write "no limit".
MOST_VCPUS = 1 << 16

# Engines know a container by an id that is no uuid; the same id gives the same uuid on every host and at every look.
_NAMESPACE = uuid.UUID("6f1cf6b1-4f0e-5d7c-9a53-2f6f0c1c8d5e")
# What an orchestrator calls its own containers: Zun's are `zun-<uuid>`.
_NAMED_BY_UUID = re.compile(
    r"^/?(?:zun-)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPages:
    """Huge pages of one size: `count` pages of `size_bytes` each."""

    size_bytes: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What runs, or could run, on a host.

    Attributes:
        uuid: the same wherever the workload is seen; see `workload_uuid`.
        name: what people call it.
        engine: who runs it: ``docker``, ``podman``, ``libvirt``, ``containerd``, ``cri-o`` ...
        kind: `CONTAINER` or `VM`.
        state: `RUNNING`, `PAUSED`, `STOPPED`, or another word of whoever recorded it.
        vcpus: CPUs it may use; ``None``: it has no limit, or none that is known.
        cpuset: the CPUs it may run on; ``None``: all.
        memory_bytes: all memory it may use, huge pages among it; ``None``: it has no limit, or none that is known.
        hugepages: the pools it takes pages from; ``None``: not known.
        disk_bytes: what its disks may grow to; ``None``: not known.
        numa_nodes: the nodes its memory comes from; ``None``: any.
        labels: whatever its owner wrote on it.
    """

    uuid: str
    name: str
    engine: str
    kind: str
    state: str
    vcpus: float | None = None
    cpuset: CpuSet | None = None
    memory_bytes: int | None = None
    hugepages: tuple[HeldPages, ...] | None = None
    disk_bytes: int | None = None
    numa_nodes: tuple[int, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


def workload_uuid(engine: str, identifier: str, name: str | None = None) -> str:
    """Give the uuid of what an engine knows as `identifier`.

    That is the uuid in `name` where an orchestrator named it so (Zun: ``zun-<uuid>``), `identifier` itself where that
    is a uuid, else one made from engine and identifier.
    """
    for text in (name, identifier):
        found = _NAMED_BY_UUID.match(text or "")
        if found:
            return found[1].lower()
    # A group's name is any bytes that its owner chose, and what is no UTF-8 among them comes as lone surrogates.
    text = f"{engine} {identifier}".encode("utf-8", "backslashreplace").decode()
    return str(uuid.uuid5(_NAMESPACE, text))


def vcpus_of_quota(allowed: int, out_of: int) -> float | None:
    """Give the CPUs of so much time in each period; ``None`` where that is no limit to any machine.

    Args:
        allowed: time on CPUs; 0 is no limit.
        out_of: the period, in the same unit, above 0.
    """
    # Before the division: what comes from an engine may be too large for a float.
    return allowed / out_of if 0 < allowed <= MOST_VCPUS * out_of else None
