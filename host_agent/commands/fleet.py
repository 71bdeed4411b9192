# SPDX-License-Identifier: Apache-2.0
"""The hosts that a command is about: which they are, the state of each, and one of them in full."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from host_agent.commands.answer import EXIT_NO, Failed, takes_colour
from host_agent.commands.database import shown_url

if TYPE_CHECKING:
    from host_agent.settings import AgentSettings, Settings
    from host_agent.store import Row
    from host_agent.store.engine import Engine
    from host_agent.usage import Usage

__all__ = ["all_hosts", "one_host", "shown_host", "with_states"]

# Facts older than so many full intervals are stale.
_STALE_INTERVALS = 3


def all_hosts(engine: Engine) -> list[Row]:
    """Give every host, page by page.

    Raises:
        StoreError: one of its children.
    """
    from host_agent import store

    rows = page = store.list_hosts(engine)
    while page:
        page = store.list_hosts(engine, marker=str(page[-1]["uuid"]))
        rows = rows + page
    return rows


def one_host(engine: Engine, name: str) -> Row:
    """Give the one host that has this name or uuid.

    Raises:
        Failed: there is none, or there are several.
        StoreError: one of its children.
    """
    from host_agent import store

    rows = store.find(engine, name)
    if not rows:
        raise Failed(f"no host is called {name!r}; `host-agent hosts list --all` shows them", EXIT_NO)
    if len(rows) > 1:
        uuids = ", ".join(str(row["uuid"]) for row in rows)
        raise Failed(f"{len(rows)} hosts are called {name!r}: ask for one by its uuid: {uuids}", EXIT_NO)
    return rows[0]


def with_states(rows: Iterable[Row], settings: AgentSettings) -> list[Row]:
    """Give the rows with the ``state`` that follows from each."""
    from host_agent.liveness import state

    limits = {
        "down_after_seconds": settings.down_after,
        "stale_after_seconds": _STALE_INTERVALS * settings.full_interval,
    }
    return [{**row, "state": state(row, **limits)} for row in rows]


def shown_host(asked: argparse.Namespace, settings: Settings, row: Row, usage: Usage | None = None) -> str:
    """Give a row in the format that was asked for, and what its usage is made of; a person is told where it is kept."""
    from host_agent.render.hosts import host_json, host_table
    from host_agent.render.usage import usage_text
    from host_agent.render.usage_document import usage_document

    (row,) = with_states([row], settings.agent)
    if asked.format == "json":
        return host_json(row if usage is None else {**row, "usage": usage_document(row, usage)})
    colour = takes_colour()
    parts = [host_table(row, colour=colour)]
    if usage is not None:
        parts.append(f"\n{usage_text(row, usage, colour=colour)}\n")
    return "\n".join([*parts, f"stored in {shown_url(settings)}, table compute_host, uuid {row['uuid']}"])
