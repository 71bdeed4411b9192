# SPDX-License-Identifier: Apache-2.0
"""The database that a command works on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from host_agent.commands.answer import patience

if TYPE_CHECKING:
    from host_agent.settings import Settings
    from host_agent.store.engine import Engine

__all__ = ["opened", "opened_current", "opened_existing", "shown_url"]


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """Give the engine of the configured database; an embedded one has its directory and its file made.

    Raises:
        IdentityError: the state directory cannot be made.
        StoreError: the url is none.
    """
    from host_agent.store import open_engine

    _make_embedded(settings)
    engine = open_engine(settings.database.url)
    try:
        with patience(f"waiting for {shown_url(settings)}"):
            yield engine
    finally:
        engine.dispose()


@contextmanager
def opened_existing(settings: Settings) -> Iterator[Engine]:
    """Give the same for a command that only asks: a mistyped file name must not make an empty database there.

    Raises:
        StoreUnreachable: there is no such file.
        StoreError: the url is none.
    """
    from host_agent.errors import StoreUnreachable

    with opened(settings) as engine:
        file = engine.url.database or ""
        if engine.dialect.name == "sqlite" and not file.startswith("file:") and not Path(file).exists():
            raise StoreUnreachable(shown_url(settings), "there is no such file")
        yield engine


@contextmanager
def opened_current(settings: Settings) -> Iterator[Engine]:
    """Give the same with the tables that this version knows, or newer ones; a new embedded file gets them here.

    Raises:
        SchemaOutdated: they are older, or there are none.
        StoreError: as for `opened_existing`.
    """
    from host_agent.settings import embedded_url
    from host_agent.store import migrate

    with opened_existing(settings) as engine:
        if settings.database.url == embedded_url(settings.state_path):
            migrate.make_ready(engine)
        else:
            migrate.require_current(engine)
        yield engine


def shown_url(settings: Settings) -> str:
    """Give the database's url as people may see it."""
    from host_agent.settings import hide_password

    return hide_password(settings.database.url)


def _make_embedded(settings: Settings) -> None:
    from host_agent.atomic_file import give_to_owner
    from host_agent.identity import make_state_directory
    from host_agent.settings import embedded_url

    if settings.database.url != embedded_url(settings.state_path):
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
