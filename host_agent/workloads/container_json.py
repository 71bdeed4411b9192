# SPDX-License-Identifier: Apache-2.0
"""The JSON of Docker's API, which Podman speaks too: containers, their limits, and the engine itself. Pure.

Source: Docker Engine API 1.41, ``ContainerList``, ``ContainerInspect`` and ``SystemInfo``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from host_agent.workloads.workload import (
    CONTAINER,
    PAUSED,
    RUNNING,
    STOPPED,
    Workload,
    vcpus_of_quota,
    workload_uuid,
)
from os_capability import CpuSet, InvalidCpuSet

__all__ = [
    "NO_LIMITS",
    "ContainerLimits",
    "EngineInformation",
    "ListedContainer",
    "has_disk_quota",
    "parse_container",
    "parse_information",
    "parse_limits",
]

# A container that restarts, or whose processes have been told to end, still holds what it holds. All other states
# (created, configured, initialized, exited, stopped, removing, dead) have no process.
_STATES = {"running": RUNNING, "restarting": RUNNING, "stopping": RUNNING, "paused": PAUSED}
_DEFAULT_PERIOD_MICROSECONDS = 100_000
# Each container is a volume of its own, which has a size.
_DRIVERS_WITH_QUOTA = frozenset({"btrfs", "devicemapper", "zfs"})
# These limit a folder, which XFS does by project quotas where it was mounted so.
_DRIVERS_ON_PROJECT_QUOTA = frozenset({"overlay", "overlay2", "vfs"})
_PROJECT_QUOTA = frozenset({"pquota", "prjquota"})

_VERSION = re.compile(r"v?(\d{1,5})\.(\d{1,3})(?:\.(\d{1,3}))?(?!\d)")
# What the option of storage says, with the engine's own binary units: 10G, 512m, 1.5GB, 1073741824.
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,6})?) ?([kmgtp]?)i?b?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedContainer:
    """A container, as the list has it.

    Attributes:
        id: the engine's, 64 hexadecimal digits.
        name: without the slash that the engine puts before it; the id's beginning where it has none.
        state: `RUNNING`, `PAUSED` or `STOPPED`.
        labels: its own.
    """

    id: str
    name: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def workload(self, engine: str, limits: ContainerLimits) -> Workload:
        """Give the workload that this container is."""
        return Workload(
            uuid=workload_uuid(engine, self.id, self.name),
            name=self.name,
            engine=engine,
            kind=CONTAINER,
            state=self.state,
            vcpus=limits.vcpus,
            cpuset=limits.cpuset,
            memory_bytes=limits.memory_bytes,
            disk_bytes=limits.disk_bytes,
            numa_nodes=limits.numa_nodes,
            labels=self.labels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLimits:
    """What a container may use; ``None``: it has no such limit, or none that is understood.

    Attributes:
        vcpus: by its share of time, else as many as its cpuset has.
        cpuset: the CPUs it may run on.
        memory_bytes: without swap.
        disk_bytes: that its writable layer may grow to.
        numa_nodes: the nodes its memory comes from.
    """

    vcpus: float | None = None
    cpuset: CpuSet | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    numa_nodes: tuple[int, ...] | None = None


NO_LIMITS = ContainerLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInformation:
    """What an engine says of itself; ``None``: it does not say.

    Attributes:
        version: 1,000,000 x major + 1,000 x minor + patch.
        runtimes: names of those it may start containers with, sorted.
        default_runtime: the one it takes if nobody names another.
        labels: what the operator wrote on the engine.
        storage_driver: where images and containers lie.
        backing_filesystem: the type of the file system below.
        root_directory: where they lie on the host.
        is_podman: whether it is Podman, which speaks Docker's language at Docker's socket too.
    """

    version: int | None = None
    runtimes: tuple[str, ...] | None = None
    default_runtime: str | None = None
    labels: Mapping[str, str] | None = field(default=None, hash=False)
    storage_driver: str | None = None
    backing_filesystem: str | None = None
    root_directory: str | None = None
    is_podman: bool = False


def parse_container(listed: object) -> ListedContainer | None:
    """Read an element of the list; ``None`` where it is no container."""
    match listed:
        case {"Id": str(identifier)} if identifier:
            state = _STATES.get(str(_get(listed, "State")).lower(), STOPPED)
            return ListedContainer(
                id=identifier, name=_name(listed, identifier), state=state, labels=_texts(_get(listed, "Labels")) or {}
            )
    return None


def parse_limits(inspected: object) -> ContainerLimits:
    """Read the limits of a container that was inspected; what is not understood counts as not known."""
    config = _get(inspected, "HostConfig")
    cpuset = _cpus(_get(config, "CpusetCpus"))
    nodes = _cpus(_get(config, "CpusetMems"))
    return ContainerLimits(
        vcpus=_vcpus(config, cpuset),
        cpuset=cpuset,
        memory_bytes=_positive(_get(config, "Memory")),
        disk_bytes=_size(_get(_get(config, "StorageOpt"), "size")),
        numa_nodes=None if nodes is None else tuple(nodes),
    )


def parse_information(info: object) -> EngineInformation:
    """Read what the engine says of itself."""
    runtimes = _get(info, "Runtimes")
    return EngineInformation(
        version=_version(_get(info, "ServerVersion")),
        runtimes=tuple(sorted(runtimes)) if isinstance(runtimes, dict) else None,
        default_runtime=_text(_get(info, "DefaultRuntime")),
        labels=_engine_labels(_get(info, "Labels")),
        storage_driver=_text(_get(info, "Driver")),
        backing_filesystem=_backing_filesystem(_get(info, "DriverStatus")),
        root_directory=_text(_get(info, "DockerRootDir")),
        is_podman=_get(info, "BuildahVersion") is not None,
    )


def has_disk_quota(driver: str | None, backing_filesystem: str | None, mount_options: frozenset[str]) -> bool | None:
    """Tell whether a container's disk can be limited; ``None`` where that is not known.

    Args:
        driver: the engine's storage driver.
        backing_filesystem: the type of the file system that it works on.
        mount_options: of that file system; empty where they are not known.
    """
    if driver is None:
        return None
    if driver not in _DRIVERS_ON_PROJECT_QUOTA:
        return driver in _DRIVERS_WITH_QUOTA
    if backing_filesystem is None:
        return None
    if backing_filesystem != "xfs":
        return False
    return bool(mount_options & _PROJECT_QUOTA) if mount_options else None


def _get(where: object, name: str) -> Any:
    return where.get(name) if isinstance(where, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> dict[str, str] | None:
    return {key: str(text) for key, text in value.items()} if isinstance(value, dict) else None


def _name(listed: object, identifier: str) -> str:
    """Give the container's own name: before the links that others have to it, which are below their names."""
    names = _get(listed, "Names")
    own = [name.lstrip("/") for name in names if isinstance(name, str)] if isinstance(names, list) else []
    name = min((name for name in own if name), key=lambda name: name.count("/"), default=identifier[:12])
    return name if name.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in name)


def _positive(value: object) -> int | None:
    """Give a number; 0 and -1 stand for no limit."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _vcpus(config: object, cpuset: CpuSet | None) -> float | None:
    billionths, quota = _positive(_get(config, "NanoCpus")), _positive(_get(config, "CpuQuota"))
    if billionths is not None:
        return vcpus_of_quota(billionths, 10**9)
    if quota is not None:
        return vcpus_of_quota(quota, _positive(_get(config, "CpuPeriod")) or _DEFAULT_PERIOD_MICROSECONDS)
    return None if cpuset is None else float(len(cpuset))


def _cpus(value: object) -> CpuSet | None:
    try:
        return CpuSet.parse_list(value) or None if isinstance(value, str) else None
    except InvalidCpuSet:
        return None


def _size(value: object) -> int | None:
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    return int(float(found[1]) * 1024 ** " kmgtp".index(found[2].lower() or " ")) or None


def _version(value: object) -> int | None:
    found = _VERSION.match(value) if isinstance(value, str) else None
    return None if found is None else int(found[1]) * 1_000_000 + int(found[2]) * 1_000 + int(found[3] or 0)


def _engine_labels(value: object) -> dict[str, str] | None:
    """Read ``["name=value", "name"]``."""
    if not isinstance(value, list):
        return None
    pairs = (label.partition("=") for label in value if isinstance(label, str))
    return {name: text for name, _, text in pairs if name}


def _backing_filesystem(status: object) -> str | None:
    """Read ``[["Backing Filesystem", "extfs"], ...]``."""
    for row in status if isinstance(status, list) else ():
        match row:
            case ["Backing Filesystem", str(name)] if name and not name.startswith("<"):
                return name
    return None
