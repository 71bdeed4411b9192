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
    """

    def __init__(
        self, driver: HostDriver, full_interval_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._driver = driver
        self._full_interval = full_interval_seconds
        self._clock = clock
        self._collected_at = 0.0
        self.last: Host | None = None

    def look(self) -> Host:
        """Give the facts of this moment: all read anew at first and after each full interval, else only the fast ones.

        Raises:
            OsCapabilityError: as the driver says, or the machine showed no CPU at all.
        """
        now = self._clock()
        full = self.last is None or now - self._collected_at >= self._full_interval
        host = self._driver.collect() if self.last is None or full else self._driver.refresh(self.last)
        if not host.cpu.online:
            raise SourceUnreadable("CPUs", "the machine shows none that is online")
        if full:
            self._collected_at = now
        self.last = host
        return host
