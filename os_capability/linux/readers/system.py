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
    return (sources.text(path) or "").strip("\0 \n") or None


def read_system(sources: Sources, flags: Sequence[str]) -> System:
    """Read the system facts."""
    release = next(filter(None, map(sources.text, paths.OS_RELEASE)), None)
    boot_time = system.parse_boot_time(sources.text(paths.STAT) or "")
    return System(
        os_type="linux",
        os=None if release is None else system.parse_os_release(release),
        kernel=read_name(sources, paths.KERNEL_RELEASE),
        architecture=_architecture(sources),
        virtualization=_virtualization(sources, flags),
        boot_time=None if boot_time is None else datetime.fromtimestamp(boot_time, timezone.utc),
        uptime_seconds=system.parse_uptime(sources.text(paths.UPTIME) or ""),
        load_average=system.parse_loadavg(sources.text(paths.LOADAVG) or ""),
        users=_users(sources),
        view=_view(sources),
        container=None,
        view_evidence=None,
    )


def refresh_system(sources: Sources, known: System) -> System:
    """Read again what moves by itself."""
    return replace(
        known,
        uptime_seconds=system.parse_uptime(sources.text(paths.UPTIME) or ""),
        load_average=system.parse_loadavg(sources.text(paths.LOADAVG) or ""),
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


def _view(sources: Sources) -> str:
    live = sources.root.is_live
    evidence = system.container_evidence(
        # In a mounted /proc of another PID namespace, self is not us.
        pid_namespace=sources.root.link(paths.SELF_PID_NAMESPACE) if live else None,
        init_cgroup=sources.text(paths.INIT_CGROUP),
        mountinfo=sources.text(paths.SELF_MOUNTINFO) if live else None,
        manager=sources.text(paths.CONTAINER_MANAGER),
        has_mark=any(map(sources.root.exists, (paths.DOCKER_MARK, paths.PODMAN_MARK))),
    )
    if evidence is None:
        return "host"
    sources.warn("container-view", f"these are the facts a container is shown: {evidence}")
    return "container"
