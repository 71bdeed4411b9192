# SPDX-License-Identifier: Apache-2.0
"""The one place that chooses a driver, and the two calls most users want."""

from __future__ import annotations

import importlib
import sys

from os_capability.driver import HostDriver
from os_capability.errors import SourceUnreadable
from os_capability.model import Host
from os_capability.parts import OnPart, TimedDriver

__all__ = ["SOURCES", "collect", "load_driver", "native_driver", "refresh"]

SOURCES = ("auto", "lscpu", "sysfs")

# What sys.platform begins with, and the driver for it.
_DRIVERS = (
    ("darwin", "os_capability.darwin.driver", "DarwinDriver"),
    ("freebsd", "os_capability.freebsd.driver", "FreebsdDriver"),
    ("win32", "os_capability.windows.driver", "WindowsDriver"),
    ("", "os_capability.generic.driver", "GenericDriver"),
)


def load_driver(root: str = "/", source: str = "auto", on_part: OnPart | None = None) -> HostDriver:
    """Give the driver for a machine: this one, or the one whose ``proc`` and ``sys`` lie under `root`.

    A foreign root is always a Linux machine, whatever system we run on.

    Args:
        root: a folder with the machine's ``proc`` and ``sys``; ``/`` is the machine we run on.
        source: who tells the topology: ``auto`` (both, sysfs decides), ``lscpu`` or ``sysfs`` alone.
        on_part: told of each part of a reading when it is over: its name, the seconds it took, and whether it ended
            without an exception. On Linux a collection has the parts ``topology`` (with lscpu's answer), ``memory``,
            ``system``, ``cpu``, ``numa``, ``limits`` and ``pci``, in this order; elsewhere it is one, ``machine``. A
            refresh is the part ``refresh``; where it collects anew it comes last, and its time contains the others'.

    Raises:
        InvalidRoot: `root` is no folder, or holds neither ``proc`` nor ``sys``.
        SourceUnreadable: `source` is one that this system does not have.
        ValueError: `source` is none of `SOURCES`.
    """
    if source not in SOURCES:
        raise ValueError(f"source is one of {', '.join(SOURCES)}, not {source!r}")
    if root == "/" and not sys.platform.startswith("linux"):
        driver = native_driver(sys.platform, source)
        return driver if on_part is None else TimedDriver(driver, on_part)
    from os_capability.linux.driver import LinuxDriver

    return LinuxDriver(root, source, on_part)


def native_driver(platform: str, source: str = "auto") -> HostDriver:
    """Give the driver of a system other than Linux, by the name that `sys.platform` has for it.

    Raises:
        SourceUnreadable: `source` is one that only Linux has.
    """
    if source != "auto":
        raise SourceUnreadable(source, f"tells of Linux machines only, and this system is {platform}; leave it to auto")
    module, name = next((module, name) for prefix, module, name in _DRIVERS if platform.startswith(prefix))
    driver: HostDriver = getattr(importlib.import_module(module), name)()
    return driver


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
