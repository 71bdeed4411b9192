# SPDX-License-Identifier: Apache-2.0
"""One machine, looked at again and again: everything now and then, the fast facts in between."""

from __future__ import annotations

import time
from collections.abc import Callable

from os_capability import Host, HostDriver, SourceUnreadable

__all__ = ["HostWatch"]


class HostWatch:
    """Remembers the last good facts of a machine; a look that fails leaves them as they are.

    One caller at a time: two looks at once would read a machine that hangs twice.

    Attributes:
        last: the facts of the last good look; ``None`` before the first.
        was_full: whether that look read everything anew.
    """

    def __init__(
        self, driver: HostDriver, full_interval_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._driver = driver
        self._full_interval = full_interval_seconds
        self._clock = clock
        self._collected_at = 0.0
        self._doubted: Host | None = None
        self.last: Host | None = None
        self.was_full = False

    def look(self) -> Host:
        """Give the facts of this moment: all read anew at first and after each full interval, else only the fast ones.

        That a node or most of the memory is gone is believed when a second, full look says the same: sysfs is read
        file by file, and a look in the middle of a hot-plug sees half of it.

        Raises:
            OsCapabilityError: as the driver says, the machine showed no CPU at all, or much less than at the last
                look, for the first time.
        """
        now = self._clock()
        full = self._doubted is not None or self.last is None or now - self._collected_at >= self._full_interval
        host = self._driver.collect() if self.last is None or full else self._driver.refresh(self.last)
        if not host.cpu.online:
            raise SourceUnreadable("CPUs", "the machine shows none that is online")
        self._doubt(host)
        if full:
            self._collected_at = now
        self.last = host
        self.was_full = full
        return host

    def _doubt(self, host: Host) -> None:
        doubted, self._doubted = self._doubted, None
        missing = None if self.last is None else _missing(self.last, host)
        if missing is not None and (doubted is None or _missing(doubted, host) or _missing(host, doubted)):
            self._doubted = host
            raise SourceUnreadable("the machine", f"{missing} is gone at once: a second look will tell")


def _missing(before: Host, now: Host) -> str | None:
    """Say what of `before` is not there any more and would be missed: a node, or more than half of the memory."""
    if not (before.numa.synthetic or now.numa.synthetic):
        gone = {node.id for node in before.numa.nodes} - {node.id for node in now.numa.nodes}
        if gone:
            return f"node {min(gone)}"
    had, has = before.memory.total_bytes, now.memory.total_bytes
    if had is not None and (has is None or has < had / 2):
        return "more than half of the memory"
    return None
