# SPDX-License-Identifier: Apache-2.0
"""How long each part of a reading took, for whoever asks to be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from os_capability.driver import HostDriver
from os_capability.model import Host, MachineIdentity

__all__ = ["OnPart", "TimedDriver", "timed"]

OnPart = Callable[[str, float, bool], None]
"""Told of a part when it is over: its name, the seconds it took, and whether it ended without an exception."""


@contextmanager
def timed(part: str, on_part: OnPart | None) -> Iterator[None]:
    """Tell `on_part`, where there is one, how the block went."""
    if on_part is None:
        yield
        return
    started, succeeded = time.perf_counter(), False
    try:
        yield
        succeeded = True
    finally:
        on_part(part, time.perf_counter() - started, succeeded)


class TimedDriver:
    """A driver that has no parts of its own: a collection is the part ``machine``, a refresh the part ``refresh``.

    Args:
        driver: the one that reads.
        on_part: is told.
    """

    def __init__(self, driver: HostDriver, on_part: OnPart) -> None:
        self._driver = driver
        self._on_part = on_part

    def identify(self) -> MachineIdentity:
        """Read who this machine is; see `HostDriver.identify`."""
        return self._driver.identify()

    def collect(self) -> Host:
        """Read every fact; see `HostDriver.collect`."""
        with timed("machine", self._on_part):
            return self._driver.collect()

    def refresh(self, host: Host) -> Host:
        """Read the fast facts again; see `HostDriver.refresh`."""
        with timed("refresh", self._on_part):
            return self._driver.refresh(host)
