# SPDX-License-Identifier: Apache-2.0
"""A question that may hang: asked in a thread of its own, waited for only so long, and never asked twice at once."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Answer", "Asking"]

LOG = logging.getLogger(__name__)

_Value = TypeVar("_Value")

# The share of the time limit for one that took longer than it the last time: what hangs is not to cost it at each turn.
_IMPATIENCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[_Value]):
    """What came of a question.

    Attributes:
        value: what was told; ``None`` where asking failed by a fault of this program, too.
        failed: whether it did.
        at: when, by the asker's clock.
    """

    value: _Value | None
    failed: bool
    at: float


class Asking(Generic[_Value]):
    """Asks one source. One that hangs is left behind, and asked again once it has returned."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        """Prepare.

        Args:
            name: of the source, for the log and the thread.
            clock: seconds, by which answers are dated.
        """
        self._name = name
        self._clock = clock
        self._returned = threading.Event()
        self._returned.set()
        self._answer: Answer[_Value] | None = None
        self._due_at = math.inf
        self._is_left_behind = self._was_late = False

    def start(self, ask: Callable[[], _Value]) -> None:
        """Ask, unless the last question is still open."""
        self._is_left_behind = not self._returned.is_set()
        if not self._is_left_behind:
            self._due_at = math.inf
            self._returned.clear()
            threading.Thread(target=self._run, args=(ask,), name=f"survey-{self._name}", daemon=True).start()

    def wait(self, started_at: float, limit_seconds: float) -> None:
        """Wait for the answer until the limit is over: not at all for one that was left behind.

        Args:
            started_at: by `time.monotonic`.
            limit_seconds: from then on.
        """
        if self._is_left_behind:
            return
        self._due_at = started_at + limit_seconds
        patience = limit_seconds * (_IMPATIENCE if self._was_late else 1.0)
        self._returned.wait(max(0.0, started_at + patience - time.monotonic()))

    def take(self) -> Answer[_Value] | None:
        """Give the answer if there is one, each once."""
        if not self._returned.is_set():
            return None
        answer, self._answer = self._answer, None
        return answer

    def _run(self, ask: Callable[[], _Value]) -> None:
        value, failed = None, True
        try:
            value, failed = ask(), False
        except Exception:
            LOG.exception("asking %s failed: this is a bug", self._name)
        finally:
            self._was_late = time.monotonic() > self._due_at
            self._answer = Answer(value=value, failed=failed, at=self._clock())
            self._returned.set()
