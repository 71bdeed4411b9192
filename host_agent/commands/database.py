# SPDX-License-Identifier: Apache-2.0
"""The database that a command works on."""

from __future__ import annotations

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
    from host_agent.embedded import make_embedded_file
    from host_agent.store import open_engine

    make_embedded_file(settings)
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
    from host_agent.embedded import is_embedded
    from host_agent.store import migrate

    with opened_existing(settings) as engine:
        if is_embedded(settings):
            migrate.make_ready(engine)
        else:
            migrate.require_current(engine)
        yield engine


def shown_url(settings: Settings) -> str:
    """Give the database's url as people may see it."""
    from host_agent.settings import hide_password

    return hide_password(settings.database.url)
