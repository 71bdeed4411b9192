# SPDX-License-Identifier: Apache-2.0
"""The baseline: how the machine was when changes were told last, in a file, so that a restart misses none."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from host_agent.atomic_file import replace_file
from host_agent.event import Event
from host_agent.log import Condition
from os_capability import Host, InvalidDocument

__all__ = ["Baseline", "host_of"]

LOG = logging.getLogger(__name__)

_MODE = 0o640


class Baseline:
    """The facts that the next ones are compared with, and the events that were kept back.

    Attributes:
        host: the facts; ``None`` where they are not known.
        kept_back: what the process before had noticed and not told.
    """

    def __init__(self, path: Path) -> None:
        """Read what the process before left; a file that is not understood is as good as none."""
        self._path = path
        self._writing = Condition(LOG, "the last known facts are kept on disk again")
        self.host: Host | None = None
        self.kept_back: list[Event] = []
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            self.kept_back = [Event.from_dict(event) for event in data["kept_back"]]
            self.host = Host.from_dict(data["document"])
        except FileNotFoundError:
            pass
        except (OSError, KeyError, TypeError, ValueError, RecursionError, InvalidDocument) as error:
            LOG.warning("%s: the last known facts cannot be read (%s); those in the database serve", path, error)

    def keep(self, host: Host, kept_back: Sequence[Event]) -> None:
        """Make `host` the baseline; a disk that is full or gone is said in the log, once."""
        self.host = host
        document = {"document": host.to_dict(), "kept_back": [event.to_dict() for event in kept_back]}
        trouble = None
        try:
            replace_file(self._path, json.dumps(document, separators=(",", ":")) + "\n", mode=_MODE)
        except OSError as error:
            trouble = f"{self._path}: {error.strerror}: changes across a restart may be missed or told twice"
        self._writing.report(trouble)


def host_of(document: str | None) -> Host | None:
    """Read the facts as the database has them; ``None`` where there are none, or they are not understood."""
    try:
        return None if document is None else Host.from_dict(json.loads(document))
    except (ValueError, RecursionError, InvalidDocument):  # written by another version
        return None
