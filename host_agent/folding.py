# SPDX-License-Identifier: Apache-2.0
"""What flaps is told twice in a window, not each time: when it begins, and how it stands at the window's end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from host_agent.event import Event

__all__ = ["Folding", "thing"]

# The last word of a code tells which way a change went; both ways are about the same thing.
_WAYS = frozenset(
    {"added", "changed", "cleared", "closed", "gained", "lost", "offline", "online", "opened", "raised", "removed"}
)
# What in the detail of a change names the thing, and does not tell how it was or is.
_NAMING = ("node", "cpus", "size_bytes", "name", "flags", "cache", "address", "addresses", "warning")


@dataclass(slots=True)
class _Window:
    """One thing that changed lately: until when its changes are kept back, how many, and the last of them."""

    until: float
    count: int = 0
    last: Event | None = None


class Folding:
    """Lets the first change of a thing pass at once, and keeps further ones back until the window ends.

    Then one of them is told: the change itself where there was just one, else an event ``flapping`` that says how
    many there were and what the last was. While that goes on each window ends so; after a quiet one it starts afresh.
    """

    def __init__(self, window_seconds: float) -> None:
        """Begin with nothing kept back; a window of 0 seconds tells everything at once."""
        self._window = window_seconds
        self._windows: dict[tuple[str, ...], _Window] = {}

    def pass_on(self, events: Iterable[Event], now: float) -> list[Event]:
        """Give what is to be told now: of `events`, and of what was kept back and is due.

        Args:
            events: new ones, oldest first.
            now: seconds, by a clock that never goes back.
        """
        told = self._due(now)
        for event in events:
            about = thing(event.code, event.detail)
            window = self._windows.get(about)
            if window is None:
                told.append(event)
                if self._window > 0:
                    self._windows[about] = _Window(until=now + self._window)
            else:
                window.count += 1
                window.last = event
        return told

    def kept_back(self) -> list[Event]:
        """Give what would be told if every window ended now, so that it can outlive this process."""
        return [self._summary(window) for window in self._windows.values() if window.last is not None]

    def _due(self, now: float) -> list[Event]:
        told = []
        for about, window in list(self._windows.items()):
            if now < window.until:
                continue
            if window.last is None:
                del self._windows[about]
            else:
                told.append(self._summary(window))
                self._windows[about] = _Window(until=now + self._window)
        return sorted(told, key=lambda event: event.sequence)

    def _summary(self, window: _Window) -> Event:
        last = window.last
        assert last is not None
        if window.count == 1:
            return last
        detail = {"count": window.count, "seconds": self._window, "last": {"code": last.code, "detail": last.detail}}
        message = f"changed {window.count} more times within {self._window:g} s, the last: {last.message}"
        return replace(last, code="flapping", message=message, detail=detail)


def thing(code: str, detail: Mapping[str, object]) -> tuple[str, ...]:
    """Give what a change is about: its code less the way it went, and its detail less how it was and is."""
    topic, _, way = code.rpartition("-")
    named = (f"{name}={detail[name]}" for name in _NAMING if name in detail)
    return (topic if way in _WAYS else code, *named)
