# SPDX-License-Identifier: Apache-2.0
"""Reads the operating system: what it is, since when it runs, and on what."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from os_capability.linux import paths, system, virtualization
from os_capability.linux.container import ContainerView, container_view
from os_capability.linux.sources import Sources
from os_capability.model import MachineIdentity, System

__all__ = ["is_control_domain", "read_machine_identity", "read_name", "read_system", "refresh_system"]


def read_name(sources: Sources, path: str) -> str | None:
    """Read a file that holds one word or line; blank is ``None``."""
    return sources.parsed(path, system.parse_name)


def read_machine_identity(sources: Sources) -> MachineIdentity:
    """Read who this machine is."""
    return MachineIdentity(
        hostname=sources.parsed(paths.HOSTNAME, system.parse_given_name),
        machine_id=sources.parsed(paths.MACHINE_ID, system.parse_given_name),
        product_uuid=sources.parsed(paths.PRODUCT_UUID, system.parse_product_uuid),
        boot_id=read_name(sources, paths.BOOT_ID),
    )


def read_system(sources: Sources, flags: Sequence[str]) -> System:
    """Read the system facts."""
    kernel = read_name(sources, paths.KERNEL_RELEASE)
    boot_time = sources.parsed(paths.STAT, system.parse_boot_time)
    view = _container_view(sources, kernel)
    return System(
        os_type="linux",
        os=next(filter(None, (sources.parsed(path, system.parse_os_release) for path in paths.OS_RELEASE)), None),
        kernel=kernel,
        architecture=_architecture(sources),
        virtualization=_virtualization(sources, flags),
        boot_time=None if boot_time is None else datetime.fromtimestamp(boot_time, timezone.utc),
        uptime_seconds=sources.parsed(paths.UPTIME, system.parse_uptime),
        load_average=sources.parsed(paths.LOADAVG, system.parse_loadavg),
        users=_users(sources),
        view="host" if view is None else "container",
        container=None if view is None else view.manager,
        view_evidence=None if view is None else view.evidence,
    )


def refresh_system(sources: Sources, known: System) -> System:
    """Read again what moves by itself."""
    return replace(
        known,
        uptime_seconds=sources.parsed(paths.UPTIME, system.parse_uptime),
        load_average=sources.parsed(paths.LOADAVG, system.parse_loadavg),
        users=_users(sources),
    )


def _architecture(sources: Sources) -> str | None:
    name = read_name(sources, paths.KERNEL_ARCHITECTURE)
    # uname() speaks of the machine we run on, which a captured root is not.
    return os.uname().machine if name is None and sources.root.is_live else name


def is_control_domain(sources: Sources) -> bool:
    """Tell whether this is Xen's domain 0, whose CPUs say ``hypervisor`` though it is no guest."""
    if not sources.exists(paths.HYPERVISOR_TYPE):
        return False
    return virtualization.is_control_domain(sources.text(paths.XEN_FEATURES), sources.text(paths.XEN_CAPABILITIES))


def _virtualization(sources: Sources, flags: Sequence[str]) -> str | None:
    if is_control_domain(sources):
        return None
    dmi = (sources.text(path) or "" for path in (paths.DMI_VENDOR, paths.DMI_PRODUCT))
    return virtualization.hypervisor(
        hypervisor_type=sources.text(paths.HYPERVISOR_TYPE),
        clocksources=sources.text(paths.CLOCKSOURCES),
        dmi=" ".join(dmi),
        sysinfo=sources.text(paths.SYSINFO) or "",
        device_tree=sources.text(paths.DEVICE_TREE_HYPERVISOR) or "",
        power_hypervisor=_power_hypervisor(sources),
        flags=flags,
    )


def _power_hypervisor(sources: Sources) -> str | None:
    """Give what a POWER guest's device tree shows; QEMU gives its guests a partition's name as well."""
    if sources.exists(paths.DEVICE_TREE_QEMU):
        return "qemu"
    return "powervm" if sources.exists(paths.DEVICE_TREE_PARTITION) else None


def _users(sources: Sources) -> int | None:
    """Count the login sessions that systemd knows; ``None`` without it."""
    sessions = sources.entries(paths.LOGIN_SESSIONS)
    if sessions is None:
        return None
    texts = (sources.text(f"{paths.LOGIN_SESSIONS}/{name}") or "" for name in sessions if "." not in name)
    return sum("\nCLASS=user\n" in text for text in texts)


def _container_view(sources: Sources, kernel: str | None) -> ContainerView | None:
    # In a mounted /proc of another PID namespace `self` is a link, and not to us; in a capture it is a folder.
    self_is_us = sources.root.is_live or sources.link(paths.SELF) is None
    marks = (("docker", paths.DOCKER_MARK), ("podman", paths.PODMAN_MARK))
    view = container_view(
        managers={path: read_name(sources, path) for path in (paths.CONTAINER_MANAGER, paths.HOST_CONTAINER_MANAGER)},
        init_cgroup=sources.text(paths.INIT_CGROUP),
        mountinfo=sources.text(paths.SELF_MOUNTINFO) if self_is_us else None,
        pid_namespace=sources.link(paths.SELF_PID_NAMESPACE) if self_is_us else None,
        kernel=kernel,
        marks=[engine for engine, path in marks if sources.exists(path)],
    )
    if view is None:
        return None
    if view.manager == "lxc":
        made_by = (("lxd", paths.LXD_MARK), ("incus", paths.INCUS_MARK))
        view = view._replace(manager=next((name for name, path in made_by if sources.exists(path)), "lxc"))
    return view
