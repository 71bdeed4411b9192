# SPDX-License-Identifier: Apache-2.0
"""Events that wait for the database, in a file of JSON lines that outlives the process and never grows for ever."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from host_agent.atomic_file import give_to_owner, replace_file
from host_agent.event import Event
from host_agent.log import Condition

__all__ = ["Spool"]

LOG = logging.getLogger(__name__)

_MODE = 0o640
# When a database comes back the spools of a whole fleet come in: each delivery is a small transaction.
_BATCH = 100
_MOST_BYTES = 4 * 1024 * 1024
_LOST = "events-lost"


class Spool:
    """A queue on disk: the oldest goes first, and gives way to the newest where there is no more room.

    On a disk that is full or gone the events are kept in memory, until it takes them again.
    """

    def __init__(self, path: Path, most_events: int, most_bytes: int = _MOST_BYTES) -> None:
        """Take over what the process before left; a line that is torn or not ours is left out.

        Args:
            path: the file; it need not exist.
            most_events: how many wait at most, two or more.
            most_bytes: how long the file gets at most.
        """
        self._path = path
        self._most_events = most_events
        self._most_bytes = most_bytes
        # Two, so that a disk that hangs holds up nobody but who writes to it.
        self._lock, self._file_lock = threading.Lock(), threading.Lock()
        self._writing = Condition(LOG, "events are kept on disk again")
        # By uuid, oldest first: the event, and its line in the file.
        self._queue: dict[str, tuple[Event, str]] = {}
        # Whether the file holds something else than the queue.
        self._differs = False
        self.lost = 0
        self._load()

    def __len__(self) -> int:
        return len(self._queue)

    def append(self, events: Sequence[Event]) -> None:
        """Add events, but for those that wait already; they are on the disk when this returns, if the disk works."""
        with self._lock:
            new = {event.uuid: (event, _line(event)) for event in events if event.uuid not in self._queue}
            self._queue |= new
            self._give_way()
        self._store([line for _, line in new.values()])

    def waiting(self) -> list[Event]:
        """Give the oldest events, as many as are delivered at once."""
        with self._lock:
            return [event for event, _ in self._queue.values()][:_BATCH]

    def remove(self, uuids: Collection[str]) -> None:
        """Forget events that were delivered; on a disk that hangs just now, when it is written to again."""
        with self._lock:
            for uuid in uuids:
                self._queue.pop(uuid, None)
            self._differs = True
        self._store([], wait=False)

    def _give_way(self) -> None:
        """Drop the oldest until the rest has room, and tell of all that were ever dropped by one event before them."""
        if not self._is_over(0):
            return
        count, newest = 0, None
        while self._queue and self._is_over(1):  # the one that tells needs a place too
            newest, _ = self._queue.pop(next(iter(self._queue)))
            before = newest.detail.get("count") if newest.code == _LOST else None
            count += before if isinstance(before, int) else 1
            self.lost += 0 if newest.code == _LOST else 1
        if newest is not None:
            told = _events_lost(newest, count)
            self._queue = {told.uuid: (told, _line(told)), **self._queue}
        self._differs = True

    def _is_over(self, more_events: int) -> bool:
        size = sum(len(line) for _, line in self._queue.values())
        return len(self._queue) + more_events > self._most_events or size > self._most_bytes

    def _store(self, new_lines: Sequence[str], *, wait: bool = True) -> None:
        if not self._file_lock.acquire(blocking=wait):
            return
        try:
            trouble = self._written(new_lines)
        finally:
            self._file_lock.release()
        self._writing.report(trouble)

    def _written(self, new_lines: Sequence[str]) -> str | None:
        with self._lock:
            whole = "".join(line for _, line in self._queue.values()) if self._differs else None
            self._differs = False
        try:
            if whole is not None:
                # Not synced after a removal: if a power cut brings old lines back, they are delivered and stored once.
                replace_file(self._path, whole, mode=_MODE, sync=bool(new_lines))
            elif new_lines:
                self._write_behind(new_lines)
        except OSError as error:
            self._differs = True
            return f"{self._path}: {error.strerror}: events are kept in memory only"
        return None

    def _write_behind(self, lines: Sequence[str]) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags, _MODE), "w", encoding="utf-8") as file:
            give_to_owner(file.fileno(), self._path.parent)
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def _load(self) -> None:
        try:
            text = self._path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            self._writing.report(f"{self._path}: {error.strerror}: events that wait there are not seen")
            return
        skipped = 0
        for line in text.splitlines():
            try:
                event = Event.from_dict(json.loads(line))
            except ValueError:
                skipped += 1
            else:
                self._queue[event.uuid] = (event, _line(event))
        # A last line without its end would swallow the next one.
        self._differs = bool(skipped) or not text.endswith("\n")
        self.lost = skipped
        if skipped:
            LOG.warning("%s: %d lines are torn or not ours, and left out", self._path, skipped)


def _line(event: Event) -> str:
    return json.dumps(event.to_dict(), separators=(",", ":")) + "\n"


def _events_lost(newest: Event, count: int) -> Event:
    message = f"{count} events gave way: the database was not reached for too long"
    detail: dict[str, object] = {"count": count, "until": newest.at.isoformat()}
    return replace(newest, uuid=str(uuid4()), code=_LOST, message=message, detail=detail)
