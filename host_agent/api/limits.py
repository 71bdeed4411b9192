# SPDX-License-Identifier: Apache-2.0
"""How much one client may write: whoever runs wild slows down himself and nobody else."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from host_agent.api.errors import TooManyRequests

__all__ = ["WRITES", "WriteLimit"]

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_SECONDS = 60.0
# Beyond this the client that wrote longest ago is forgotten.
_MOST_CLIENTS = 10_000


class WriteLimit:
    """Lets each client write so often in a minute; what it did not use of a minute is not saved for the next."""

    def __init__(self, per_minute: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            per_minute: of one client; 0 is any number.
            clock: seconds.
        """
        self._most = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        # By client: how many it may send at once, and when that was so. Oldest first.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, client: str) -> None:
        """Count one request that writes.

        Raises:
            TooManyRequests: it is one too many; says when to come again.
        """
        if self._most == 0:
            return
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(client, (self._most, now))
            left = min(self._most, left + (now - at) * self._most / _SECONDS)
            is_admitted = left >= 1
            self._left[client] = (left - 1 if is_admitted else left, now)
            if len(self._left) > _MOST_CLIENTS:
                self._left.popitem(last=False)
        if not is_admitted:
            seconds = math.ceil((1 - left) * _SECONDS / self._most)
            raise TooManyRequests(
                f"More than {self._most:g} requests a minute that write. Retry after {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )
