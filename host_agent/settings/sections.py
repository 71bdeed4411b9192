# SPDX-License-Identifier: Apache-2.0
"""The settings as frozen values, one for each section of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from host_agent.reserved_pages import ReservedPages
from os_capability import CpuSet

__all__ = [
    "AgentSettings",
    "ApiSettings",
    "CapacitySettings",
    "DatabaseSettings",
    "EventSettings",
    "KeystoneSettings",
    "MetricsSettings",
    "PlacementSettings",
    "Settings",
    "WorkloadSettings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Section ``[database]``."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Section ``[agent]``; intervals are seconds."""

    root: str
    source: str
    refresh_interval: int
    full_interval: int
    report_interval: int
    down_after: int
    retry_interval: int
    stall_after: int
    binary: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """Section ``[events]``; ``fold_interval`` is seconds."""

    fold_interval: int
    max_age_days: int
    max_per_host: int
    spool_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Section ``[metrics]``; ``None`` is nowhere."""

    bind: str | None
    textfile: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySettings:
    """Section ``[compute]``, and what Nova has of it in ``[DEFAULT]``; ``*_mb`` is MiB.

    Attributes:
        cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio: ``None`` is Nova's initial ratio.
        cpu_dedicated_set, cpu_shared_set: ``None`` where the operator keeps no such set.
        instances_path: ``None`` is wherever the engines keep their disks.
    """

    reserved_host_cpus: int = 0
    reserved_host_memory_mb: int = 512
    reserved_host_disk_mb: int = 0
    reserved_huge_pages: tuple[ReservedPages, ...] = ()
    cpu_allocation_ratio: float | None = None
    ram_allocation_ratio: float | None = None
    disk_allocation_ratio: float | None = None
    cpu_dedicated_set: CpuSet | None = None
    cpu_shared_set: CpuSet | None = None
    enable_cpu_pinning: bool = False
    cpu_labels: Mapping[str, str] | None = field(default=None, hash=False)
    memory_labels: Mapping[str, str] | None = field(default=None, hash=False)
    disk_labels: Mapping[str, str] | None = field(default=None, hash=False)
    instances_path: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSettings:
    """Section ``[workloads]``; ``time_limit`` is seconds."""

    engines: tuple[str, ...]
    docker_socket: str
    podman_socket: str
    libvirt_uri: str
    time_limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeystoneAccount:
    """Who speaks to Keystone, and where; under the names that every service of OpenStack has for it."""

    auth_url: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    project_name: str = "service"
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"
    region_name: str | None = None
    interface: str = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementSettings(KeystoneAccount):
    """Section ``[placement]``.

    Attributes:
        url: ``None`` is what Keystone's catalog says; nothing is reported where `auth_url` is ``None`` too.
        pci_classes: the resource class of each ``vendor:product``.
    """

    url: str | None = None
    auth: str = "keystone"
    token: str = field(default="admin", repr=False)
    ca_file: str | None = None
    numa_nodes: bool = False
    pci_classes: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def is_on(self) -> bool:
        """Whether there is a Placement to report to: its own address is given, or that of a Keystone that knows it."""
        return self.url is not None or (self.auth == "keystone" and self.auth_url is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Section ``[api]``.

    Attributes:
        policy_file: ``None`` is the defaults alone.
        tls_certificate, tls_key: both or none.
        public_url: without a slash at its end; ``None`` is what each request names.
        max_writes_per_minute: of one client, on one worker; 0 is any number.
    """

    bind: str = "127.0.0.1:8775"
    auth: str = "none"
    policy_file: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    public_url: str | None = None
    workers: int = 2
    threads: int = 4
    max_limit: int = 1000
    max_body_bytes: int = 114_688
    max_writes_per_minute: int = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeystoneSettings(KeystoneAccount):
    """Section ``[keystone_authtoken]``.

    Attributes:
        token_cache_time: seconds; -1 is not at all.
    """

    www_authenticate_uri: str | None = None
    cafile: str | None = None
    insecure: bool = False
    memcached_servers: tuple[str, ...] | None = None
    token_cache_time: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, defaults filled in; ``host`` and ``my_ip`` are ``None`` where the machine itself decides."""

    host: str | None
    my_ip: str | None
    host_uuid_file: str
    state_path: Path
    database: DatabaseSettings
    agent: AgentSettings
    events: EventSettings
    metrics: MetricsSettings
    capacity: CapacitySettings
    workloads: WorkloadSettings
    placement: PlacementSettings
    api: ApiSettings
    keystone_authtoken: KeystoneSettings
