# SPDX-License-Identifier: Apache-2.0
"""How long to wait before the next try: longer each time, and drawn at random so that a fleet comes back spread out."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Backoff"]

# 2**n of more than that many failures in a row would only be a large number.
_MOST_DOUBLINGS = 30


class Backoff:
    """Full jitter: each pause is drawn between nothing and a bound that doubles up to a cap.

    Half of the herd comes back in the first half of any stretch, so that no moment is the one when all come back.
    """

    def __init__(
        self, first_seconds: float, longest_seconds: float, draw: Callable[[float, float], float] = random.uniform
    ) -> None:
        """Begin without a failure.

        Args:
            first_seconds: the bound after the first failure.
            longest_seconds: the cap of the bound.
            draw: gives a number between two.
        """
        self._first = first_seconds
        self._longest = longest_seconds
        self._draw = draw
        self._failures = 0

    def failed(self) -> float:
        """Take note of a failure, and give the seconds to wait."""
        bound = min(self._longest, self._first * 2 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        return self._draw(0, bound)

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0
