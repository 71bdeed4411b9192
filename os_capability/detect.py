# SPDX-License-Identifier: Apache-2.0
"""The one place that chooses a driver, and the two calls most users want."""

from __future__ import annotations

import sys

from os_capability.driver import HostDriver
from os_capability.errors import UnsupportedPlatform
from os_capability.model import Host

__all__ = ["SOURCES", "collect", "load_driver", "refresh"]

SOURCES = ("auto", "lscpu", "sysfs")

_PLATFORMS = ("linux",)


def load_driver(root: str = "/", source: str = "auto") -> HostDriver:
    """Give the driver for a machine: this one, or the one whose ``proc`` and ``sys`` lie under `root`.

    A foreign root is always a Linux machine, whatever system we run on.

    Args:
        root: a folder with the machine's ``proc`` and ``sys``; ``/`` is the machine we run on.
        source: who tells the topology: ``auto`` (both, sysfs decides), ``lscpu`` or ``sysfs`` alone.

    Raises:
        UnsupportedPlatform: no driver knows this operating system.
        InvalidRoot: `root` is no folder, or holds neither ``proc`` nor ``sys``.
        ValueError: `source` is none of `SOURCES`.
    """
    if source not in SOURCES:
        raise ValueError(f"source is one of {', '.join(SOURCES)}, not {source!r}")
    if root == "/" and not sys.platform.startswith("linux"):
        raise UnsupportedPlatform(sys.platform, _PLATFORMS)
    from os_capability.linux.driver import LinuxDriver

    return LinuxDriver(root, source)


def collect(root: str = "/", source: str = "auto") -> Host:
    """Read a whole machine.

    Args:
        root: as for `load_driver`.
        source: as for `load_driver`. An explicit source never falls back on the other.

    Raises:
        OsCapabilityError: one of its children, as `load_driver` and `HostDriver.collect` say.
    """
    return load_driver(root, source).collect()


def refresh(host: Host, root: str = "/") -> Host:
    """Read the fast facts again and keep the rest of `host`; see `HostDriver.refresh`.

    Raises:
        OsCapabilityError: one of its children, as `load_driver` and `HostDriver.refresh` say.
    """
    return load_driver(root).refresh(host)
