# SPDX-License-Identifier: Apache-2.0
"""Reads the operating system: what it is, since when it runs, and on what."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from os_capability.linux import paths, system
from os_capability.linux.sources import Sources
from os_capability.model import System

__all__ = ["read_name", "read_system", "refresh_system"]


def read_name(sources: Sources, path: str) -> str | None:
    """Read a file that holds one word or line; blank is ``None``."""
    return sources.parsed(path, system.parse_name)


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


def _virtualization(sources: Sources, flags: Sequence[str]) -> str | None:
    dmi = (sources.text(path) or "" for path in (paths.DMI_VENDOR, paths.DMI_PRODUCT))
    return system.virtualization(
        hypervisor_type=sources.text(paths.HYPERVISOR_TYPE),
        clocksources=sources.text(paths.CLOCKSOURCES),
        dmi=" ".join(dmi),
        sysinfo=sources.text(paths.SYSINFO) or "",
        device_tree=sources.text(paths.DEVICE_TREE_HYPERVISOR) or "",
        flags=flags,
    )


def _users(sources: Sources) -> int | None:
    """Count the login sessions that systemd knows; ``None`` without it."""
    if not sources.root.exists(paths.LOGIN_SESSIONS):
        return None
    sessions = (name for name in sources.names(paths.LOGIN_SESSIONS) if "." not in name)
    texts = (sources.text(f"{paths.LOGIN_SESSIONS}/{name}") or "" for name in sessions)
    return sum("\nCLASS=user\n" in text for text in texts)


def _container_view(sources: Sources, kernel: str | None) -> system.ContainerView | None:
    root = sources.root
    # In a mounted /proc of another PID namespace `self` is a link, and not to us; in a capture it is a folder.
    self_is_us = root.is_live or root.link(paths.SELF) is None
    marks = (("docker", paths.DOCKER_MARK), ("podman", paths.PODMAN_MARK))
    view = system.container_view(
        managers={path: read_name(sources, path) for path in (paths.CONTAINER_MANAGER, paths.HOST_CONTAINER_MANAGER)},
        init_cgroup=sources.text(paths.INIT_CGROUP),
        mountinfo=sources.text(paths.SELF_MOUNTINFO) if self_is_us else None,
        pid_namespace=root.link(paths.SELF_PID_NAMESPACE) if self_is_us else None,
        kernel=kernel,
        marks=[engine for engine, path in marks if root.exists(path)],
    )
    if view is None:
        return None
    if view.manager == "lxc":
        made_by = (("lxd", paths.LXD_MARK), ("incus", paths.INCUS_MARK))
        view = view._replace(manager=next((name for name, path in made_by if root.exists(path)), "lxc"))
    return view
