# SPDX-License-Identifier: Apache-2.0
"""The SQLite file that serves where no other database is named: its directory and its owner."""

from __future__ import annotations

import contextlib
import os

from host_agent.atomic_file import give_to_owner
from host_agent.identity import make_state_directory
from host_agent.settings import Settings, embedded_url

__all__ = ["is_embedded", "make_embedded_file"]


def is_embedded(settings: Settings) -> bool:
    """Tell whether no other database is named."""
    return settings.database.url == embedded_url(settings.state_path)


def make_embedded_file(settings: Settings) -> None:
    """Make the file and its directory where they are wanted and not there yet.

    Raises:
        IdentityError: the state directory cannot be made.
    """
    if not is_embedded(settings):
        return
    make_state_directory(settings.state_path)
    file = settings.database.url.removeprefix("sqlite:///")
    # An empty file is an empty database. Made by root in the service's directory, it would be closed to the service;
    # the files that SQLite puts beside it take its owner.
    with contextlib.suppress(OSError):
        made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
        try:
            give_to_owner(made, settings.state_path)
        finally:
            os.close(made)
