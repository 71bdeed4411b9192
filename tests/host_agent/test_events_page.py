# SPDX-License-Identifier: Apache-2.0
"""docs/events.md explains every code of an event, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from host_agent.event import CODES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "events.md").read_text()
CHANGES = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", (DOCS / "changes.md").read_text()))


def test_every_code_of_our_own_is_explained_once() -> None:
    explained = re.findall(r"^\| `([a-z-]+)` \| .+ \| .+ \|$", PAGE, re.MULTILINE)
    assert sorted(explained) == sorted(CODES)


def test_every_code_it_names_is_an_events_or_a_changes() -> None:
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE))
    assert named <= CHANGES | set(CODES)
    assert named & CHANGES, "the page gives examples of changes"


def test_no_code_means_two_things() -> None:
    assert set(CODES) & CHANGES == set()
